// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// arguments.test.cjs: what is no argument is refused with the name of the field, and changes
// nothing.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const { money, rate } = require(process.env.CORRAL_CLIENT)
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)

let arena, cart
before(async () => {
  arena = await freshArena()
  cart = arena.store.cart('r', 's')
  cart.add({ menuItemId: 'kept', unitPriceCents: 1 })
})
after(() => arena.remove())

function refuses(call, Type, field) {
  const before = cart.get().version
  assert.throws(call, (error) => {
    assert.equal(error.constructor, Type, error.message)
    assert.equal(error.field, field)
    assert.ok(error.message.startsWith(`${field}: `), error.message)
    return true
  })
  assert.equal(cart.get().version, before)
}

const price = (unitPriceCents) => () => cart.add({ menuItemId: 'a', unitPriceCents })

test('money is a whole number of minor units', () => {
  for (const value of [8.99, NaN, Infinity, -Infinity, 2 ** 53, -1, 1e300, 2n ** 53n, -1n])
    refuses(price(value), RangeError, 'unitPriceCents')
  for (const value of [
    '899',
    '',
    null,
    undefined,
    true,
    {},
    [899],
    Symbol('x'),
    () => 899,
    new Date(),
    { valueOf: () => 899 },
  ])
    refuses(price(value), TypeError, 'unitPriceCents')
  assert.equal(price(899n)().order.items[1].unitPriceCents, 899)
  const most = Number.MAX_SAFE_INTEGER
  assert.equal(
    arena.store.cart('r', 'most').add({ menuItemId: 'a', unitPriceCents: most }).totalCents,
    most
  )
})

test('the exception says where in the arguments the field is', () => {
  const good = { menuItemId: 'a', unitPriceCents: 1 }
  refuses(() => cart.add([good, { ...good, quantity: 0 }]), RangeError, 'items[1].quantity')
  refuses(
    () =>
      cart.add([
        good,
        {
          ...good,
          modifiers: [
            { name: 'a', priceCents: 0 },
            { name: 'b', priceCents: '1' },
          ],
        },
      ]),
    TypeError,
    'items[1].modifiers[1].priceCents'
  )
  refuses(
    () => cart.apply([{ step: 'clear' }, { step: 'tax', taxPpm: 1.5 }]),
    RangeError,
    'steps[1].taxPpm'
  )
  refuses(
    () => cart.apply([{ step: 'add', ...good, extras: { a: { b: [1, undefined] } } }]),
    TypeError,
    'steps[0].extras.a.b[1]'
  )
  refuses(() => cart.replace({ items: [{ ...good, line: -1 }] }), RangeError, 'items[0].line')
})

test('a field that is not known is refused', () => {
  refuses(() => cart.add({ menuItemId: 'a', unitPriceCents: 1, note: 'nuts' }), TypeError, 'note')
  refuses(() => cart.add({ menuItemId: 'a', unitPriceCents: 1 }, { opID: 'x' }), TypeError, 'opID')
  refuses(() => cart.apply([{ step: 'clear', line: 1 }]), TypeError, 'steps[0].line')
  refuses(() => cart.apply([{ step: 'empty' }]), TypeError, 'steps[0].step')
  refuses(() => cart.apply([{ step: 'toString' }]), TypeError, 'steps[0].step')
})

test('half a surrogate pair is refused: two carts would be one', () => {
  const half = 'a\ud83c'
  const good = { menuItemId: 'a', unitPriceCents: 1 }
  refuses(() => arena.store.cart(half, 's'), RangeError, 'restaurantId')
  refuses(() => arena.store.cart('r', '\udf55'), RangeError, 'sessionId')
  refuses(() => cart.add({ ...good, menuItemId: half }), RangeError, 'menuItemId')
  refuses(() => cart.add({ ...good, name: half }), RangeError, 'name')
  refuses(() => cart.add({ ...good, notes: half }), RangeError, 'notes')
  refuses(
    () => cart.add({ ...good, modifiers: [{ name: half, priceCents: 1 }] }),
    RangeError,
    'modifiers[0].name'
  )
  refuses(() => cart.add({ ...good, extras: { [half]: 1 } }), RangeError, 'extras')
  refuses(() => cart.add({ ...good, extras: { a: half } }), RangeError, 'extras.a')
  refuses(() => cart.add(good, { opId: half }), RangeError, 'opId')
  refuses(() => cart.attribute(half, ''), RangeError, 'name')
  refuses(() => cart.attribute('a', half), RangeError, 'value')
  // halves of two texts that stand side by side are not taken for a whole
  refuses(() => arena.store.cart('a\ud83c', '\udf55'), RangeError, 'restaurantId')
})

