// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// calls.test.cjs: what each call does.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const corral = require(process.env.CORRAL_CLIENT)
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)

let arena, store
let carts = 0
const fresh = () => store.cart('luigi', `call-${++carts}`)

const BURGER = {
  menuItemId: 'burger',
  name: 'Burger',
  notes: 'no onions',
  unitPriceCents: 899,
  quantity: 2,
  modifiers: [
    { name: 'bacon', priceCents: 150 },
    { name: 'small', priceCents: -50 },
  ],
}
const COKE = { menuItemId: 'coke', unitPriceCents: 250 }

const refused = (code, step) => (error) =>
  error instanceof corral.CorralError &&
  error.code === code &&
  error.errno < 0 &&
  error.step === step &&
  error.name === 'CorralError' &&
  error.message.startsWith(code)

before(async () => {
  arena = await freshArena()
  store = arena.store
})
after(() => arena.remove())

test('an item comes back as it was added', () => {
  const cart = fresh()
  const answer = cart.add(BURGER)
  assert.equal(answer.totalCents, 1998)
  assert.equal(answer.line, 1)
  assert.deepEqual(answer.lines, [1])
  const order = cart.get()
  assert.deepEqual(order.items, [
    {
      line: 1,
      menuItemId: 'burger',
      name: 'Burger',
      notes: 'no onions',
      quantity: 2,
      unitPriceCents: 899,
      modifiersCents: 100,
      totalCents: 1998,
      separate: false,
      modifiers: BURGER.modifiers,
      extras: undefined,
      taxPpm: undefined,
    },
  ])
  assert.equal(order.restaurantId, 'luigi')
  assert.equal(order.sessionId, cart.sessionId)
  assert.equal(order.status, 'open')
  assert.ok(order.expiresMs > Date.now() && order.createdMs <= Date.now() + 1000)
})

test('texts of all planes and Latin letters come back as they were', () => {
  const cart = store.cart('Zoë’s 🍕', 'séance-\u{1F600}')
  cart.add({ menuItemId: 'ÿ', name: '日本 🍣', notes: 'é', unitPriceCents: 1 })
  cart.attribute('schlüssel', '🔑')
  cart.add({ menuItemId: 'plain', unitPriceCents: 1, modifiers: [{ name: 'ñ', priceCents: 0 }] })
  const order = cart.get()
  assert.equal(order.restaurantId, 'Zoë’s 🍕')
  assert.equal(order.sessionId, 'séance-\u{1F600}')
  assert.deepEqual(
    order.items.map((item) => [item.menuItemId, item.name, item.notes]),
    [
      ['ÿ', '日本 🍣', 'é'],
      ['plain', '', ''],
    ]
  )
  assert.equal(order.items[1].modifiers[0].name, 'ñ')
  assert.deepEqual(order.attributes, { schlüssel: '🔑' })
  assert.deepEqual(
    [...store.list({ restaurantId: 'Zoë’s 🍕' })].map((row) => row.sessionId),
    ['séance-\u{1F600}']
  )
})

test('an array of items with a tax rate is one change', () => {
  const answer = fresh().add([BURGER, COKE, BURGER], { taxPpm: corral.rate('8.25%') })
  assert.equal(answer.version, 1)
  assert.deepEqual(answer.lines, [1, 2, 1, 0])
  assert.equal(answer.itemCount, 5)
  assert.equal(answer.subtotalCents, 4246)
  assert.equal(answer.taxCents, 350)
  assert.equal(answer.totalCents, 4596)
})

test('the answer has the order as this change left it', () => {
  const cart = fresh()
  const first = cart.add(BURGER)
  const second = cart.add(COKE)
  assert.deepEqual(
    first.order.items.map((item) => item.menuItemId),
    ['burger']
  )
  assert.deepEqual({ ...second.order, expiresMs: 0 }, { ...cart.get(), expiresMs: 0 })
  assert.equal(first.order, first.order)
  const last = cart.drop()
  assert.equal(last.order.items.length, 2)
  assert.equal(cart.get(), null)
})

