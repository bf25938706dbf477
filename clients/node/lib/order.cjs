// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// order.cjs: objects from what ../flat.c makes of a cart: numbers in the library's flat form (see
// corral.h, enum corral_flat_head and those below it), and one string with all texts.

const { native } = require('./native.cjs')
const { errorOf, ENOENT, EOVERFLOW } = require('./errors.cjs')
const msgpack = require('./msgpack.cjs')
const { KINDS, PRICING } = require('./request.cjs')

// Places in the head.
const COUNT = 0 // of all numbers; the bytes of the extras' values follow
const INEXACT = 2
const VERSION = 3
const STATUS = 4
const SUBTOTAL = 5
const TAX = 6
const TOTAL = 7
const TAX_PPM = 8
const ITEM_COUNT = 9
const EFFECTIVE_TTL = 11
const CREATED = 12
const UPDATED = 13
const EXPIRES = 14
const RESTAURANT = 15 // of a text: where it begins, and its size
const SESSION = 17
const LINES = 19 // of records: where they begin, how many, how many numbers each has
const ATTRIBUTES = 22
const MODIFIER_STRIDE = 25
const EXTRA_STRIDE = 26
const PRICING_BITS = 27
const CURRENCY = 28
const CURRENCY_DIGITS = 30
const BEFORE_TAX = 31
const AFTER_TAX = 32
const RATES = 33
const ADJUSTMENTS = 36

const ROOM = 4096
let numbers = new Float64Array(ROOM)

const statuses = ['open', 'checked_out']

function textAt(n, text, at) {
  const size = n[at + 1]
  if (size === 0) return ''
  const from = n[at]
  return text.slice(from, from + size)
}

function modifiersAt(n, text, at, count) {
  const stride = n[MODIFIER_STRIDE]
  const modifiers = []
  for (let i = 0; i < count; i++, at += stride)
    modifiers.push({ name: textAt(n, text, at), priceCents: n[at + 2] })
  return modifiers
}

