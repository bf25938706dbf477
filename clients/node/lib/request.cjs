// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// request.cjs: a change as numbers and one string, as ../request.c reads them. Each field of a
// user's object is read once, checked and written; nothing has happened yet when that throws.

const { U32, whole, minor, text, filled, yes, object, fields, describe } = require('./check.cjs')
const { refuse, located } = require('./errors.cjs')
const msgpack = require('./msgpack.cjs')

const APPLY = 0
const REPLACE = 1
const DROP = 2

const FRONT = 9 // numbers before the steps
const STEPS_MAX = 256
const LINES_MAX = 4096
const ROOM = 1024
const ROOM_KEPT = 65536
// what a step, or a line, has at most besides its modifiers and extras
const STEP_ROOM = 20

const ADD = 1
const SET_QUANTITY = 2
const CHANGE_QUANTITY = 3
const REMOVE = 4
const CLEAR = 5
const TAX = 6
const ATTRIBUTE = 7
const TTL = 8
const CHECKOUT = 9
const SET_ADJUSTMENT = 10
const REMOVE_ADJUSTMENT = 11
const SET_PRICING = 12
const SET_CURRENCY = 13
const SET_LINE_TAX = 14

// Numbers that no request uses at present. A getter of a user's object may make a change in the
// middle of another one. So a request takes the array while it is written; one that begins
// meanwhile makes an array of its own.
let spare = new Float64Array(ROOM)

class Request {
  constructor() {
    this.numbers = spare ?? new Float64Array(ROOM)
    spare = null
    this.count = FRONT
    this.text = ''
    this.steps = 0
    this.modifiers = 0
    this.extras = 0
  }

  room(more) {
    if (this.count + more <= this.numbers.length) return
    const numbers = new Float64Array(Math.max(this.numbers.length * 2, this.count + more))
    numbers.set(this.numbers)
    this.numbers = numbers
  }

  // There is room for it.
  put(number) {
    this.numbers[this.count++] = number
  }

  putText(value) {
    this.numbers[this.count++] = value.length
    this.text += value
  }

  // The text of the key comes before all others, and the operation id behind it.
  begin(cart, opId) {
    this.text = cart.key + opId
    this.opId = opId
    return this
  }

  end(kind, cart, ifVersion, patienceMs) {
    const { numbers } = this
    numbers[0] = kind
    numbers[1] = ifVersion
    numbers[2] = patienceMs
    numbers[3] = cart.restaurantUnits
    numbers[4] = cart.sessionUnits
    numbers[5] = this.opId.length
    numbers[6] = this.steps
    numbers[7] = this.modifiers
    numbers[8] = this.extras
    this.room(STEP_ROOM + this.steps) // the answer comes into the same numbers
    return this
  }

  // The same request for another try; the answer of the last one is in its numbers.
  again(numbers) {
    const same = Object.assign(new Request(), { text: this.text, steps: this.steps })
    same.count = 0
    same.room(numbers.length + STEP_ROOM + this.steps)
    same.numbers.set(numbers)
    same.count = numbers.length
    return same
  }

  // The numbers may be used again.
  free() {
    if (this.numbers.length <= ROOM_KEPT) spare = this.numbers
  }
}

// -------------------------------------------------------------------- items

const ITEM = new Set([
  'menuItemId',
  'name',
  'notes',
  'unitPriceCents',
  'quantity',
  'modifiers',
  'extras',
  'separate',
  'taxPpm',
])
// a line of an order may be given as an item: what it has besides is not looked at
const LINE = new Set([...ITEM, 'line', 'modifiersCents', 'totalCents'])
const STEP_ITEM = new Set([...LINE, 'step'])
const MODIFIER = new Set(['name', 'priceCents'])

function putModifier(request, modifier) {
  object(modifier, 'modifier')
  fields(modifier, MODIFIER, 'a modifier')
  request.putText(text(modifier.name, 'name'))
  request.put(minor(modifier.priceCents, 'priceCents'))
}

