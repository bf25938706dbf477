// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// hostile.cjs: values that nobody should give, from a seed.

function detached() {
  const numbers = new Float64Array(8)
  structuredClone(numbers.buffer, { transfer: [numbers.buffer] })
  return numbers
}

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function cyclic() {
  const value = {}
  value.self = value
  return value
}

const thrower = () => {
  throw new Error('hostile')
}

const makers = [
  () => undefined,
  () => null,
  () => true,
  () => NaN,
  () => -1,
  () => 0,
  () => -0,
  () => 1,
  () => 2 ** 31,
  () => 2 ** 32,
  () => 2 ** 53,
  () => 1.5,
  () => Infinity,
  () => 1e308,
  () => 5n,
  () => -(2n ** 70n),
  () => '',
  () => 'a',
  () => '1',
  () => '\ud800',
  () => '\udfff\ud800',
  () => 'a\0b',
  () => 'x'.repeat(1 << 20),
  () => '🍕'.repeat(40),
  () => '__proto__',
  () => Symbol('s'),
  () => Symbol.iterator,
  () => () => 1,
  () => thrower,
  () => class {},
  () => [],
  () => [1, 2],
  () => new Array(300),
  () => Array(5000).fill(null),
  () => ({}),
  () => Object.create(null),
  () => new Date(),
  () => /x/,
  () => new Map(),
  () => new Set(),
  () => Promise.resolve(),
  () => new Error('x'),
  () => new Proxy({}, { get: thrower }),
  () => new Proxy([], { get: thrower }),
  () => new Proxy({}, { ownKeys: thrower }),
  () => new Proxy({}, { has: thrower, getPrototypeOf: thrower }),
  () => new Proxy(thrower, { apply: thrower }),
  revoked,
  cyclic,
  detached,
  () => new ArrayBuffer(8),
  () => new SharedArrayBuffer(8),
  () => new Float64Array(4),
  () => new Uint8Array(4),
  () => new Float64Array(new SharedArrayBuffer(64)),
  () => new DataView(new ArrayBuffer(8)),
  () => ({ valueOf: thrower, toString: thrower }),
  () => ({
    get menuItemId() {
      return thrower()
    },
  }),
  () => ({ length: 3, 0: 1 }),
  () => new String('a'),
  () => new Number(1),
  () => Object(1n),
  () => globalThis,
  () => ({ then: thrower }),
]

const GOOD = {
  item: () => ({
    menuItemId: 'a',
    name: 'A',
    notes: 'n',
    unitPriceCents: 5,
    quantity: 1,
    separate: false,
    modifiers: [{ name: 'm', priceCents: 1 }],
    extras: { k: [1] },
  }),
  line: () => 1,
  count: () => 1,
  name: () => 'n',
  steps: () => [
    { step: 'add', menuItemId: 'a', unitPriceCents: 5 },
    { step: 'remove', line: 1 },
  ],
  order: () => ({ items: [GOOD.item()], taxPpm: 5, attributes: { a: 'b' } }),
  adjustment: () => ({ name: 'n', kind: 'tip', cents: 5, afterTax: true }),
  pricing: () => ({ taxInside: false, halfEven: true }),
  options: () => ({ opId: 'o', ifVersion: 3 }),
  change: () => (order) => order,
}

/** The calls of a cart, and what is right in each place. */
const CALLS = {
  add: ['item', 'options'],
  apply: ['steps', 'options'],
  setQuantity: ['line', 'count', 'options'],
  changeQuantity: ['line', 'count', 'options'],
  remove: ['line', 'options'],
  clear: ['options'],
  tax: ['count', 'options'],
  attribute: ['name', 'name', 'options'],
  ttl: ['count', 'options'],
  adjust: ['adjustment', 'options'],
  removeAdjustment: ['name', 'options'],
  pricing: ['pricing', 'options'],
  currency: ['name', 'options'],
  checkout: ['options'],
  drop: ['options'],
  replace: ['order', 'options'],
  update: ['change', 'options'],
  get: ['options'],
}

/** A right value with something wrong in it, at any depth. */
function spoil(rng, value) {
  if (typeof value !== 'object' || value === null || rng.next() < 0.15) return rng.pick(makers)()
  const keys = Object.keys(value)
  const key = rng.next() < 0.1 ? rng.pick(['__proto__', 'extra', 'wait', 'signal']) : rng.pick(keys)
  const put = (content) =>
    Object.defineProperty(value, key, {
      value: content,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  if (rng.next() < 0.1)
    Object.defineProperty(value, key, { get: thrower, enumerable: true, configurable: true })
  else put(spoil(rng, Object.hasOwn(value, key) ? value[key] : undefined))
  return value
}

module.exports = { makers, GOOD, CALLS, spoil }
