// SPDX-License-Identifier: LGPL-2.1-or-later
// storm.mjs: callers who order at random from a cluster, while its workers are killed and replaced,
// and what their carts must have in them at the end.
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const RESTAURANT = 'luigi'
const AGAIN_MS = 20
const ORDERED = [
  ['burger'],
  ['burger', 'bacon'],
  ['burger', 'cheese'],
  ['fries'],
  ['fries', 'large'],
  ['coke', 'no ice'],
]

/** What the customer has ordered, by his own count. */
class Model {
  lines = new Map() // id and modifier -> { quantity, cents }
  calls = 0 // each of them is a change

  add({ id, quantity = 1, modifiers = [] }, toItem) {
    const key = [id, ...modifiers].join()
    const line = this.lines.get(key) ?? { id, quantity: 0, cents: 0 }
    const { unitPriceCents, modifiers: priced } = toItem({ id, modifiers })
    line.cents = priced.reduce((sum, { priceCents }) => sum + priceCents, unitPriceCents)
    line.quantity += quantity
    this.lines.set(key, line)
  }

  /** Keys of lines whose id no other line has. */
  get named() {
    const all = [...this.lines]
    return all.filter(([, { id }]) => all.filter(([, other]) => other.id === id).length === 1)
  }

  get wanted() {
    const lines = [...this.lines.values()]
    const subtotal = lines.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0)
    const tax = Math.floor((subtotal * 82500 + 500000) / 1000000) // 8.25 %, half up
    return {
      version: this.calls,
      lines: lines.length,
      itemCount: lines.reduce((sum, { quantity }) => sum + quantity, 0),
      subtotalCents: subtotal,
      taxCents: tax,
      totalCents: subtotal + tax,
    }
  }
}

/** One caller with a cart. */
export class Session {
  #caller
  #random
  #toItem
  #heard = 0 // the version
  model = new Model()

  constructor(name, caller, random, toItem) {
    this.name = name
    this.#caller = caller
    this.#random = random
    this.#toItem = toItem
  }

  get connections() {
    return this.#caller.connections
  }

  connect() {
    return this.#caller.connect()
  }

  close() {
    this.#caller.close()
  }

  // A tool call, under one id until it is answered by more than "try again".
  async #call(name, given) {
    const id = `${this.name}-${++this.model.calls}`
    let answer = await this.#caller.call(id, name, given)
    while (answer.error === 'try again') {
      await sleep(AGAIN_MS)
      answer = await this.#caller.call(id, name, given)
    }
    if (answer.error) throw new Error(`${this.name}, call ${id}, ${name}: ${answer.error}`)
    this.#heard = Math.max(this.#heard, answer.version)
    return answer
  }

  #item() {
    const [id, ...modifiers] = this.#random.pick(ORDERED)
    return { id, modifiers, quantity: 1 + this.#random.below(2) }
  }

  #add(count) {
    const items = Array.from({ length: count }, () => this.#item())
    for (const item of items) this.model.add(item, this.#toItem)
    return this.#call('add_to_order', count === 1 ? items[0] : { items })
  }

  #remove([key, line]) {
    const { id } = line
    if (line.quantity > 1 && this.#random.next() < 0.5) {
      line.quantity--
      return this.#call('remove_from_order', { id, quantity: 1 })
    }
    this.model.lines.delete(key)
    return this.#call('remove_from_order', { id })
  }

  /** One thing that a customer says; sometimes two calls at once. */
  async say() {
    const dice = this.#random.next()
    const { named, lines } = this.model
    if (dice < 0.15 && named.length > 0) return this.#remove(this.#random.pick(named))
    if (dice < 0.2 && lines.size > 0) {
      lines.clear()
      return this.#call('clear_order', {})
    }
    if (dice < 0.3) return Promise.all([this.#add(1), this.#add(1)])
    return this.#add(1 + this.#random.below(3))
  }

  confirm() {
    return this.#call('confirm_order', { version: this.#heard })
  }

  /** What is wrong with the cart; undefined: nothing. */
  wrong(order) {
    const { wanted } = this.model
    const found = order && {
      version: order.version,
      lines: order.items.length,
      itemCount: order.itemCount,
      subtotalCents: order.subtotalCents,
      taxCents: order.taxCents,
      totalCents: order.totalCents,
    }
    if (order?.status === 'checked_out' && JSON.stringify(found) === JSON.stringify(wanted))
      return undefined
    return { session: this.name, status: order?.status, found, wanted }
  }
}

/** Callers, connected, each with a cart of its own. folder: of the example. */
export async function callers({ folder, port, count, random, name }) {
  const { Caller } = await import(pathToFileURL(`${folder}/caller.mjs`))
  const { toItem } = await import(pathToFileURL(`${folder}/menu.mjs`))
  const sessions = Array.from({ length: count }, (_, i) => {
    const session = `${name}-${i}`
    const url = `ws://127.0.0.1:${port}/realtime/${RESTAURANT}/${session}`
    return new Session(session, new Caller(url), random, toItem)
  })
  await Promise.all(sessions.map((session) => session.connect()))
  return sessions
}

/** All talk until it is enough, and confirm. pauseMs: the longest time between two sentences. */
export async function talk(sessions, { enough, pauseMs, random, confirm = true }) {
  const one = async (session) => {
    while (!enough()) {
      await session.say()
      await sleep(random.below(pauseMs))
    }
    if (confirm) await session.confirm()
  }
  await Promise.all(sessions.map(one))
}

/** Do something so often, with pauses. */
export async function repeat(count, pauseMs, act) {
  for (; count > 0; count--) {
    await sleep(pauseMs)
    await act()
  }
}

export { RESTAURANT }