test('a text with a NUL byte in it, and a long id, are refused by the library', () => {
  assert.throws(() => cart.add({ menuItemId: 'a\0b', unitPriceCents: 1 }), { code: 'EILSEQ' })
  assert.throws(() => arena.store.cart('x'.repeat(129), 's').get(), { code: 'ENAMETOOLONG' })
})

test('lines, quantities, versions and empty lists are checked', () => {
  refuses(() => cart.remove(0), RangeError, 'line')
  refuses(() => cart.remove('1'), TypeError, 'line')
  refuses(() => cart.remove({ menuItemId: '' }), RangeError, 'menuItemId')
  refuses(() => cart.setQuantity(1, 1000000), RangeError, 'quantity')
  refuses(() => cart.changeQuantity(1, 0.5), RangeError, 'difference')
  refuses(() => cart.clear({ ifVersion: -1 }), RangeError, 'ifVersion')
  refuses(() => cart.clear({ opId: '' }), RangeError, 'opId')
  refuses(() => cart.clear({ wait: 1 }), TypeError, 'wait')
  refuses(() => cart.clear(null), TypeError, 'options')
  refuses(() => cart.add([]), RangeError, 'items')
  refuses(() => cart.apply({}), TypeError, 'steps')
  refuses(
    () => cart.apply(Array.from({ length: 257 }, () => ({ step: 'clear' }))),
    RangeError,
    'steps[256].steps'
  )
  refuses(
    () => cart.apply([{ step: 'remove', line: 1, menuItemId: 'kept' }]),
    TypeError,
    'steps[0].line'
  )
  refuses(() => cart.get({ touch: 0 }), TypeError, 'touch')
  refuses(() => arena.store.cart('', 's'), RangeError, 'restaurantId')
  refuses(() => arena.store.cart('r'), TypeError, 'sessionId')
})

test('a getter that changes the same cart in the middle of a call spoils neither change', () => {
  const own = arena.store.cart('r', 'getter')
  own.add({
    get menuItemId() {
      own.add({ menuItemId: 'inner', name: 'Inner', unitPriceCents: 5, notes: 'x'.repeat(3000) })
      return 'outer'
    },
    name: 'Outer',
    unitPriceCents: 7,
  })
  assert.deepEqual(
    own.get().items.map((item) => [item.menuItemId, item.name, item.unitPriceCents]),
    [
      ['inner', 'Inner', 5],
      ['outer', 'Outer', 7],
    ]
  )
})

test('money() and rate() take what people write, and round nothing', () => {
  assert.equal(money('8.99', 'USD'), 899)
  assert.equal(money('8.9', 'EUR'), 890)
  assert.equal(money('-8', 'USD'), -800)
  assert.ok(Object.is(money('-0', 'USD'), 0))
  assert.equal(money('500', 'JPY'), 500)
  assert.equal(money('1.234', 'KWD'), 1234)
  assert.equal(money('90071992547409.91', 'USD'), Number.MAX_SAFE_INTEGER)
  for (const bad of [
    '8.999',
    '',
    ' 8',
    '8.',
    '.5',
    '1e3',
    '8,99',
    '+1',
    '0x10',
    '90071992547409.92',
    '９',
  ])
    assert.throws(() => money(bad, 'USD'), RangeError, bad)
  assert.throws(() => money('1.5', 'JPY'), RangeError)
  assert.throws(() => money('1', 'usd'), RangeError)
  assert.throws(() => money('1', 'XYZ'), RangeError)
  assert.throws(() => money(8.99, 'USD'), TypeError)
  assert.equal(rate('8.25%'), 82500)
  assert.equal(rate('0.0001%'), 1)
  assert.equal(rate('100%'), 1000000)
  for (const bad of ['8.25', '8.25 %', '100.0001%', '-1%', '0.00001%', '%'])
    assert.throws(() => rate(bad), RangeError, bad)
})
