// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// money.cjs: amounts and rates from the way people write them, without a floating-point number.

const { native } = require('./native.cjs')
const { text, describe } = require('./check.cjs')
const { refuse } = require('./errors.cjs')

function digitsOf(currency) {
  const digits = native.digits(text(currency, 'currency'))
  if (digits < 0)
    throw refuse(RangeError, 'currency', `${describe(currency)} is no currency of ISO 4217`)
  return digits
}

// '8.99' with two digits is 899. The value of digits beyond them is not rounded: it is refused.
function scaled(written, count, field) {
  const parts = /^(-?)(\d{1,16})(?:\.(\d+))?$/.exec(text(written, field))
  if (!parts)
    throw refuse(RangeError, field, `${describe(written)} is not an amount such as "8.99"`)
  const [, sign, units, fraction = ''] = parts
  if (fraction.length > count)
    throw refuse(
      RangeError,
      field,
      `${describe(written)} has more than ${count} digits behind the point`
    )
  const amount = Number(`${units}${fraction.padEnd(count, '0')}`)
  if (!Number.isSafeInteger(amount))
    throw refuse(RangeError, field, `${describe(written)} is too large`)
  return sign && amount ? -amount : amount
}

/** money('8.99', 'USD') is 899, money('500', 'JPY') is 500. */
function money(amount, currency) {
  return scaled(amount, digitsOf(currency), 'amount')
}

/** rate('8.25%') is 82500, in parts per million. */
function rate(written) {
  if (!text(written, 'rate').endsWith('%'))
    throw refuse(RangeError, 'rate', `${describe(written)} does not end in %`)
  const ppm = scaled(written.slice(0, -1), 4, 'rate')
  if (ppm < 0 || ppm > 1000000)
    throw refuse(RangeError, 'rate', `${describe(written)} is not from 0% to 100%`)
  return ppm
}

module.exports = { money, rate }
