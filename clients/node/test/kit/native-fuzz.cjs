// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// native-fuzz.cjs: the addon's own functions, which only lib/ should call, with anything in every
// place, and with requests that have been changed in some numbers. It must end by itself. Usage:
// native-fuzz.cjs DIR SEED CALLS

const fs = require('node:fs')
const path = require('node:path')
const { makers } = require('./hostile.cjs')
const { random } = require('./kit.cjs')

const [, , dir, seed, calls] = process.argv
process.env.CORRAL_SEED = seed
const rng = random({ diagnostic: () => {} })
const native = require(
  path.join(
    process.env.CORRAL_CLIENT,
    'native',
    `${process.platform}-${process.arch}`,
    'corral.node'
  )
)

const store = native.open(dir, 0)
native.watch(() => {})
const places = {
  open: 2,
  close: 1,
  label: 2,
  stats: 2,
  change: 6,
  take: 2,
  get: 5,
  decode: 4,
  list: 4,
  why: 0,
  error: 1,
  version: 0,
  watch: 1,
  wait: 6,
  cancel: 1,
  digits: 1,
  feedOpen: 5,
  feedNext: 3,
  feedClose: 2,
}
if (Object.keys(places).sort().join() !== Object.keys(native).sort().join())
  throw new Error('a function has no line here')

const ROOM = new Float64Array(4096)

function numbers() {
  return Float64Array.from({ length: rng.below(60) }, () =>
    rng.pick([0, 1, 2, 3, 4, 5, 9, 40, 256, 1e6, 2 ** 32, -1, 0.5, NaN, 2 ** 53, Infinity])
  )
}

function argument(name, place) {
  const kind = rng.next()
  if (name === 'feedNext' && place === 2 && kind < 0.8) return ROOM
  if (place === 1 && /^(feed|wait)/.test(name) && kind < 0.7) return rng.pick([-1, 0, 1, 2, 3])
  if (name === 'feedOpen' && place > 1 && kind < 0.7) return place === 3 ? 'r' : rng.below(2)
  if (place === 0 && name !== 'open' && name !== 'close' && kind < 0.8) return store
  if (kind < 0.3) return numbers()
  if (kind < 0.4) return 'r'.repeat(rng.below(300))
  return rng.pick(makers)()
}

// kind, if_version, patience_ms, restaurant, session, op_id, steps, modifiers, extras, ...
const RIGHT = [
  {
    numbers: [0, 0, 0, 1, 1, 0, 2, 1, 1, 1, 1, 1, 0, 5, 1, 0, 1, 9, 1, 1, 1, 7, 1, 1, 5],
    text: 'rsabmk\x05',
  },
  {
    numbers: [
      1, 0, 0, 1, 1, 1, 1, 0, 0, 5, 1, 3, 1, 1, 1, 0, 0, 5, 1, 1, 1, 0, 1, 0, 0, 5, 1, 0, 0, 0, 0,
      0,
    ],
    text: 'rsoEURtaba',
  },
  {
    numbers: [
      0, 0, 0, 1, 1, 0, 5, 0, 0, 2, 1, 0, 4, 3, 0, 1, -1, 7, 1, 1, 1, 10, 1, 3, 1, 0, 5, 12, 1,
    ],
    text: 'rsaabt',
  },
]

function spoiledRequest() {
  const right = rng.pick(RIGHT)
  const list = Float64Array.from(
    { length: right.numbers.length + rng.below(40) },
    (_, i) => right.numbers[i] ?? 0
  )
  for (let i = rng.below(4); i > 0; i--)
    list[rng.below(list.length)] = rng.pick([
      0,
      1,
      2,
      3,
      255,
      256,
      4096,
      1e7,
      2 ** 32 - 1,
      2 ** 32,
      -1,
      0.5,
      NaN,
    ])
  const text = rng.next() < 0.3 ? right.text.slice(0, rng.below(right.text.length + 1)) : right.text
  native.change(
    store,
    list,
    rng.next() < 0.8 ? right.numbers.length : rng.below(80),
    text,
    undefined,
    0
  )
  const size = rng.next() < 0.5 ? Math.abs(list[10]) || 0 : rng.below(3000)
  const copy = new Uint8Array(Math.min(size, 4096))
  native.take(copy, rng.pick([0, 0, 0, 1, 5000]))
  for (let i = rng.below(3); i > 0 && copy.length > 0; i--)
    copy[rng.below(copy.length)] ^= 1 << rng.below(8)
  const to = rng.next() < 0.8 ? copy.length : rng.below(5000)
  native.decode(copy, rng.pick([0, 0, 0, 8, 5000]), to, new Float64Array(rng.below(500)))
}

for (let i = 0; i < Number(calls); i++) {
  const name = rng.pick(Object.keys(places))
  try {
    if (rng.next() < 0.5) spoiledRequest()
    else {
      const args = Array.from(
        { length: rng.next() < 0.1 ? rng.below(9) : places[name] },
        (_, place) => argument(name, place)
      )
      const r = native[name](...args)
      if (name === 'open' && r >= 0) native.close(r)
    }
  } catch (error) {
    if (error.code !== 'ERR_CORRAL_ARGUMENTS' && error.message !== 'hostile') throw error
  }
}
fs.writeSync(1, 'done\n')
process.exit(0)
