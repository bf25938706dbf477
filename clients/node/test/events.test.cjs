// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// events.test.cjs: the feed: each change and each end is one event, in order, also of other
// processes; a reader that is too slow is told so, and none keeps more than a batch.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const { open } = require(process.env.CORRAL_CLIENT)
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)
const { child } = require('./kit/kit.cjs')

const COKE = { menuItemId: 'coke', unitPriceCents: 250 }

let arena, store
let carts = 0
const fresh = () => store.cart('r', `${++carts}`)

before(async () => {
  arena = await freshArena({ label: 'the test' })
  store = arena.store
})
after(() => arena.remove())

// A reader, or the agent four times a second, numbers a thread's events. Until they are numbered, a
// thread has room for a few more than this many.
const AT_ONCE = 8

/** The next so many of them. */
async function take(events, count) {
  const taken = []
  while (taken.length < count) taken.push((await events.next()).value)
  return taken
}

test('a change is one event, with what it did and who did it', async () => {
  const cart = fresh()
  const events = store.events()
  cart.add({ ...COKE, quantity: 3 }, { opId: 'call-1', taxPpm: 100000 })
  cart.setQuantity(1, 2)
  const [added, set] = await take(events, 2)
  await events.return()
  assert.ok(Math.abs(Date.now() - added.timeMs) < 600000)
  assert.deepEqual(
    { ...added, number: 0, timeMs: 0 },
    {
      kind: 'changed',
      number: 0,
      timeMs: 0,
      restaurantId: 'r',
      sessionId: cart.sessionId,
      version: 1,
      status: 'open',
      opId: 'call-1',
      by: { label: 'the test', pid: process.pid },
      steps: [
        { step: 'add', line: 1, amount: 3 },
        { step: 'tax', line: undefined, amount: 100000 },
      ],
      stepCount: 2,
      lineCount: 1,
      itemCount: 3,
      subtotalCents: 750,
      taxCents: 75,
      totalCents: 825,
      currency: '',
      currencyDigits: 2,
    }
  )
  assert.equal(set.number, added.number + 1)
  assert.equal(set.version, 2)
  assert.equal(set.opId, undefined)
  assert.deepEqual(set.steps, [{ step: 'setQuantity', line: 1, amount: 2 }])
})

test('each step has the name that apply() has for it', async () => {
  const cart = fresh()
  const steps = [
    { step: 'currency', currency: 'EUR' },
    { step: 'add', ...COKE },
    { step: 'changeQuantity', line: 1, difference: 4 },
    { step: 'lineTax', line: 1, taxPpm: 5 },
    { step: 'attribute', name: 'table', value: '7' },
    { step: 'ttl', ttlMs: 60000 },
    { step: 'adjust', name: 'tip', kind: 'tip', cents: 100 },
    { step: 'removeAdjustment', name: 'tip' },
    { step: 'pricing', taxInside: true },
    { step: 'remove', line: 1 },
    { step: 'clear' },
    { step: 'checkout' },
  ]
  const events = store.events({ sessionId: cart.sessionId })
  const told = []
  for (const step of steps) {
    cart.apply([step])
    told.push(...(await take(events, 1)))
  }
  assert.deepEqual(
    told.map((event) => event.steps[0].step),
    steps.map(({ step }) => step)
  )
  assert.equal(told[1].currency, 'EUR')
  assert.equal(told.at(-1).kind, 'checked_out')
  assert.equal(told.at(-1).status, 'checked_out')
  const other = fresh()
  other.replace({ items: [COKE] })
  const all = store.events({ from: told.at(-1).number + 1 })
  assert.deepEqual((await take(all, 1))[0].steps, [
    { step: 'replace', line: undefined, amount: 0 },
  ])
  await events.return()
  await all.return()
})

test('each end is one event, and filters choose', async () => {
  const ends = store.events({ restaurantId: 'ends', kinds: ['dropped', 'expired', 'checked_out'] })
  const all = store.events({ restaurantId: 'ends' })
  const [dropped, expired, sold] = ['1', '2', '3'].map((name) => store.cart('ends', name))
  for (const cart of [dropped, expired, sold]) {
    cart.add(COKE)
    fresh().add(COKE)
  }
  dropped.drop()
  expired.ttl(100)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expired.add(COKE) // in the place of the one that is over
  sold.checkout()
  assert.deepEqual(
    (await take(ends, 3)).map(({ kind, sessionId }) => [kind, sessionId]),
    [
      ['dropped', '1'],
      ['expired', '2'],
      ['checked_out', '3'],
    ]
  )
  assert.deepEqual(
    (await take(all, 8)).map(({ kind, sessionId }) => [kind, sessionId]),
    [
      ['changed', '1'],
      ['changed', '2'],
      ['changed', '3'],
      ['dropped', '1'],
      ['changed', '2'],
      ['expired', '2'],
      ['changed', '2'],
      ['checked_out', '3'],
    ]
  )
  await ends.return()
  await all.return()
})

test('from a number on, the next reader goes on where the last one was', async () => {
  const first = store.events()
  const cart = fresh()
  let number
  for (let i = 0; i < 100; i++) {
    cart.add(COKE)
    const [event] = await take(first, 1)
    if (event.version === 40) number = event.number
  }
  await first.return()
  const next = store.events({ from: number + 1, restaurantId: 'r', sessionId: cart.sessionId })
  assert.deepEqual(
    (await take(next, 60)).map(({ version }) => version),
    Array.from({ length: 60 }, (_, i) => 41 + i)
  )
  await next.return()
  const [oldest] = await take(store.events({ from: 'oldest' }), 1)
  assert.ok(oldest.number <= number)
})

