// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// msgpack.cjs: the values of a line's extras, which are MessagePack. JSON's values, bigint and
// Uint8Array are taken as they are; what JavaScript has nothing for (extension types, maps with
// other keys than strings, texts that are not UTF-8) stays what it was, as an object of RawExtra.

const { text, describe } = require('./check.cjs')
const { refuse } = require('./errors.cjs')

const DEPTH_MAX = 32
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A value that is kept byte by byte. */
class RawExtra {
  constructor(bytes) {
    this.bytes = bytes
  }
}

// ---------------------------------------------------------------- to bytes

function head(out, count, short, shortMax, codes) {
  if (short !== undefined && count <= shortMax) out.push(short | count)
  else if (codes[0] !== undefined && count < 0x100) out.push(codes[0], count)
  else if (count < 0x10000) out.push(codes[1], count >>> 8, count & 255)
  else out.push(codes[2], count >>> 24, (count >>> 16) & 255, (count >>> 8) & 255, count & 255)
}

function eight(out, code, write) {
  const view = new DataView(new ArrayBuffer(8))
  write(view)
  out.push(code, ...new Uint8Array(view.buffer))
}

function packInteger(out, number) {
  if (number >= 0 && number < 128) out.push(Number(number))
  else if (number < 0 && number >= -32) out.push(Number(number) & 255)
  else if (number >= 0 && number < 2 ** 32)
    head(out, Number(number), undefined, 0, [0xcc, 0xcd, 0xce])
  else if (number < 0 && number >= -128) out.push(0xd0, Number(number) & 255)
  else if (number < 0 && number >= -32768)
    out.push(0xd1, (Number(number) >> 8) & 255, Number(number) & 255)
  else if (number < 0 && number >= -(2 ** 31))
    head(out, Number(number) >>> 0, undefined, 0, [undefined, 0xd2, 0xd2])
  else if (number < 0) eight(out, 0xd3, (view) => view.setBigInt64(0, BigInt(number)))
  else eight(out, 0xcf, (view) => view.setBigUint64(0, BigInt(number)))
}

function packBytes(out, bytes) {
  for (const byte of bytes) out.push(byte)
}

function packText(out, value, field) {
  const bytes = Buffer.from(text(value, field))
  head(out, bytes.length, 0xa0, 31, [0xd9, 0xda, 0xdb])
  packBytes(out, bytes)
}

function packObject(out, value, field, depth) {
  if (value instanceof RawExtra) return packBytes(out, value.bytes)
  if (value instanceof Uint8Array) {
    head(out, value.length, undefined, 0, [0xc4, 0xc5, 0xc6])
    return packBytes(out, value)
  }
  if (Array.isArray(value)) {
    const length = value.length
    head(out, length, 0x90, 15, [undefined, 0xdc, 0xdd])
    for (let i = 0; i < length; i++) pack(out, value[i], `${field}[${i}]`, depth + 1)
    return undefined
  }
  const entries = Object.entries(value)
  head(out, entries.length, 0x80, 15, [undefined, 0xde, 0xdf])
  for (const [key, entry] of entries) {
    packText(out, key, field)
    pack(out, entry, `${field}.${key}`, depth + 1)
  }
  return undefined
}

function pack(out, value, field, depth) {
  if (depth > DEPTH_MAX) throw refuse(RangeError, field, 'the value is nested too deeply')
  if (value === null) out.push(0xc0)
  else if (typeof value === 'boolean') out.push(value ? 0xc3 : 0xc2)
  else if (typeof value === 'string') packText(out, value, field)
  else if (typeof value === 'bigint') {
    if (value < -(2n ** 63n) || value >= 2n ** 64n)
      throw refuse(RangeError, field, 'the number has more than 64 bits')
    packInteger(out, value)
  } else if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) packInteger(out, value)
    else eight(out, 0xcb, (view) => view.setFloat64(0, value))
  } else if (typeof value === 'object') packObject(out, value, field, depth)
  else throw refuse(TypeError, field, `a value of JSON is wanted, not ${describe(value)}`)
}

/** The bytes of a value. */
function encode(value, field) {
  const out = []
  pack(out, value, field, 0)
  return out
}

// -------------------------------------------------------------- from bytes

class Inexpressible extends Error {}

class Reader {
  constructor(bytes) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.bytes = bytes
    this.at = 0
  }

  take(count) {
    const from = this.at
    this.at += count
    if (this.at > this.bytes.length) throw new Inexpressible()
    return from
  }

  number(size) {
    const at = this.take(size)
    if (size === 1) return this.view.getUint8(at)
    return size === 2 ? this.view.getUint16(at) : this.view.getUint32(at)
  }

  text(size) {
    const at = this.take(size)
    return decoder.decode(this.bytes.subarray(at, at + size))
  }

  array(size, depth) {
    const list = []
    for (let i = 0; i < size; i++) list.push(this.value(depth + 1))
    return list
  }

  map(size, depth) {
    const map = {}
    for (let i = 0; i < size; i++) {
      const key = this.value(depth + 1)
      if (typeof key !== 'string' || Object.hasOwn(map, key)) throw new Inexpressible()
      Object.defineProperty(map, key, {
        value: this.value(depth + 1),
        enumerable: true,
        writable: true,
        configurable: true,
      })
    }
    return map
  }

  value(depth) {
    const code = this.number(1)
    if (depth > DEPTH_MAX) throw new Inexpressible()
    if (code < 0x80) return code
    if (code < 0x90) return this.map(code & 15, depth)
    if (code < 0xa0) return this.array(code & 15, depth)
    if (code < 0xc0) return this.text(code & 31)
    if (code >= 0xe0) return code - 256
    return this.long(code, depth)
  }

  long(code, depth) {
    switch (code) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6: {
        const size = this.number(1 << (code - 0xc4))
        const at = this.take(size)
        return this.bytes.slice(at, at + size)
      }
      case 0xcb:
        return this.view.getFloat64(this.take(8))
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.number(1 << (code - 0xcc))
      case 0xcf:
        return plain(this.view.getBigUint64(this.take(8)))
      case 0xd0:
        return this.view.getInt8(this.take(1))
      case 0xd1:
        return this.view.getInt16(this.take(2))
      case 0xd2:
        return this.view.getInt32(this.take(4))
      case 0xd3:
        return plain(this.view.getBigInt64(this.take(8)))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.number(1 << (code - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.array(this.number(code === 0xdc ? 2 : 4), depth)
      case 0xde:
      case 0xdf:
        return this.map(this.number(code === 0xde ? 2 : 4), depth)
      default:
        throw new Inexpressible() // an extension type, or a float of 32 bits
    }
  }
}

function plain(number) {
  return Number.isSafeInteger(Number(number)) ? Number(number) : number
}

/** The value of bytes; a RawExtra if JavaScript has none for it. */
function decode(bytes) {
  const reader = new Reader(bytes)
  try {
    const value = reader.value(0)
    if (reader.at === bytes.length) return value
  } catch (error) {
    if (!(error instanceof Inexpressible) && error.code !== 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw error
  }
  return new RawExtra(bytes)
}

module.exports = { encode, decode, RawExtra }