function putModifiers(request, modifiers) {
  if (!Array.isArray(modifiers))
    throw refuse(TypeError, 'modifiers', `an array is wanted, not ${describe(modifiers)}`)
  const count = modifiers.length
  request.room(2 * count + STEP_ROOM)
  for (let i = 0; i < count; i++) {
    try {
      putModifier(request, modifiers[i])
    } catch (error) {
      throw located(error, `modifiers[${i}]`)
    }
  }
  request.modifiers += count
}

function putExtras(request, extras) {
  object(extras, 'extras')
  const entries = Object.entries(extras)
  request.room(2 * entries.length)
  for (const [key, value] of entries) {
    const bytes = msgpack.encode(value, `extras.${key}`)
    request.putText(text(key, 'extras'))
    request.put(bytes.length)
    for (let i = 0; i < bytes.length; i += 4096)
      request.text += String.fromCharCode(...bytes.slice(i, i + 4096))
  }
  request.extras += entries.length
  return entries.length
}

function putItem(request, item, known) {
  object(item, 'item')
  fields(item, known, 'an item')
  const { name, notes, quantity, modifiers, extras, separate, taxPpm } = item
  request.room(STEP_ROOM)
  request.putText(filled(item.menuItemId, 'menuItemId'))
  request.putText(name === undefined ? '' : text(name, 'name'))
  request.putText(notes === undefined ? '' : text(notes, 'notes'))
  request.put(minor(item.unitPriceCents, 'unitPriceCents', 0))
  request.put(quantity === undefined ? 1 : whole(quantity, 'quantity', 1, 999999))
  request.put(separate !== undefined && yes(separate, 'separate') ? 1 : 0)
  request.put(taxPpm === undefined ? 0 : 1)
  request.put(taxPpm === undefined ? 0 : whole(taxPpm, 'taxPpm', 0, 1000000))
  const modifierCount = request.count++
  const extraCount = request.count++
  const before = request.modifiers
  if (modifiers !== undefined) putModifiers(request, modifiers)
  request.numbers[modifierCount] = request.modifiers - before
  request.numbers[extraCount] = extras === undefined ? 0 : putExtras(request, extras)
}

function addStep(request, kind) {
  if (request.steps === STEPS_MAX)
    throw refuse(RangeError, 'steps', `a change has at most ${STEPS_MAX} steps`)
  request.room(STEP_ROOM)
  request.put(kind)
  request.steps++
}

function putAdd(request, item) {
  addStep(request, ADD)
  putItem(request, item, LINE)
}

// -------------------------------------------------------------------- steps

const NAMED = new Set(['menuItemId'])

// A line: its number, or { menuItemId } if exactly one line has it.
function putLine(request, line) {
  if (typeof line === 'object' && line !== null) {
    fields(line, NAMED, 'a line')
    request.put(0)
    request.putText(filled(line.menuItemId, 'menuItemId'))
  } else {
    request.put(whole(line, 'line', 1, U32))
    request.put(0)
  }
}

function putSetQuantity(request, line, quantity) {
  addStep(request, SET_QUANTITY)
  putLine(request, line)
  request.put(whole(quantity, 'quantity', 0, 999999))
}

function putChangeQuantity(request, line, difference) {
  addStep(request, CHANGE_QUANTITY)
  putLine(request, line)
  request.put(whole(difference, 'difference', -999999, 999999))
}

function putRemove(request, line) {
  addStep(request, REMOVE)
  putLine(request, line)
}

function putTax(request, taxPpm) {
  addStep(request, TAX)
  request.put(whole(taxPpm, 'taxPpm', 0, 1000000))
}

function putLineTax(request, line, taxPpm) {
  addStep(request, SET_LINE_TAX)
  putLine(request, line)
  request.put(taxPpm === null ? 0 : 1)
  request.put(taxPpm === null ? 0 : whole(taxPpm, 'taxPpm', 0, 1000000))
}

function putAttribute(request, name, value) {
  addStep(request, ATTRIBUTE)
  request.putText(filled(name, 'name'))
  request.putText(value === null ? '' : text(value, 'value'))
  request.put(value === null ? 0 : 1)
}

function putTtl(request, ttlMs) {
  addStep(request, TTL)
  request.put(whole(ttlMs, 'ttlMs', 0, 366 * 24 * 3600 * 1000))
}

