// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// processes.test.cjs: several processes at once, and processes that end in the middle of things.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)
const { often, until, child } = require('./kit/kit.cjs')

const PROCESSES = 8
const ADDS = 50

let arena, store
before(async () => {
  arena = await freshArena()
  store = arena.store
})
after(() => arena.remove())

test('of 50 concurrent adds from 8 processes to one cart none is lost, or made twice', async () => {
  const adders = Array.from({ length: PROCESSES }, () => child('adder.cjs', arena.dir))
  for (let round = 0; round < often(20, 1000); round++) {
    const session = `round-${round}`
    const answers = await Promise.all(
      adders.map((adder, i) =>
        adder.ask({
          session,
          name: i,
          count: Math.floor(ADDS / PROCESSES) + (i < ADDS % PROCESSES ? 1 : 0),
        })
      )
    )
    const order = store.cart('r', session).get()
    assert.equal(
      answers.reduce((sum, answer) => sum + answer.applied, 0),
      ADDS
    )
    assert.equal(order.itemCount, ADDS)
    assert.equal(order.totalCents, ADDS * 250)
    assert.equal(order.version, ADDS)
    assert.equal(order.items.length, 1)
  }
  for (const adder of adders) adder.process.disconnect()
  assert.deepEqual(
    await Promise.all(adders.map((adder) => adder.ended)),
    adders.map(() => ({ code: 0, signal: null }))
  )
})

test('what a killed process was acknowledged is there; a repeat makes nothing twice', async () => {
  const { processes } = store.stats()
  for (let round = 0; round < often(5, 100); round++) {
    const session = `killed-${round}`
    const victim = child('endless.cjs', arena.dir, session)
    let said = 0
    victim.process.on('message', (count) => (said = count))
    await until(() => said > 0)
    victim.process.kill('SIGKILL')
    await victim.ended
    const order = store.cart('r', session).get()
    assert.ok(order.itemCount >= said, `${order.itemCount} of ${said}`)
    assert.equal(order.totalCents, order.itemCount * 250)
    // the next worker repeats the call that was under way
    const again = store
      .cart('r', session)
      .add({ menuItemId: 'coke', unitPriceCents: 250 }, { opId: `op-${order.itemCount - 1}` })
    assert.equal(again.applied, false)
    assert.equal(store.cart('r', session).get().itemCount, order.itemCount)
  }
  await until(() => store.stats().processes <= processes) // the agent has cleaned up after all
})

for (const [how, code] of [
  ['exit', 7],
  ['throw', 1],
  ['terminate', 7],
  ['close', 7],
])
  test(`a process that ends by ${how} while it waits ends so and leaves nothing`, async () => {
    for (let round = 0; round < often(3, 50); round++) {
      const one = child('ends.cjs', arena.dir, how)
      assert.deepEqual(await one.ended, { code, signal: null })
    }
    await until(() => store.stats().processes <= 2) // we, and the agent, when it has looked
  })