test('changes of eight processes are told once each, in the order of their versions', async () => {
  const events = store.events({ sessionId: 'crowd' })
  const adders = Array.from({ length: 8 }, () => child('adder.cjs', arena.dir))
  const told = []
  for (let round = 0; round < 20; round++) {
    const answers = adders.map((adder, i) =>
      adder.ask({ session: 'crowd', name: `${round}-${i}`, count: AT_ONCE })
    )
    told.push(...(await take(events, 8 * AT_ONCE)))
    await Promise.all(answers)
  }
  assert.deepEqual(
    told.map(({ version }) => version),
    Array.from({ length: 1280 }, (_, i) => i + 1)
  )
  assert.equal(new Set(told.map(({ opId }) => opId)).size, 1280)
  assert.equal(new Set(told.map(({ by }) => by.pid)).size, 8)
  for (const adder of adders) adder.process.disconnect()
  await events.return()
})

test('a reader that is too slow is told a gap, and keeps nothing', async () => {
  const slow = store.events()
  const cart = fresh()
  const MANY = 5000
  for (let i = 0; i < MANY; i++) cart.add(COKE)
  let { value: event } = await slow.next()
  let missed = 0
  const versions = []
  for (; versions.at(-1) !== MANY; { value: event } = await slow.next()) {
    if (event.kind === 'gap') missed += event.missed
    else versions.push(event.version)
    if (versions.at(-1) === MANY) break
  }
  assert.ok(missed > 0)
  assert.equal(missed + versions.length, MANY)
  assert.deepEqual(
    versions,
    [...versions].sort((a, b) => a - b)
  )
  cart.add(COKE) // and it goes on
  assert.equal((await slow.next()).value.version, MANY + 1)
  await slow.return()
})

test('events come while others are waited for, and the event loop has its turns', async () => {
  const cart = fresh()
  const events = store.events({ sessionId: cart.sessionId })
  const next = events.next()
  const changed = cart.changed({ after: 0 })
  setTimeout(() => cart.add(COKE), 20)
  assert.equal((await next).value.version, 1)
  assert.equal(await changed, 1)
  // changes that never end do not keep timers from running
  let over = false
  setTimeout(() => (over = true), 20)
  cart.add(COKE)
  for await (const { version } of events) {
    if (over) break
    cart.add(COKE)
    assert.ok(version < 1000000)
  }
  assert.ok(over)
})

test('a hundred readers are one thread', async () => {
  const threads = () => fs.readdirSync('/proc/self/task').length
  const before = threads()
  const readers = Array.from({ length: 100 }, () => store.events({ restaurantId: 'hundred' }))
  const first = readers.map((events) => events.next())
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(threads() <= before + 1)
  store.cart('hundred', 's').add(COKE)
  for (const { value } of await Promise.all(first)) assert.equal(value.restaurantId, 'hundred')
  await Promise.all(readers.map((events) => events.return()))
})

test('an abort, and close(), end the loop with an exception; leaving it ends it', async () => {
  const controller = new AbortController()
  const aborted = store.events({ signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 10)
  await assert.rejects(aborted.next(), /enough/)
  await assert.rejects(store.events({ signal: AbortSignal.abort() }).next(), { name: 'AbortError' })
  const other = open({ dir: arena.dir })
  const closed = other.events()
  setTimeout(() => other.close(), 10)
  await assert.rejects(closed.next(), /the store was closed/)
  assert.throws(() => other.events(), { code: 'EBADF' })
  const left = store.events()
  fresh().add(COKE)
  for await (const event of left) {
    assert.equal(event.kind, 'changed')
    break
  }
  assert.equal((await left.next()).done, true)
})

test('a reader waits without keeping a cart alive, and a read-only store reads, too', async () => {
  const observer = open({ dir: arena.dir, readOnly: true })
  const events = observer.events()
  const cart = fresh()
  cart.add(COKE)
  assert.equal((await events.next()).value.sessionId, cart.sessionId)
  const next = events.next()
  cart.add(COKE)
  assert.equal((await next).value.version, 2)
  observer.close()
})

test('nonsense is refused', () => {
  for (const from of [-1, 0.5, NaN, 2 ** 53, 'yesterday', '1'])
    assert.throws(() => store.events({ from }), RangeError)
  assert.throws(() => store.events({ from: null }), TypeError)
  assert.throws(() => store.events({ kinds: 'changed' }), TypeError)
  assert.throws(() => store.events({ kinds: ['gap'] }), RangeError)
  assert.throws(() => store.events({ kinds: ['__proto__'] }), RangeError)
  assert.throws(() => store.events({ restaurantId: '' }), RangeError)
  assert.throws(() => store.events({ restaurantId: '\ud800' }), RangeError)
  assert.throws(() => store.events({ restaurantId: 'x'.repeat(200) }), { code: 'ENAMETOOLONG' })
  assert.throws(() => store.events({ restaurant: 'r' }), TypeError)
  assert.throws(() => store.events({ signal: 1 }), TypeError)
})

test('an agent with --feed off says so', async () => {
  const quiet = await freshArena({ args: ['--feed', 'off'] })
  await assert.rejects(quiet.store.events().next(), { code: 'EOPNOTSUPP' })
  await quiet.remove()
})