// ------------------------------------------------------- adjustments, pricing

const KINDS = ['discount', 'fee', 'tip', 'service']
const ADJUSTMENT = new Set(['name', 'kind', 'afterTax', 'ppm', 'cents', 'amountCents'])
const STEP_ADJUSTMENT = new Set([...ADJUSTMENT, 'step'])
const PRICING = ['taxInside', 'halfEven', 'belowZero'] // a bit each, in this order
const PRICING_FIELDS = new Set(PRICING)

function putAdjustmentFields(request, adjustment, known) {
  object(adjustment, 'adjustment')
  fields(adjustment, known, 'an adjustment')
  const { name, kind, afterTax, ppm, cents } = adjustment
  if (!KINDS.includes(kind))
    throw refuse(TypeError, 'kind', `${describe(kind)} is none of ${KINDS.join(', ')}`)
  if ((ppm === undefined) === (cents === undefined))
    throw refuse(TypeError, 'cents', 'an adjustment has either cents or ppm')
  request.room(STEP_ROOM)
  request.putText(filled(name, 'name'))
  request.put(KINDS.indexOf(kind) + 1)
  request.put(afterTax !== undefined && yes(afterTax, 'afterTax') ? 1 : 0)
  request.put(ppm === undefined ? 0 : whole(ppm, 'ppm', 1, 1000000))
  request.put(cents === undefined ? 0 : minor(cents, 'cents', 0))
}

function putAdjust(request, adjustment, known = ADJUSTMENT) {
  addStep(request, SET_ADJUSTMENT)
  putAdjustmentFields(request, adjustment, known)
}

function putRemoveAdjustment(request, name) {
  addStep(request, REMOVE_ADJUSTMENT)
  request.putText(filled(name, 'name'))
}

function pricingBits(pricing) {
  let bits = 0
  PRICING.forEach((name, i) => {
    const value = pricing[name]
    if (value !== undefined && yes(value, name)) bits |= 1 << i
  })
  return bits
}

function putPricing(request, pricing) {
  object(pricing, 'pricing')
  fields(pricing, PRICING_FIELDS, 'the pricing')
  addStep(request, SET_PRICING)
  request.put(pricingBits(pricing))
}

function putCurrency(request, currency) {
  addStep(request, SET_CURRENCY)
  request.putText(filled(currency, 'currency'))
}

function lineStep(put, ...also) {
  return { known: new Set(['step', 'line', 'menuItemId', ...also]), put, hasLine: true }
}

const STEPS = {
  __proto__: null,
  add: {
    known: STEP_ITEM,
    put(request, step) {
      addStep(request, ADD)
      putItem(request, step, STEP_ITEM)
    },
  },
  setQuantity: lineStep(
    (request, step, line) => putSetQuantity(request, line, step.quantity),
    'quantity'
  ),
  changeQuantity: lineStep(
    (request, step, line) => putChangeQuantity(request, line, step.difference),
    'difference'
  ),
  remove: lineStep((request, step, line) => putRemove(request, line)),
  clear: { known: new Set(['step']), put: (request) => addStep(request, CLEAR) },
  tax: { known: new Set(['step', 'taxPpm']), put: (request, step) => putTax(request, step.taxPpm) },
  lineTax: lineStep((request, step, line) => putLineTax(request, line, step.taxPpm), 'taxPpm'),
  attribute: {
    known: new Set(['step', 'name', 'value']),
    put: (request, step) => putAttribute(request, step.name, step.value),
  },
  ttl: { known: new Set(['step', 'ttlMs']), put: (request, step) => putTtl(request, step.ttlMs) },
  checkout: { known: new Set(['step']), put: (request) => addStep(request, CHECKOUT) },
  adjust: {
    known: STEP_ADJUSTMENT,
    put: (request, step) => putAdjust(request, step, STEP_ADJUSTMENT),
  },
  removeAdjustment: {
    known: new Set(['step', 'name']),
    put: (request, step) => putRemoveAdjustment(request, step.name),
  },
  pricing: {
    known: new Set(['step', ...PRICING]),
    put(request, step) {
      addStep(request, SET_PRICING)
      request.put(pricingBits(step))
    },
  },
  currency: {
    known: new Set(['step', 'currency']),
    put: (request, step) => putCurrency(request, step.currency),
  },
}

