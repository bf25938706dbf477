// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
/* global test, expect, beforeAll, afterAll */
const { freshArena } = require('corral-client/test-helper')
const { CorralError } = require('corral-client')

let arena
beforeAll(async () => {
  arena = await freshArena()
})
afterAll(() => arena.remove())

test('a change, its answer and its order', () => {
  const cart = arena.store.cart('r', 's')
  const answer = cart.add({ menuItemId: 'coke', unitPriceCents: 250 })
  expect(answer.totalCents).toBe(250)
  expect(answer.order.items).toHaveLength(1)
  expect(() => cart.remove(9)).toThrow(CorralError)
})

test('waits', async () => {
  const cart = arena.store.cart('r', 'waits')
  const version = cart.changed({ after: 0 })
  cart.add({ menuItemId: 'coke', unitPriceCents: 250 })
  expect(await version).toBe(1)
  await arena.store.sync()
})
