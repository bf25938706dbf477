// SPDX-License-Identifier: LGPL-2.1-or-later
// cluster-worker.mjs: a worker of the example's cluster, whose carts are in Corral, or in a Map of
// its own; it tells how late its event loop is. Environment: EXAMPLE, CARTS ("": a Map), PORT.
import cluster from 'node:cluster'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'

const TELL_MS = 250
const { EXAMPLE, CARTS, PORT } = process.env

/** As much of a cart as the example's tools call. It makes a call that comes twice twice. */
class MapCart {
  order = { items: [], taxPpm: 0, totalCents: 0, version: 0 }

  #answer() {
    const { order } = this
    const subtotal = order.items.reduce(
      (sum, item) =>
        sum +
        item.quantity *
          item.modifiers.reduce(
            (each, modifier) => each + modifier.priceCents,
            item.unitPriceCents
          ),
      0
    )
    order.totalCents = subtotal + Math.floor((subtotal * order.taxPpm + 500000) / 1000000)
    order.version++
    return { order }
  }

  #find({ menuItemId }) {
    return this.order.items.findIndex((item) => item.menuItemId === menuItemId)
  }

  add(items, { taxPpm }) {
    this.order.taxPpm = taxPpm
    for (const item of items) {
      const names = item.modifiers.map((modifier) => modifier.name).join()
      const line = this.order.items.find(
        (one) =>
          one.menuItemId === item.menuItemId &&
          one.notes === item.notes &&
          one.modifiers.map((modifier) => modifier.name).join() === names
      )
      if (line) line.quantity += item.quantity
      else this.order.items.push({ ...item })
    }
    return this.#answer()
  }

  remove(line) {
    this.order.items.splice(this.#find(line), 1)
    return this.#answer()
  }

  changeQuantity(line, difference) {
    const item = this.order.items[this.#find(line)]
    if (item) item.quantity += difference
    return this.#answer()
  }

  clear() {
    this.order.items = []
    return this.#answer()
  }

  checkout() {
    return this.#answer()
  }
}

function mapStore() {
  const carts = new Map()
  return {
    cart(restaurant, session) {
      const key = `${restaurant} ${session}`
      if (!carts.has(key)) carts.set(key, new MapCart())
      return carts.get(key)
    },
    close() {},
  }
}

async function corralStore() {
  const { open } = await import(pathToFileURL(`${process.env.CORRAL_CLIENT}/index.mjs`))
  return open({ dir: CARTS })
}

const { serve } = await import(pathToFileURL(`${EXAMPLE}/server.mjs`))
const store = CARTS ? await corralStore() : mapStore()
const server = await serve({ store, port: Number(PORT) })

const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
setInterval(() => {
  process.send({ count: delay.count, percentiles: [...delay.percentiles] })
  delay.reset()
}, TELL_MS).unref()

process.once('SIGTERM', async () => {
  await server.close()
  store.close()
  if (process.connected) cluster.worker.disconnect()
})
