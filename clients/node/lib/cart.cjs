// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// cart.cjs: the calls on one cart. Each change is written as a request, and made by one call of the
// addon, which never waits for longer than the store's patience.

const { native } = require('./native.cjs')
const { errorOf, ECANCELED, EBUSY, ENOENT, EBADF } = require('./errors.cjs')
const { SAFE, whole, text, filled, yes, options } = require('./check.cjs')
const { readOrder, decodeOrder, statuses } = require('./order.cjs')
const request = require('./request.cjs')
const { Request } = request
const waits = require('./waits.cjs')

const LONGEST_PAUSE_MS = 25
const TRIES = 16
const ANSWER = 11 // numbers of an answer before the lines

// The versions that changes hand out go into one array, one behind the other, until it is full: a
// small array for each would take longer to make than the change.
const SLAB = 65536
let slab = Buffer.allocUnsafeSlow(SLAB)
let used = 0

// The last change's version did not fit.
function takeIntoNew(size) {
  slab = Buffer.allocUnsafeSlow(Math.max(SLAB, size))
  used = 0
  native.take(slab, 0)
}

/** What a change answers. */
class Answer {
  #bytes // in which the order lies, from there to there, until it is decoded
  #from = 0
  #to = 0
  #order

  constructor(numbers, steps) {
    this.version = numbers[0]
    this.subtotalCents = numbers[1]
    this.taxCents = numbers[2]
    this.totalCents = numbers[3]
    this.itemCount = numbers[4]
    this.line = numbers[5]
    const lines = []
    for (let i = 0; i < steps; i++) lines.push(numbers[ANSWER + i])
    this.lines = lines
    this.applied = numbers[6] === 1
    this.status = statuses[numbers[7]]
    this.durable = numbers[8] === 1
    const size = Math.abs(numbers[10])
    if (numbers[10] < 0) takeIntoNew(size)
    if (size === 0) return
    this.#bytes = slab
    this.#from = used
    this.#to = used += size
  }

  get order() {
    if (this.#bytes !== undefined) {
      this.#order = decodeOrder(this.#bytes, this.#from, this.#to)
      this.#bytes = undefined
    }
    return this.#order
  }
}

// The changes of one turn of the event loop wait in vain for one patience in all. Many of them, for
// a cart that a stopped process holds, would else stop the loop for as long as all of theirs.
function patienceOf(store) {
  return store.waited ? 0 : store.patienceMs
}

function hasWaited(store) {
  if (store.waited) return
  store.waited = true
  setImmediate(() => {
    store.waited = false
  })
}

const CHANGE = new Set(['opId', 'ifVersion', 'wait', 'signal'])
const ADD = new Set([...CHANGE, 'taxPpm'])
const REPLACE = new Set([...CHANGE])
const UPDATE = new Set(['opId', 'tries'])
const CHANGED = new Set(['after', 'timeoutMs', 'signal'])
const GET = new Set(['touch'])

/** One cart: a restaurant's id and a session's. */
class Cart {
  #store
  #key // both ids in one string, and how many units each has