test('steps are one change: all or none', () => {
  const cart = fresh()
  const answer = cart.apply([
    { step: 'add', ...BURGER },
    { step: 'add', ...COKE },
    { step: 'setQuantity', line: 1, quantity: 5 },
    { step: 'changeQuantity', menuItemId: 'coke', difference: 2 },
    { step: 'tax', taxPpm: 100000 },
    { step: 'attribute', name: 'table', value: '7' },
    { step: 'ttl', ttlMs: 3600000 },
  ])
  assert.deepEqual(answer.lines, [1, 2, 1, 2, 0, 0, 0])
  assert.equal(answer.version, 1)
  const before = cart.get()
  assert.deepEqual(
    before.items.map((item) => item.quantity),
    [5, 3]
  )
  assert.equal(before.ttlMs, 3600000)
  assert.throws(
    () => cart.apply([{ step: 'clear' }, { step: 'remove', line: 1 }]),
    refused('ENXIO', 2)
  )
  assert.deepEqual(cart.get().items, before.items)
  cart.apply([
    { step: 'remove', menuItemId: 'coke' },
    { step: 'attribute', name: 'table', value: null },
    { step: 'checkout' },
  ])
  const last = cart.get()
  assert.deepEqual(last.attributes, {})
  assert.equal(last.status, 'checked_out')
  assert.equal(last.items.length, 1)
})

test('each single call does what its name says', () => {
  const cart = fresh()
  cart.add([BURGER, COKE])
  assert.equal(cart.setQuantity(1, 3).itemCount, 4)
  assert.equal(cart.setQuantity({ menuItemId: 'coke' }, 2n).itemCount, 5)
  assert.equal(cart.changeQuantity(1, -1).itemCount, 4)
  assert.equal(cart.remove({ menuItemId: 'coke' }).itemCount, 2)
  assert.equal(cart.tax(corral.rate('10%')).taxCents, 200)
  cart.attribute('phone', '555-0100')
  assert.deepEqual(cart.get().attributes, { phone: '555-0100' })
  cart.attribute('phone', null)
  assert.deepEqual(cart.get().attributes, {})
  cart.ttl(60000)
  assert.equal(cart.get().ttlMs, 60000)
  assert.equal(cart.clear().itemCount, 0)
  assert.equal(cart.checkout().status, 'checked_out')
  assert.throws(() => cart.add(COKE), refused('ESHUTDOWN', 1))
  cart.drop()
  assert.throws(() => cart.drop(), refused('ENOENT'))
})

test('the same change with an operation id is made once, and another one is refused', () => {
  const cart = fresh()
  const first = cart.add(BURGER, { opId: 'call_1' })
  const again = cart.add(BURGER, { opId: 'call_1' })
  assert.equal(first.applied, true)
  assert.equal(again.applied, false)
  assert.equal(again.version, first.version)
  assert.equal(again.totalCents, first.totalCents)
  assert.equal(cart.get().itemCount, 2)
  assert.throws(() => cart.add(COKE, { opId: 'call_1' }), refused('ENOTUNIQ'))
})

test('a change may name the version that it expects', () => {
  const cart = fresh()
  const { version } = cart.add(BURGER)
  cart.add(COKE, { ifVersion: version })
  assert.throws(() => cart.checkout({ ifVersion: BigInt(version) }), refused('ECANCELED'))
})

