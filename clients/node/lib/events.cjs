// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// events.cjs: the feed: each change of a cart is one event, and so is each end. What is not read
// yet is in the arena's ring, and takes no memory here: a reader that is too slow is told a gap.

const { native } = require('./native.cjs')
const { errorOf, refuse, EAGAIN } = require('./errors.cjs')
const { SAFE, whole, filled, options, describe } = require('./check.cjs')
const { statuses } = require('./order.cjs')
const waits = require('./waits.cjs')

// corral.h, enum corral_event_kind
const CHOSEN = { changed: 1, checked_out: 2, dropped: 4, expired: 8 }
const GAP = 16
const kinds = new Map([...Object.entries(CHOSEN).map(([kind, bit]) => [bit, kind]), [GAP, 'gap']])
// enum corral_step_kind, by the names that apply() has for them; and two that stand alone
const STEPS =
  'add,setQuantity,changeQuantity,remove,clear,tax,attribute,ttl,checkout,adjust,' +
  'removeAdjustment,pricing,currency,lineTax'
const steps = new Map(STEPS.split(',').map((name, i) => [i + 1, name]))
steps.set(100, 'replace').set(101, 'restore')

const FROM = { oldest: 0, now: -1 }
const FRONT = 22 // numbers of an event before its steps
const STEP = 3
const EVENTS_MAX = 32 // of one call
const STEPS_MAX = 8

const numbers = new Float64Array(1 + EVENTS_MAX * (FRONT + STEPS_MAX * STEP))

function stepsAt(at, count) {
  const told = []
  for (; count > 0; count--, at += STEP)
    told.push({
      step: steps.get(numbers[at]),
      line: numbers[at + 1] || undefined,
      amount: numbers[at + 2],
    })
  return told
}

function gapAt(at) {
  return {
    kind: 'gap',
    number: numbers[at + 1],
    from: numbers[at + 2],
    to: numbers[at + 3],
    missed: numbers[at + 4] || undefined,
    timeMs: numbers[at + 5],
  }
}

function eventAt(at, [restaurantId, sessionId, opId, label, currency]) {
  return {
    kind: kinds.get(numbers[at]),
    number: numbers[at + 1],
    timeMs: numbers[at + 5],
    restaurantId,
    sessionId,
    version: numbers[at + 6],
    status: statuses[numbers[at + 7]],
    opId: opId || undefined,
    by: { label, pid: numbers[at + 14] },
    steps: stepsAt(at + FRONT, numbers[at + 16]),
    stepCount: numbers[at + 15],
    lineCount: numbers[at + 12],
    itemCount: numbers[at + 11],
    subtotalCents: numbers[at + 8],
    taxCents: numbers[at + 9],
    totalCents: numbers[at + 10],
    currency,
    currencyDigits: numbers[at + 13],
  }
}

/** What there is to be read: some events, or none. */
function readEvents(store, feed) {
  const text = native.feedNext(store, feed, numbers)
  if (text === EAGAIN) return []
  if (typeof text !== 'string') throw errorOf(text)
  const events = []
  let place = 0
  for (let i = 0, at = 1; i < numbers[0]; i++) {
    const texts = []
    for (let size = at + FRONT - 5; size < at + FRONT; size++)
      texts.push(text.slice(place, (place += numbers[size])))
    events.push(numbers[at] === GAP ? gapAt(at) : eventAt(at, texts))
    at += FRONT + STEP * numbers[at + 16]
  }
  return events
}

async function* read(store, feed, signal) {
  try {
    for (;;) {
      signal?.throwIfAborted()
      const events = readEvents(store.number, feed)
      yield* events
      if (events.length === 0) await waits.events(store, feed, signal)
      // others have their turn, too, though events come faster than they are read
      else await new Promise((resolve) => setImmediate(resolve))
    }
  } finally {
    native.feedClose(store.number, feed)
  }
}

function fromOf(from) {
  if (typeof from === 'string' && Object.hasOwn(FROM, from)) return FROM[from]
  if (typeof from === 'string')
    throw refuse(RangeError, 'from', `'now', 'oldest' or a number is wanted, not ${describe(from)}`)
  return whole(from, 'from', 0, SAFE)
}

function kindsOf(given) {
  if (!Array.isArray(given))
    throw refuse(TypeError, 'kinds', `an array is wanted, not ${describe(given)}`)
  return given.reduce((bits, kind, i) => {
    if (typeof kind !== 'string' || !Object.hasOwn(CHOSEN, kind))
      throw refuse(RangeError, `kinds[${i}]`, `there is no kind ${describe(kind)}`)
    return bits | CHOSEN[kind]
  }, 0)
}

const EVENTS = new Set(['restaurantId', 'sessionId', 'kinds', 'from', 'signal'])

/** Begin to read: what happens from now on is told, though it is looked at later. */
function events(store, given) {
  const { restaurantId, sessionId, kinds: chosen, from = 'now', signal } = options(given, EVENTS)
  const restaurant = restaurantId === undefined ? '' : filled(restaurantId, 'restaurantId')
  const session = sessionId === undefined ? '' : filled(sessionId, 'sessionId')
  waits.signalOf(signal)
  const feed = native.feedOpen(
    store.number,
    fromOf(from),
    chosen === undefined ? 0 : kindsOf(chosen),
    restaurant + session,
    restaurant.length
  )
  if (feed < 0) throw errorOf(feed)
  return read(store, feed, signal)
}

module.exports = { events }
