// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// waits.test.cjs: waiting for a change and for the disk.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const { open, stopAgent, startAgent } = require(process.env.CORRAL_CLIENT)
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)

let arena, store
let carts = 0
const COKE = { menuItemId: 'coke', unitPriceCents: 250 }
const fresh = () => store.cart('r', `${++carts}`)

before(async () => {
  arena = await freshArena({ args: ['--journal', '1h'] })
  store = arena.store
})
after(() => arena.remove())

test('changed() resolves to the version of a change that comes later', async () => {
  const cart = fresh()
  const { version } = cart.add(COKE)
  const promise = cart.changed()
  setTimeout(() => cart.add(COKE), 20)
  assert.equal(await promise, version + 1)
  assert.equal(await cart.changed({ after: version }), version + 1)
})

test('changed() waits for a cart that is not there yet', async () => {
  const cart = fresh()
  const promise = cart.changed()
  setTimeout(() => cart.add(COKE), 20)
  assert.equal(await promise, 1)
})

test('changed() rejects: the time is up, the cart ends, an abort', async () => {
  const cart = fresh()
  const { version } = cart.add(COKE)
  await assert.rejects(cart.changed({ timeoutMs: 10 }), { code: 'ETIMEDOUT' })
  await assert.rejects(cart.changed({ timeoutMs: 0 }), { code: 'ETIMEDOUT' })
  const ends = cart.changed()
  setTimeout(() => cart.drop(), 10)
  await assert.rejects(ends, { code: 'ENOENT' })
  const controller = new AbortController()
  const aborted = cart.changed({ signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 10)
  await assert.rejects(aborted, /enough/)
  await assert.rejects(cart.changed({ signal: AbortSignal.abort() }), { name: 'AbortError' })
  await assert.rejects(cart.changed({ after: version + 0.5 }), RangeError)
  await assert.rejects(cart.changed({ signal: 'x' }), TypeError)
})

test('300 waits at once, each for its own cart, are one thread', async () => {
  const many = Array.from({ length: 300 }, fresh)
  for (const cart of many) cart.add(COKE)
  const threads = () => fs.readdirSync('/proc/self/task').length
  const before = threads()
  const promises = many.map((cart) => cart.changed({ after: 1 }))
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(threads() <= before + 1)
  // files and DNS still have Node's own pool
  await fs.promises.readFile(__filename)
  for (const cart of [...many].reverse()) cart.add(COKE)
  assert.deepEqual(
    await Promise.all(promises),
    many.map(() => 2)
  )
})

test('sync() waits for the disk, and calls of one moment share one', async () => {
  const before = store.stats()
  for (let i = 0; i < 50; i++) fresh().add(COKE)
  const promises = Array.from({ length: 50 }, () => store.sync())
  assert.ok(promises.every((promise) => promise === promises[0]))
  await Promise.all(promises)
  assert.equal(await store.sync({ signal: new AbortController().signal }), undefined)
  await assert.rejects(store.sync({ signal: AbortSignal.abort() }), { name: 'AbortError' })
  assert.ok(store.stats().journal_syncs > before.journal_syncs)
})

test('this client may be evaluated again over the same addon, as Jest does', async () => {
  const kept = Object.keys(require.cache).filter((file) =>
    file.startsWith(`${process.env.CORRAL_CLIENT}/lib/`)
  )
  assert.ok(kept.length > 5)
  const before = new Map(kept.map((file) => [file, require.cache[file]]))
  for (const file of kept) delete require.cache[file]
  const again = require(`${process.env.CORRAL_CLIENT}/lib/store.cjs`).open({ dir: arena.dir })
  for (const [file, module] of before) require.cache[file] = module
  const cart = fresh()
  const waits = [again.cart('r', cart.sessionId).changed(), cart.changed()]
  cart.add(COKE)
  assert.deepEqual(await Promise.all(waits), [1, 1])
  again.close()
})

test('close() ends the waits of the store', async () => {
  const other = open({ dir: arena.dir })
  const cart = other.cart('r', 'closing')
  cart.add(COKE)
  const waits = [cart.changed(), cart.changed({ after: 7 })]
  await Promise.resolve()
  other.close()
  for (const wait of waits) await assert.rejects(wait, /the store was closed/)
})

test('sync() without an agent says so', async () => {
  await stopAgent({ dir: arena.dir })
  await assert.rejects(store.sync(), { code: 'ENOTCONN' })
  await startAgent({ dir: arena.dir })
  await store.sync()
})
