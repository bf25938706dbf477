// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// check.cjs: arguments are what they should be, or the call throws before anything is changed: a
// TypeError for a value of another type, a RangeError for a number or a text that cannot be taken.
// The exception names the field.

const { refuse } = require('./errors.cjs')

const SAFE = Number.MAX_SAFE_INTEGER
const U32 = 0xffffffff

function describe(value) {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'string') return value.length > 40 ? 'a long string' : JSON.stringify(value)
  if (typeof value === 'object' || typeof value === 'function')
    return `a value of type ${typeof value}`
  return String(value)
}

function badNumber(value, field, least, most) {
  if (typeof value === 'bigint') {
    if (value >= BigInt(least) && value <= BigInt(most)) return Number(value)
    return fail(RangeError, field, `${value} is not from ${least} to ${most}`)
  }
  if (typeof value !== 'number')
    return fail(TypeError, field, `a number is wanted, not ${describe(value)}`)
  return fail(RangeError, field, `${value} is not a whole number from ${least} to ${most}`)
}

function fail(Type, field, text) {
  throw refuse(Type, field, text)
}

/** A whole number in a range, as a number; a bigint is fine. */
function whole(value, field, least, most) {
  return Number.isSafeInteger(value) && value >= least && value <= most
    ? value
    : badNumber(value, field, least, most)
}

/** Money in minor units (cents). */
function minor(value, field, least = -SAFE) {
  if (Number.isSafeInteger(value) && value >= least) return value
  if (typeof value === 'number' && !Number.isInteger(value) && Number.isFinite(value))
    return fail(
      RangeError,
      field,
      `${value} is not a whole number of minor units (cents): money('8.99', 'USD') makes one`
    )
  return badNumber(value, field, least, SAFE)
}

const isWellFormed =
  typeof String.prototype.isWellFormed === 'function'
    ? (text) => text.isWellFormed()
    : (text) => !/\p{Surrogate}/u.test(text)

/** A string that UTF-8 can express: half a surrogate pair would become another text on its way. */
function text(value, field) {
  if (typeof value !== 'string')
    throw refuse(TypeError, field, `a string is wanted, not ${describe(value)}`)
  if (!isWellFormed(value))
    throw refuse(RangeError, field, 'the string has half a surrogate pair in it')
  return value
}

function filled(value, field) {
  if (text(value, field) === '') throw refuse(RangeError, field, 'the string is empty')
  return value
}

function yes(value, field) {
  if (typeof value !== 'boolean')
    throw refuse(TypeError, field, `true or false is wanted, not ${describe(value)}`)
  return value
}

function object(value, field) {
  if (typeof value !== 'object' || value === null)
    throw refuse(TypeError, field, `an object is wanted, not ${describe(value)}`)
  return value
}

/** A misspelt field would be lost without a word. */
function fields(value, known, place) {
  for (const key in value)
    if (!known.has(key))
      throw refuse(TypeError, key, `no such field of ${place}, which has ${[...known].join(', ')}`)
}

const NONE = Object.freeze({})

/** The options of a call. */
function options(value, known) {
  if (value === undefined) return NONE
  object(value, 'options')
  fields(value, known, 'the options')
  return value
}

module.exports = { SAFE, U32, whole, minor, text, filled, yes, object, fields, options, describe }
