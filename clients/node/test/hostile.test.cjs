// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// hostile.test.cjs: whatever is given to a call, nothing crashes, and a call that throws has
// changed nothing.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)
const { often, random } = require('./kit/kit.cjs')
const { makers, GOOD, CALLS, spoil } = require('./kit/hostile.cjs')

let arena, store
before(async () => {
  arena = await freshArena()
  store = arena.store
})
after(() => arena.remove())

let carts = 0
function filled() {
  const cart = store.cart('r', `${++carts}`)
  cart.add([GOOD.item(), { menuItemId: 'b', unitPriceCents: 1 }])
  cart.attribute('a', 'b')
  return cart
}

const state = (cart) =>
  JSON.stringify({ ...cart.get({ touch: false }), expiresMs: 0 }, (_, value) =>
    typeof value === 'bigint' ? `${value}n` : value
  )

test('each kind of value in each place of each call', async () => {
  let cart = filled()
  for (const [name, places] of Object.entries(CALLS))
    for (let place = 0; place < places.length; place++)
      for (const maker of makers) {
        const args = places.map((kind) => GOOD[kind]())
        args[place] = maker()
        const before = state(cart)
        try {
          await cart[name](...args)
        } catch {
          assert.equal(state(cart), before)
          continue
        }
        cart = filled()
      }
  for (const maker of makers)
    for (const call of [
      () => store.cart(maker(), 's'),
      () => store.cart('r', maker()).get(),
      () => [...store.list({ restaurantId: maker() })],
    ]) {
      try {
        call()
      } catch (error) {
        assert.ok(error instanceof Error)
      }
    }
})

test('something wrong at any depth of what is given', async (t) => {
  const rng = random(t)
  let cart = filled()
  for (let i = 0; i < often(1500, 200000); i++) {
    const name = rng.pick(Object.keys(CALLS))
    const args = CALLS[name].map((kind) => GOOD[kind]())
    const place = rng.below(args.length)
    args[place] = spoil(rng, args[place])
    const before = state(cart)
    try {
      await cart[name](...args)
    } catch {
      assert.equal(state(cart), before)
      continue
    }
    cart = filled()
  }
})

test('the addon itself is given anything', (t) => {
  const rng = random(t)
  for (let i = 0; i < often(1, 50); i++) {
    const seed = rng.below(2 ** 31)
    const run = spawnSync(
      process.execPath,
      [`${__dirname}/kit/native-fuzz.cjs`, arena.dir, seed, often(4000, 20000)],
      { encoding: 'utf8' }
    )
    assert.deepEqual(
      [run.stdout, run.status, run.signal],
      ['done\n', 0, null],
      `seed ${seed}: ${run.stderr}`
    )
  }
})
