// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// cluster.test.cjs: a cluster of four of the example's workers, at which many callers order, while
// workers are killed and replaced by deploys, the agent is killed, and a process stops in the
// middle of a change.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const path = require('node:path')
const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { startAgent } = require(process.env.CORRAL_CLIENT)
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)
const { often, freePort, random } = require('./kit/kit.cjs')

const WORKERS = 4
const CALLERS = often(100, 200)
const WHILE = { timeout: 600000 } // only a test that fails takes so long
const BUILD = path.dirname(process.env.CORRAL_CLIENT)

let storm, arena, workers, port
const folder = process.env.CORRAL_EXAMPLE

before(async () => {
  storm = await import('./kit/storm.mjs')
  const { Workers } = await import(`${folder}/workers.mjs`)
  arena = await freshArena()
  port = await freePort()
  workers = new Workers(`${folder}/worker.mjs`, { CARTS: arena.dir, PORT: String(port) })
  await workers.start(WORKERS)
})
after(async () => {
  await workers.end()
  await arena.remove()
})

function wrongCarts(sessions) {
  return sessions
    .map((session) =>
      session.wrong(arena.store.cart(storm.RESTAURANT, session.name).get({ touch: false }))
    )
    .filter((wrong) => wrong)
}

/** The agent's process, or undefined. */
function agentPid() {
  const program = path.join(BUILD, 'corral')
  const { stdout } = spawnSync(program, ['--dir', arena.dir, 'status', '--json'], {
    encoding: 'utf8',
  })
  return JSON.parse(stdout).agent?.pid
}

async function killAgent() {
  const killed = agentPid()
  process.kill(killed, 'SIGKILL')
  // while it dies it has the directory still, and none is started beside it
  do await startAgent({ dir: arena.dir })
  while ([killed, undefined].includes(agentPid()))
}

test('no call is lost or made twice, whatever is killed and deployed', WHILE, async (t) => {
  const dice = random(t)
  const sessions = await storm.callers({
    folder,
    port,
    count: CALLERS,
    random: dice,
    name: 'storm',
  })
  let over = false
  const talking = storm.talk(sessions, { enough: () => over, pauseMs: 400, random: dice })
  await Promise.all([
    storm.repeat(often(3, 120), often(300, 1000), () =>
      dice.pick(workers.serving)?.process.kill('SIGKILL')
    ),
    storm.repeat(often(1, 10), often(500, 5000), () => workers.deploy()),
    storm.repeat(often(2, 20), often(500, 5000), killAgent),
  ])
  over = true
  await talking
  const calls = sessions.reduce((sum, session) => sum + session.model.calls, 0)
  const again = sessions.reduce((sum, session) => sum + session.connections - 1, 0)
  t.diagnostic(`${calls} calls, ${again} times connected again`)
  assert.deepEqual(wrongCarts(sessions), [])
  assert.ok(again > 0)
  for (const session of sessions) session.close()
})

/** A process that has stopped while it holds a lock. */
async function stopped(t, cart, kind) {
  const holder = spawn(path.join(BUILD, 'tests', 'holder'), [arena.dir, 'luigi', cart, kind], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => holder.kill('SIGKILL'))
  const [said] = await Promise.race([
    once(holder.stdout, 'data'),
    once(holder, 'exit').then(() => ['it ended']),
  ])
  assert.equal(String(said), 'held\n')
  return holder
}

test(
  'changes of one turn of the event loop wait in vain for one patience in all',
  WHILE,
  async (t) => {
    const { open } = require(process.env.CORRAL_CLIENT)
    const held = arena.store.cart('luigi', 'held')
    held.add({ menuItemId: 'coke', unitPriceCents: 250 })
    const holder = await stopped(t, held.sessionId, 'slot')
    const store = open({ dir: arena.dir, patienceMs: 1000 })
    const cart = store.cart('luigi', 'held')
    // each with a patience of its own would take an hour
    for (let i = 0; i < 3600; i++)
      assert.throws(() => cart.add({ menuItemId: 'coke', unitPriceCents: 250 }), { code: 'EBUSY' })
    const others = store.cart('luigi', 'not held')
    assert.equal(others.add({ menuItemId: 'coke', unitPriceCents: 250 }).itemCount, 1)
    holder.kill('SIGKILL')
    store.close()
  }
)

for (const ends of ['goes on', 'is killed'])
  test(
    `a process that stops in the middle of a change, and ${ends}, stops no others`,
    WHILE,
    async (t) => {
      const dice = random(t)
      const held = arena.store.cart('luigi', `held, and ${ends}`)
      held.add({ menuItemId: 'coke', unitPriceCents: 250 })
      const holder = await stopped(t, held.sessionId, 'slot')

      // all others order, from the first sentence to the confirmation
      const sessions = await storm.callers({
        folder,
        port,
        count: CALLERS,
        random: dice,
        name: ends.replace(' ', '-'),
      })
      let count = 0
      const enough = () => count++ > 2 * CALLERS
      const others = storm.talk(sessions, { enough, pauseMs: 20, random: dice })
      // and this cart can be read, but not changed: not in vain for ever, either
      assert.equal(held.get().itemCount, 1)
      assert.throws(() => held.add({ menuItemId: 'coke', unitPriceCents: 250 }), { code: 'EBUSY' })
      const patient = held.add({ menuItemId: 'coke', unitPriceCents: 250 }, { wait: true })
      await others
      assert.equal(held.get().itemCount, 1)
      const ended = once(holder, 'exit')
      if (ends === 'goes on') holder.stdin.end()
      else holder.kill('SIGKILL')
      const made = (await ended)[0] === 0 ? 1 : 0
      assert.equal((await patient).itemCount, 2 + made)
      assert.equal(made, ends === 'goes on' ? 1 : 0)
      for (const session of sessions) session.close()
    }
  )
