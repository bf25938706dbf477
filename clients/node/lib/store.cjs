// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// store.cjs: an open arena.

const { native } = require('./native.cjs')
const { errorOf } = require('./errors.cjs')
const { whole, filled, yes, options } = require('./check.cjs')
const { readRows, closeRows, readStats } = require('./order.cjs')
const { Cart } = require('./cart.cjs')
const { events } = require('./events.cjs')
const waits = require('./waits.cjs')

const PATIENCE_MS = 20
const CLOSED = -1 // no store's number

const READ_ONLY = 1
const CATCH_SIGBUS = 8

const OPEN = new Set(['dir', 'patienceMs', 'label', 'readOnly', 'catchSigbus'])
const SYNC = new Set(['signal'])
const LIST = new Set(['restaurantId'])

// A store that was forgotten is closed once its object is collected.
const forgotten = new FinalizationRegistry((number) => native.close(number))

/** An open arena. */
class Store {
  // what its carts see of it: its number, CLOSED once it is closed, its patience, whether that is
  // used up in this turn of the event loop, and its waits
  #shared
  #syncing // the sync that all calls of this moment share

  constructor(number, patienceMs) {
    this.#shared = { number, patienceMs, waited: false, waits: new Set() }
    forgotten.register(this, number, this)
  }

  cart(restaurantId, sessionId) {
    return new Cart(this.#shared, restaurantId, sessionId)
  }

  list(given) {
    const { restaurantId } = options(given, LIST)
    return this.#rows(restaurantId === undefined ? undefined : filled(restaurantId, 'restaurantId'))
  }

  *#rows(restaurantId) {
    let list = 0
    try {
      do {
        const [next, rows] = readRows(this.#shared.number, list, restaurantId)
        list = next
        yield* rows
      } while (list !== 0)
    } finally {
      // one that was left half-way; of a closed store it is closed already
      if (list !== 0) closeRows(this.#shared.number, list)
    }
  }

  events(given) {
    return events(this.#shared, given)
  }

  sync(given) {
    const signal = waits.signalOf(options(given, SYNC).signal)
    if (signal !== undefined) return waits.disk(this.#shared, signal)
    // all that was changed before the end of this job of the event loop is on disk then
    this.#syncing ??= Promise.resolve().then(() => {
      this.#syncing = undefined
      return waits.disk(this.#shared)
    })
    return this.#syncing
  }

  stats() {
    return readStats(this.#shared.number)
  }

  get closed() {
    return this.#shared.number === CLOSED
  }

  close() {
    const { number } = this.#shared
    if (number === CLOSED) return
    this.#shared.number = CLOSED
    forgotten.unregister(this)
    waits.cancelAll(this.#shared)
    native.close(number)
  }
}
if (Symbol.dispose) Store.prototype[Symbol.dispose] = Store.prototype.close

function open(given) {
  const { dir, patienceMs, label, readOnly, catchSigbus } = options(given, OPEN)
  if (label !== undefined) filled(label, 'label')
  let flags = 0
  if (readOnly !== undefined && yes(readOnly, 'readOnly')) flags |= READ_ONLY
  if (catchSigbus !== undefined && yes(catchSigbus, 'catchSigbus')) flags |= CATCH_SIGBUS
  const patience =
    patienceMs === undefined ? PATIENCE_MS : whole(patienceMs, 'patienceMs', 0, 3600000)
  const number = native.open(dir === undefined ? undefined : filled(dir, 'dir'), flags)
  if (number < 0) throw errorOf(number, 0, native.why())
  if (label !== undefined) {
    const r = native.label(number, label)
    if (r < 0) {
      native.close(number)
      throw errorOf(r)
    }
  }
  return new Store(number, patience)
}

module.exports = { open, Store }