  constructor(store, restaurantId, sessionId) {
    this.#store = store
    this.restaurantId = filled(restaurantId, 'restaurantId')
    this.sessionId = filled(sessionId, 'sessionId')
    this.#key = {
      key: restaurantId + sessionId,
      restaurantUnits: restaurantId.length,
      sessionUnits: sessionId.length,
    }
  }

  // ---------------------------------------------------------------- changes

  #begin(given) {
    const { opId } = given
    return new Request().begin(this.#key, opId === undefined ? '' : filled(opId, 'opId'))
  }

  // Make the change that was written. With `wait` it is a Promise, and tried until it is made.
  #end(kind, written, given) {
    const { ifVersion, wait, signal } = given
    const version = ifVersion === undefined ? 0 : whole(ifVersion, 'ifVersion', 0, SAFE)
    const patient = wait !== undefined && yes(wait, 'wait')
    waits.signalOf(signal)
    written.end(kind, this.#key, version, patient ? 0 : patienceOf(this.#store))
    return patient ? this.#persist(written, signal) : this.#try(written)
  }

  #try(written) {
    const { numbers } = written
    const r = native.change(this.#store.number, numbers, written.count, written.text, slab, used)
    if (r < 0) {
      if (r === EBUSY) hasWaited(this.#store)
      written.free()
      throw errorOf(r, numbers[0])
    }
    const answer = new Answer(numbers, written.steps)
    written.free()
    return answer
  }

  async #persist(written, signal) {
    const numbers = written.numbers.slice(0, written.count)
    for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      signal?.throwIfAborted()
      try {
        return this.#try(written)
      } catch (error) {
        if (error.errno !== EBUSY) throw error
      }
      await sleep(pause, signal)
      written = written.again(numbers)
    }
  }

  #one(given, put) {
    const checked = options(given, CHANGE)
    const written = this.#begin(checked)
    put(written)
    return this.#end(request.APPLY, written, checked)
  }

  add(item, given) {
    const checked = options(given, ADD)
    const written = this.#begin(checked)
    const { taxPpm } = checked
    if (Array.isArray(item)) request.putAll(written, item, 'items', request.putAdd)
    else request.putAdd(written, item)
    if (taxPpm !== undefined) request.putTax(written, taxPpm)
    return this.#end(request.APPLY, written, checked)
  }

  apply(steps, given) {
    return this.#one(given, (written) => request.putAll(written, steps, 'steps', request.putStep))
  }

  setQuantity(line, quantity, given) {
    return this.#one(given, (written) => request.putSetQuantity(written, line, quantity))
  }

  changeQuantity(line, difference, given) {
    return this.#one(given, (written) => request.putChangeQuantity(written, line, difference))
  }

  remove(line, given) {
    return this.#one(given, (written) => request.putRemove(written, line))
  }

  clear(given) {
    return this.#one(given, (written) => request.addStep(written, request.CLEAR))
  }

  tax(taxPpm, given) {
    return this.#one(given, (written) => request.putTax(written, taxPpm))
  }

  attribute(name, value, given) {
    return this.#one(given, (written) => request.putAttribute(written, name, value))
  }

  ttl(ttlMs, given) {
    return this.#one(given, (written) => request.putTtl(written, ttlMs))
  }

  adjust(adjustment, given) {
    return this.#one(given, (written) => request.putAdjust(written, adjustment))
  }

  removeAdjustment(name, given) {
    return this.#one(given, (written) => request.putRemoveAdjustment(written, name))
  }

  pricing(pricing, given) {
    return this.#one(given, (written) => request.putPricing(written, pricing))
  }

  currency(currency, given) {
    return this.#one(given, (written) => request.putCurrency(written, currency))
  }

  checkout(given) {
    return this.#one(given, (written) => request.addStep(written, request.CHECKOUT))
  }

  drop(given) {
    const checked = options(given, CHANGE)
    return this.#end(request.DROP, this.#begin(checked), checked)
  }

  replace(order, given) {
    const checked = options(given, REPLACE)
    const written = this.#begin(checked)
    request.putOrder(written, order)
    return this.#end(request.REPLACE, written, checked)
  }

  update(change, given) {
    const { opId, tries } = options(given, UPDATE)
    if (typeof change !== 'function') throw new TypeError('change: a function is wanted')
    const most = tries === undefined ? TRIES : whole(tries, 'tries', 1, SAFE)
    for (let left = most; ; left--) {
      const order = this.get()
      const changed = change(order)
      if (changed === undefined || changed === null) return null
      if (typeof changed.then === 'function')
        throw new TypeError('change: it must return the order, not a Promise of it')
      try {
        return this.replace(changed, { opId, ifVersion: order === null ? 0 : order.version })
      } catch (error) {
        if (left === 1 || (error.errno !== ECANCELED && error.errno !== ENOENT)) throw error
      }
    }
  }

  // ------------------------------------------------------------------ reads

  get(given) {
    const { touch } = options(given, GET)
    return readOrder(this.#store.number, this.#key, touch === undefined || yes(touch, 'touch'))
  }

  async changed(given) {
    const { after, timeoutMs, signal } = options(given, CHANGED)
    const limit =
      timeoutMs === undefined ? waits.FOR_EVER : whole(timeoutMs, 'timeoutMs', 0, 2 ** 31 - 1)
    const past = after === undefined ? this.#version() : whole(after, 'after', 0, SAFE)
    return waits.change(this.#store, this.#key, past, limit, signal)
  }

  #version() {
    const order = readOrder(this.#store.number, this.#key, false)
    return order === null ? 0 : order.version
  }
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}

module.exports = { Cart, Answer }