test('update() reads, changes and puts back, again when another change came between', () => {
  const cart = fresh()
  assert.equal(
    cart.update(() => null),
    null
  )
  assert.equal(cart.get(), null)
  cart.update((order) => {
    assert.equal(order, null)
    return { items: [BURGER], taxPpm: 50000n, attributes: { table: '3' } }
  })
  let calls = 0
  const answer = cart.update((order) => {
    if (++calls === 1) cart.add(COKE) // another process's change
    order.items[0].quantity = 7
    order.items.push({ ...COKE, menuItemId: 'tea' })
    return order
  })
  assert.equal(calls, 2)
  assert.deepEqual(
    answer.order.items.map((item) => [item.line, item.menuItemId, item.quantity]),
    [
      [1, 'burger', 7],
      [2, 'coke', 1],
      [3, 'tea', 1],
    ]
  )
  assert.deepEqual(answer.order.attributes, { table: '3' })
  assert.throws(
    () =>
      cart.update(
        (order) => {
          cart.tax(order.taxPpm + 1)
          return order
        },
        { tries: 3 }
      ),
    refused('ECANCELED')
  )
  assert.throws(() => cart.update(async (order) => order), TypeError)
})

test('extras come back as they were: JSON, bigint, bytes, keys of any name', () => {
  const extras = {
    allergy: 'nuts 🥜',
    yes: true,
    no: false,
    none: null,
    zero: 0,
    minus: -1,
    byte: 200,
    small: -100,
    two: 40000,
    minus2: -30000,
    four: 4000000000,
    minus4: -2000000000,
    eight: 2 ** 53 - 1,
    minus8: -(2 ** 53 - 1),
    half: 0.5,
    inf: -Infinity,
    big: 2n ** 64n - 1n,
    minusBig: -(2n ** 63n),
    list: [1, [2, []]],
    map: { a: { b: [] } },
    empty: '',
    long: 'x'.repeat(300),
    longer: 'y'.repeat(5000),
    bytes: new Uint8Array([0, 255]),
    __proto__: null,
    many: Array.from({ length: 70 }, (_, i) => i),
  }
  Object.defineProperty(extras, '__proto__', { value: 'key', enumerable: true })
  const cart = fresh()
  cart.add({ ...COKE, extras })
  const back = cart.get().items[0].extras
  assert.deepEqual(Object.entries(back).sort(), Object.entries(extras).sort())
  const raw = new corral.RawExtra(new Uint8Array([0xd4, 1, 7])) // an extension type
  cart.add({ menuItemId: 'raw', unitPriceCents: 1, extras: { raw } })
  assert.deepEqual(cart.get().items[1].extras.raw, raw)
})

test('rates, adjustments, pricing and currency come back, and survive an update()', () => {
  const cart = fresh()
  cart.currency('USD')
  cart.pricing({ halfEven: true })
  cart.tax(corral.rate('8.25%'))
  cart.add([COKE, { menuItemId: 'beer', unitPriceCents: 600, taxPpm: corral.rate('10%') }])
  cart.adjust({ name: 'coupon', kind: 'discount', ppm: 100000 })
  const { order } = cart.adjust({ name: 'tip', kind: 'tip', cents: 150n, afterTax: true })
  // 2.50 and 6.00, less 10 % of 8.50: 2.25 at 8.25 % and 5.40 at 10 %
  assert.deepEqual(order.rates, [
    { taxPpm: 82500, baseCents: 225, taxCents: 19 },
    { taxPpm: 100000, baseCents: 540, taxCents: 54 },
  ])
  assert.equal(order.beforeTaxCents, -85)
  assert.equal(order.afterTaxCents, 150)
  assert.equal(order.totalCents, 225 + 19 + 540 + 54 + 150)
  assert.deepEqual(order.adjustments, [
    {
      name: 'coupon',
      kind: 'discount',
      afterTax: false,
      ppm: 100000,
      cents: undefined,
      amountCents: -85,
    },
    { name: 'tip', kind: 'tip', afterTax: true, ppm: undefined, cents: 150, amountCents: 150 },
  ])
  assert.deepEqual(order.pricing, { taxInside: false, halfEven: true, belowZero: false })
  assert.equal(order.currency, 'USD')
  assert.equal(order.currencyDigits, 2)
  assert.deepEqual(
    order.items.map((item) => item.taxPpm),
    [undefined, 100000]
  )
  const same = ({ version, updatedMs, expiresMs, ...rest }) => rest
  assert.deepEqual(same(cart.update((now) => now).order), same(order))
  assert.throws(() => cart.currency('EUR'), refused('ENOTEMPTY', 1))
  assert.throws(() => cart.removeAdjustment('none'), refused('ENXIO', 1))
  const last = cart.apply([
    { step: 'removeAdjustment', name: 'coupon' },
    { step: 'adjust', name: 'tip', kind: 'tip', cents: 1 },
    { step: 'pricing', taxInside: true },
  ])
  assert.equal(last.order.adjustments.length, 1)
  assert.equal(last.order.pricing.taxInside, true)
  assert.throws(() => cart.adjust({ name: 'x', kind: 'discount', cents: 100000 }), refused('EDOM'))
})