function extrasAt(n, text, at, count) {
  const stride = n[EXTRA_STRIDE]
  const extras = {}
  for (let i = 0; i < count; i++, at += stride) {
    const from = n[COUNT] + n[at + 2]
    const value = msgpack.decode(Uint8Array.from(n.subarray(from, from + n[at + 3])))
    // (not by assignment: the key may be __proto__)
    Object.defineProperty(extras, textAt(n, text, at), {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  }
  return extras
}

function lineAt(n, text, at) {
  const line = {
    line: n[at],
    menuItemId: textAt(n, text, at + 6),
    name: textAt(n, text, at + 8),
    notes: textAt(n, text, at + 10),
    quantity: n[at + 1],
    unitPriceCents: n[at + 2],
    modifiersCents: n[at + 3],
    totalCents: n[at + 4],
    separate: n[at + 5] === 1,
    modifiers: modifiersAt(n, text, n[at + 12], n[at + 13]),
    extras: undefined,
    taxPpm: n[at + 16] === 1 ? n[at + 17] : undefined,
  }
  if (n[at + 15] > 0) line.extras = extrasAt(n, text, n[at + 14], n[at + 15])
  return line
}

function attributesOf(n, text) {
  const attributes = {}
  const stride = n[ATTRIBUTES + 2]
  let at = n[ATTRIBUTES]
  for (let i = n[ATTRIBUTES + 1]; i > 0; i--, at += stride)
    Object.defineProperty(attributes, textAt(n, text, at), {
      value: textAt(n, text, at + 2),
      enumerable: true,
      writable: true,
      configurable: true,
    })
  return attributes
}

function ratesOf(n) {
  const rates = []
  const stride = n[RATES + 2]
  let at = n[RATES]
  for (let i = n[RATES + 1]; i > 0; i--, at += stride)
    rates.push({ taxPpm: n[at], baseCents: n[at + 1], taxCents: n[at + 2] })
  return rates
}

function adjustmentsOf(n, text) {
  const adjustments = []
  const stride = n[ADJUSTMENTS + 2]
  let at = n[ADJUSTMENTS]
  for (let i = n[ADJUSTMENTS + 1]; i > 0; i--, at += stride) {
    const share = n[at + 4] > 0
    adjustments.push({
      name: textAt(n, text, at),
      kind: KINDS[n[at + 2] - 1],
      afterTax: n[at + 3] === 1,
      ppm: share ? n[at + 4] : undefined,
      cents: share ? undefined : n[at + 5],
      amountCents: n[at + 6],
    })
  }
  return adjustments
}

function pricingOf(bits) {
  const pricing = {}
  PRICING.forEach((name, i) => {
    pricing[name] = (bits & (1 << i)) !== 0
  })
  return pricing
}

function orderOf(n, text) {
  if (n[INEXACT] > 0)
    throw errorOf(EOVERFLOW, 0, 'an amount of this cart is beyond 2^53: read it with the C library')
  const items = []
  const stride = n[LINES + 2]
  let at = n[LINES]
  for (let i = n[LINES + 1]; i > 0; i--, at += stride) items.push(lineAt(n, text, at))
  return {
    restaurantId: textAt(n, text, RESTAURANT),
    sessionId: textAt(n, text, SESSION),
    version: n[VERSION],
    status: statuses[n[STATUS]],
    items,
    itemCount: n[ITEM_COUNT],
    subtotalCents: n[SUBTOTAL],
    taxPpm: n[TAX_PPM],
    taxCents: n[TAX],
    totalCents: n[TOTAL],
    beforeTaxCents: n[BEFORE_TAX],
    afterTaxCents: n[AFTER_TAX],
    rates: ratesOf(n),
    adjustments: adjustmentsOf(n, text),
    pricing: pricingOf(n[PRICING_BITS]),
    currency: textAt(n, text, CURRENCY),
    currencyDigits: n[CURRENCY_DIGITS],
    attributes: attributesOf(n, text),
    ttlMs: n[EFFECTIVE_TTL],
    createdMs: n[CREATED],
    updatedMs: n[UPDATED],
    expiresMs: n[EXPIRES],
  }
}

// call(numbers): the text, a negative error, or how many numbers are needed. No code of a user runs
// meanwhile, so all calls use the same numbers.
function take(call) {
  let text = call(numbers)
  while (text > 0) {
    numbers = new Float64Array(text + ROOM) // the cart may grow meanwhile
    text = call(numbers)
  }
  return text
}

function readOrder(store, cart, touch) {
  const text = take((room) => native.get(store, cart.key, cart.restaurantUnits, touch, room))
  if (typeof text === 'string') return orderOf(numbers, text)
  if (text === ENOENT) return null
  throw errorOf(text)
}

/** An order from the bytes that a change has handed out. */
function decodeOrder(bytes, from, to) {
  const text = take((room) => native.decode(bytes, from, to, room))
  if (typeof text === 'string') return orderOf(numbers, text)
  throw errorOf(text)
}

const ROW = 15

/** Some rows of a list: [the list, 0 if it is done, and the rows]. 0 begins one. */
function readRows(store, list, restaurant) {
  numbers[0] = list
  const text = native.list(
    store,
    numbers,
    restaurant,
    restaurant === undefined ? 0 : restaurant.length
  )
  if (typeof text !== 'string') throw errorOf(text)
  const rows = []
  let place = 0
  for (let i = 0, at = 2; i < numbers[1]; i++, at += ROW) {
    const session = place + numbers[at]
    const end = session + numbers[at + 1]
    rows.push({
      restaurantId: text.slice(place, session),
      sessionId: text.slice(session, end),
      version: numbers[at + 2],
      status: statuses[numbers[at + 9]],
      itemCount: numbers[at + 7],
      lineCount: numbers[at + 8],
      subtotalCents: numbers[at + 3],
      taxPpm: numbers[at + 6],
      taxCents: numbers[at + 4],
      totalCents: numbers[at + 5],
      ttlMs: numbers[at + 11],
      createdMs: numbers[at + 12],
      updatedMs: numbers[at + 13],
      expiresMs: numbers[at + 14],
    })
    place = end
  }
  return [numbers[0], rows]
}

/** Close a list that is not done. */
function closeRows(store, list) {
  numbers[0] = -list
  native.list(store, numbers, undefined, 0)
}

/** The arena's numbers by name. */
function readStats(store) {
  const names = native.stats(store, numbers)
  if (typeof names !== 'string') throw errorOf(names)
  const stats = {}
  names.split('\t').forEach((name, i) => {
    stats[name] = numbers[i]
  })
  return stats
}

module.exports = { readStats, readOrder, decodeOrder, readRows, closeRows, statuses }