function lineOf(step) {
  const { line, menuItemId } = step
  if ((line === undefined) === (menuItemId === undefined))
    throw refuse(
      TypeError,
      'line',
      'a step has either its line or the menuItemId that one line has'
    )
  return line === undefined ? { menuItemId } : line
}

function putStep(request, step) {
  const name = object(step, 'step').step
  const kind = typeof name === 'string' ? STEPS[name] : undefined
  if (kind === undefined)
    throw refuse(TypeError, 'step', `${describe(name)} is none of ${Object.keys(STEPS).join(', ')}`)
  fields(step, kind.known, `the step ${name}`)
  kind.put(request, step, kind.hasLine ? lineOf(step) : undefined)
}

/** All of a list, each by a function; exceptions say which one it was. */
function putAll(request, list, place, put) {
  if (!Array.isArray(list))
    throw refuse(TypeError, place, `an array is wanted, not ${describe(list)}`)
  const count = list.length
  if (count === 0) throw refuse(RangeError, place, 'the array is empty')
  for (let i = 0; i < count; i++) {
    try {
      put(request, list[i])
    } catch (error) {
      throw located(error, `${place}[${i}]`)
    }
  }
}

// ------------------------------------------------------------- whole orders

function putWholeLine(request, line) {
  object(line, 'item')
  const number = line.line
  request.room(STEP_ROOM)
  request.put(number === undefined ? 0 : whole(number, 'line', 0, U32))
  putItem(request, line, LINE)
  request.steps++
}

function putAttributes(request, attributes) {
  const entries = Object.entries(object(attributes, 'attributes'))
  if (entries.length > 64) throw refuse(RangeError, 'attributes', 'an order has at most 64')
  request.room(2 * entries.length + STEP_ROOM)
  request.put(entries.length)
  for (const [name, value] of entries) {
    request.putText(filled(name, 'attributes'))
    request.putText(text(value, `attributes.${name}`))
  }
}

function putAdjustments(request, adjustments) {
  if (!Array.isArray(adjustments))
    throw refuse(TypeError, 'adjustments', `an array is wanted, not ${describe(adjustments)}`)
  const count = adjustments.length
  if (count > 16) throw refuse(RangeError, 'adjustments', 'an order has at most 16')
  request.put(count)
  for (let i = 0; i < count; i++) {
    try {
      putAdjustmentFields(request, adjustments[i], ADJUSTMENT)
    } catch (error) {
      throw located(error, `adjustments[${i}]`)
    }
  }
}

/** All of an order that is not computed. */
function putOrder(request, order) {
  object(order, 'order')
  const { items, taxPpm, attributes, adjustments = [], pricing = {}, currency = '' } = order
  request.room(STEP_ROOM)
  request.put(taxPpm === undefined ? 0 : whole(taxPpm, 'taxPpm', 0, 1000000))
  object(pricing, 'pricing')
  fields(pricing, PRICING_FIELDS, 'the pricing')
  request.put(pricingBits(pricing))
  request.putText(text(currency, 'currency'))
  putAdjustments(request, adjustments)
  putAttributes(request, attributes === undefined ? {} : attributes)
  if (!Array.isArray(items))
    throw refuse(TypeError, 'items', `an array is wanted, not ${describe(items)}`)
  if (items.length > LINES_MAX)
    throw refuse(RangeError, 'items', `an order has at most ${LINES_MAX} lines`)
  if (items.length > 0) putAll(request, items, 'items', putWholeLine)
}

module.exports = {
  Request,
  APPLY,
  REPLACE,
  DROP,
  CLEAR,
  CHECKOUT,
  addStep,
  putAdd,
  putSetQuantity,
  putChangeQuantity,
  putRemove,
  putTax,
  putAttribute,
  putTtl,
  putAdjust,
  putRemoveAdjustment,
  putPricing,
  putCurrency,
  KINDS,
  PRICING,
  putStep,
  putAll,
  putOrder,
}