test('a line gets another rate, and that of the order again', () => {
  const cart = fresh()
  const rated = (taxPpm) => cart.apply([{ step: 'lineTax', line: 1, taxPpm }]).order.items[0].taxPpm
  cart.add({ ...COKE, taxPpm: 190000 })
  assert.equal(rated(70000), 70000)
  assert.equal(rated(null), undefined)
  assert.throws(() => rated(undefined), TypeError)
  assert.throws(() => rated(1000001), RangeError)
})

test('a separate item is a line of its own', () => {
  const answer = fresh().add([COKE, COKE, { ...COKE, separate: true }, COKE])
  assert.deepEqual(answer.lines, [1, 1, 2, 1])
})

test('a line of an order may be added again', () => {
  const cart = fresh()
  const { order } = cart.add({ ...BURGER, extras: { allergy: 'nuts' } })
  assert.equal(cart.add(order.items[0]).order.items[0].quantity, 4)
})

test('a cart of 4,000 lines and half a megabyte comes back whole', () => {
  const cart = fresh()
  const notes = 'n'.repeat(100)
  for (let from = 0; from < 4000; from += 250)
    cart.add(
      Array.from({ length: 250 }, (_, i) => ({
        menuItemId: `item-${from + i}`,
        unitPriceCents: from + i,
        notes,
      }))
    )
  const order = cart.get()
  assert.equal(order.items.length, 4000)
  order.items.forEach((item, i) => {
    assert.equal(item.menuItemId, `item-${i}`)
    assert.equal(item.unitPriceCents, i)
    assert.equal(item.notes, notes)
  })
  assert.equal(cart.tax(0).order.items.length, 4000)
})

test('list() has each cart once, of one restaurant or of all', () => {
  for (let i = 0; i < 300; i++)
    store.cart('list', `s-${i}`).add({ menuItemId: 'a', unitPriceCents: i })
  store.cart('list', 's-0').drop()
  const rows = [...store.list({ restaurantId: 'list' })]
  assert.deepEqual(
    rows.map((row) => row.sessionId).sort(),
    Array.from({ length: 299 }, (_, i) => `s-${i + 1}`).sort()
  )
  for (const row of rows) {
    assert.equal(row.totalCents, Number(row.sessionId.slice(2)))
    assert.equal(row.itemCount, 1)
    assert.equal(row.lineCount, 1)
    assert.equal(row.status, 'open')
  }
  assert.ok([...store.list()].length >= 299)
  assert.deepEqual([...store.list({ restaurantId: 'nobody' })], [])
})

test('lists may be left half-way, and go on beside each other', () => {
  for (let i = 0; i < 150; i++) store.cart('lists', `s-${i}`).add(COKE)
  for (let i = 0; i < 100; i++) {
    for (const row of store.list({ restaurantId: 'lists' })) {
      assert.equal(row.restaurantId, 'lists')
      break
    }
  }
  const one = store.list({ restaurantId: 'lists' })
  const two = store.list({ restaurantId: 'lists' })
  for (let i = 0; i < 150; i++) assert.deepEqual(one.next().value, two.next().value)
  assert.equal(one.next().done, true)
  assert.equal(two.next().done, true)
  const other = corral.open({ dir: arena.dir })
  const cut = other.list()
  cut.next()
  other.close()
  cut.return() // closed already
})

