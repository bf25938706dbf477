// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// errors.cjs: what the library refuses, and what is wrong with an argument.

const { native } = require('./native.cjs')

/** The library refused a call. Nothing was changed. */
class CorralError extends Error {
  constructor(code, errno, step, message) {
    super(message)
    this.code = code
    this.errno = errno
    if (step) this.step = step
  }
}
Object.defineProperty(CorralError.prototype, 'name', {
  value: 'CorralError',
  writable: true,
  configurable: true,
})

// errno -> [name, meaning]
const known = new Map([
  [-9, ['EBADF', 'the store is closed, or the program has closed descriptors of it']],
])

/** The exception for a negative error; step: which step of a change was refused, from 1, or 0. */
function errorOf(errno, step = 0, why = '') {
  if (!known.has(errno)) known.set(errno, native.error(errno).split('\t'))
  const [code, meaning] = known.get(errno)
  return new CorralError(
    code,
    errno,
    step,
    `${code}: ${step ? `step ${step}: ` : ''}${why || meaning}`
  )
}

const ECANCELED = -125
const EAGAIN = -11
const EBUSY = -16
const ENOENT = -2
const EOVERFLOW = -75
const EBADF = -9
const ETIMEDOUT = -110

const ours = new WeakSet() // exceptions about arguments, to which the way to the field is added

function refuse(Type, field, text) {
  const error = new Type(`${field}: ${text}`)
  error.field = field
  ours.add(error)
  return error
}

/** Put the object that has the field in front of the field's name. */
function located(error, place) {
  if (ours.has(error)) {
    error.message = `${place}.${error.message}`
    error.field = `${place}.${error.field}`
  }
  return error
}

module.exports = {
  CorralError,
  errorOf,
  refuse,
  located,
  ECANCELED,
  EAGAIN,
  EBUSY,
  ENOENT,
  EOVERFLOW,
  EBADF,
  ETIMEDOUT,
}
