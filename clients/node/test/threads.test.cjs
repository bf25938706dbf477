// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// threads.test.cjs: worker threads share the process's attachment, and may be terminated at any
// moment.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const { once } = require('node:events')
const { Worker } = require('node:worker_threads')
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)
const { often, until, random } = require('./kit/kit.cjs')

const AT_ONCE = 4

let arena, store
before(async () => {
  arena = await freshArena()
  store = arena.store
})
after(() => arena.remove())

/** What a thread could leave behind. */
function counts() {
  const maps = fs.readFileSync('/proc/self/maps', 'utf8').split('\n')
  const { threads, processes } = store.stats()
  return {
    descriptors: fs.readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(arena.dir)
      } catch {
        return false
      }
    }).length,
    maps: maps.filter((line) => line.includes(arena.dir)).length,
    threads,
    processes,
  }
}

async function use(session, ms) {
  const worker = new Worker(`${__dirname}/kit/used.cjs`, {
    workerData: { dir: arena.dir, session },
  })
  const failed = once(worker, 'error').then(([error]) => Promise.reject(error))
  await Promise.race([once(worker, 'message'), failed])
  await Promise.race([new Promise((resolve) => setTimeout(resolve, ms)), failed])
  assert.equal(await worker.terminate(), 1)
}

test('worker threads that are terminated at random moments leave nothing', async (t) => {
  const { next, below } = random(t)
  const rounds = often(8, 250)
  store.cart('r', 'main').add({ menuItemId: 'a', unitPriceCents: 1 })
  const before = counts()
  for (let round = 0; round < rounds; round++)
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) => use(`t${i}`, next() < 0.2 ? 0 : below(25)))
    )
  // the thread that waits stays for a while
  await until(() => counts().threads <= before.threads)
  assert.deepEqual({ ...counts(), threads: 0 }, { ...before, threads: 0 })
  for (let i = 0; i < AT_ONCE; i++) {
    const order = store.cart('r', `t${i}`).get()
    assert.equal(order.totalCents, order.itemCount * 250)
    assert.equal(order.version, order.itemCount)
  }
})

test('a store is of its own thread, and all of them are one attachment', async () => {
  const before = counts()
  const worker = new Worker(
    `const { open } = require(process.env.CORRAL_CLIENT)
     const store = open({ dir: require('node:worker_threads').workerData })
     store.cart('r', 'own').add({ menuItemId: 'a', unitPriceCents: 1 })
     require('node:worker_threads').parentPort.once('message', () => store.close())
     require('node:worker_threads').parentPort.postMessage('ready')`,
    { eval: true, workerData: arena.dir }
  )
  await once(worker, 'message')
  const during = counts()
  assert.equal(during.processes, before.processes)
  assert.equal(during.maps, before.maps)
  assert.equal(during.descriptors, before.descriptors)
  worker.postMessage('end')
  await once(worker, 'exit')
  assert.equal(store.cart('r', 'own').get().itemCount, 1)
})