test('get({ touch: false }) reads too, and does not prolong the cart', async () => {
  const cart = fresh()
  cart.add(COKE)
  const first = cart.get({ touch: false }).expiresMs
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.ok(Math.abs(cart.get({ touch: false }).expiresMs - first) <= 2)
})

test('stats() tells what is in the arena, and the label names the process', () => {
  const labelled = corral.open({ dir: arena.dir, label: 'küche-1' })
  const before = store.stats()
  fresh().add(COKE)
  assert.equal(store.stats().carts_open, before.carts_open + 1)
  for (const value of Object.values(before)) assert.ok(Number.isSafeInteger(value))
  assert.throws(
    () => corral.open({ dir: arena.dir, label: 'x'.repeat(40) }),
    refused('ENAMETOOLONG')
  )
  const tool = path.join(process.env.CORRAL_CLIENT, '..', 'corral')
  const said = spawnSync(tool, ['--dir', arena.dir, 'inspect', 'processes'], { encoding: 'utf8' })
  assert.match(said.stdout, /küche-1/)
  labelled.close()
})

test('a closed store refuses calls, and close() may be called twice', () => {
  const other = corral.open({ dir: arena.dir })
  const cart = other.cart('a', 'b')
  cart.add(COKE)
  assert.equal(other.closed, false)
  other.close()
  other.close()
  assert.equal(other.closed, true)
  assert.throws(() => cart.get(), /the store is closed/)
  assert.throws(() => cart.add(COKE), /the store is closed/)
  assert.throws(() => [...other.list()], /the store is closed/)
  if (Symbol.dispose) assert.equal(other[Symbol.dispose], other.close)
  assert.equal(store.cart('a', 'b').get().itemCount, 1)
})

test('a store that is read-only refuses changes', () => {
  const reader = corral.open({ dir: arena.dir, readOnly: true })
  const cart = fresh()
  cart.add(COKE)
  assert.equal(reader.cart('luigi', cart.sessionId).get().itemCount, 1)
  assert.throws(() => reader.cart('luigi', cart.sessionId).add(COKE), refused('EROFS', undefined))
  reader.close()
})

test('open() of a directory without an arena says why', () => {
  assert.throws(
    () => corral.open({ dir: '/nonexistent/corral' }),
    (error) => error.code === 'ENOENT' && /nonexistent/.test(error.message)
  )
})

test('startAgent() says what was wrong, and is content with an agent that runs', async () => {
  await corral.startAgent({ dir: arena.dir })
  await assert.rejects(corral.startAgent({ dir: arena.dir, args: ['--nonsense'] }), /nonsense/)
  await assert.rejects(corral.startAgent({ dir: '/proc/no' }), /corral-agent/)
  await assert.rejects(corral.startAgent({ dir: arena.dir, program: '/nonexistent/agent' }), {
    code: 'ENOENT',
  })
})

test('with wait a change is a Promise of the same answer', async () => {
  const cart = fresh()
  const promise = cart.add([BURGER, COKE], { wait: true, opId: 'w' })
  assert.ok(promise instanceof Promise)
  const answer = await promise
  assert.equal(answer.order.itemCount, 3)
  await assert.rejects(cart.remove(77, { wait: true }), refused('ENXIO', 1))
  await assert.rejects(cart.add(COKE, { wait: true, signal: AbortSignal.abort() }), {
    name: 'AbortError',
  })
  assert.equal(cart.get().itemCount, 3)
})

test('CommonJS and ESM are one instance', async () => {
  const esm = await import(`${process.env.CORRAL_CLIENT}/index.mjs`)
  assert.equal(esm.open, corral.open)
  assert.equal(esm.CorralError, corral.CorralError)
  assert.deepEqual(Object.keys(esm).sort(), Object.keys(corral).sort())
  const { version } = require(`${process.env.CORRAL_CLIENT}/package.json`)
  assert.equal(version, corral.version)
})
