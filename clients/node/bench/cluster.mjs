// SPDX-License-Identifier: LGPL-2.1-or-later
// cluster.mjs: the example's cluster of four workers under 200 callers, with carts in Corral and in
// a Map in each worker, in turns: how late the event loops are, when nothing happens, when a worker
// is killed every second, and when a process has stopped in the middle of a change. Prints
// Markdown.
// Usage: cluster.mjs BUILD
import { spawn } from 'node:child_process'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { callers, talk, RESTAURANT } from '../test/kit/storm.mjs'
import kit from '../test/kit/kit.cjs'

const build = process.argv[2]
const require = createRequire(import.meta.url)
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)
const EXAMPLE = path.join(build, 'node-example')
const { Workers } = await import(pathToFileURL(path.join(EXAMPLE, 'workers.mjs')))

const WORKERS = 4
const CALLERS = 200
const ROUNDS = 4
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4)
const PAUSE_MS = 400 // at most, between two sentences of a caller
const INTERVAL_NS = 1e6 // of the timer that the delay is measured with

const random = kit.random({ diagnostic: () => {} })

/** What the workers tell, put together: pairs of a delay and how often there was one like it. */
class Delays {
  pairs = []

  add({ count, percentiles }) {
    if (count === 0) return
    let before = 0
    for (const [percent, ns] of percentiles) {
      if (percent > before) this.pairs.push([ns - INTERVAL_NS, ((percent - before) / 100) * count])
      before = percent
    }
  }

  quantile(q) {
    const sorted = this.pairs.sort((a, b) => a[0] - b[0])
    let left = q * sorted.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [ns, weight] of sorted) {
      left -= weight
      if (left <= 0) return ns
    }
    return sorted.length ? sorted.at(-1)[0] : NaN
  }
}

const phases = new Map() // name -> [Delays of each round]
let delays
cluster.on('message', (_, message) => delays?.add(message))

/** All talk for some seconds; what the workers tell meanwhile belongs to the name. */
async function phase(name, sessions, during = () => {}) {
  console.error(name) // it takes minutes
  delays = new Delays()
  let over = false
  const before = sessions.reduce((sum, session) => sum + session.model.calls, 0)
  const talking = talk(sessions, {
    enough: () => over,
    pauseMs: PAUSE_MS,
    random,
    confirm: false,
  })
  const end = Date.now() + SECONDS * 1000
  await Promise.all([sleep(SECONDS * 1000), during(end)])
  over = true
  const calls = sessions.reduce((sum, session) => sum + session.model.calls, 0) - before
  if (!phases.has(name)) phases.set(name, [])
  phases.get(name).push({ delays, each: calls / SECONDS })
  delays = undefined
  return talking
}

async function kill(workers, end) {
  while (Date.now() + 1000 < end) {
    await sleep(1000)
    random.pick(workers.serving)?.process.kill('SIGKILL')
  }
}

/** A process that holds a lock of this kind until the phase is over. */
async function hold(dir, session, kind, end) {
  const args = [dir, RESTAURANT, session, kind]
  const holder = spawn(path.join(build, 'tests', 'holder'), args, { stdio: ['pipe', 'pipe', 2] })
  const ended = once(holder, 'exit')
  await Promise.race([once(holder.stdout, 'data'), ended])
  if (holder.exitCode !== null) throw new Error(`nothing held a lock: ${holder.exitCode}`)
  await sleep(end - Date.now())
  holder.stdin.end()
  await ended
}

async function one(name, arena) {
  const port = await kit.freePort()
  const workers = new Workers(new URL('cluster-worker.mjs', import.meta.url).pathname, {
    EXAMPLE,
    CARTS: arena?.dir ?? '',
    PORT: String(port),
  })
  await workers.start(WORKERS)
  const make = (prefix) =>
    callers({ folder: EXAMPLE, port, count: CALLERS, random, name: `${prefix}-${Date.now()}` })
  const calm = await make('calm')
  await phase('(warming up)', calm)
  await phase(name, calm)
  if (arena) {
    await phase(`${name}, a peer stopped in a change of one of the carts`, calm, (end) =>
      hold(arena.dir, calm[0].name, 'slot', end)
    )
    await phase(`${name}, a peer stopped in the allocator`, calm, (end) =>
      hold(arena.dir, 'another', 'class', end)
    )
  }
  for (const session of calm) session.close()
  const stormy = await make('storm')
  await phase(`${name}, a worker killed every second`, stormy, (end) => kill(workers, end))
  for (const session of stormy) session.close()
  await workers.end()
  cluster.removeAllListeners('exit')
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1]
const ms = (ns) => (ns / 1e6).toFixed(2)
const figures = (name) => {
  const rounds = phases.get(name)
  return {
    each: Math.round(median(rounds.map((round) => round.each))),
    p50: median(rounds.map((round) => round.delays.quantile(0.5))),
    p99: median(rounds.map((round) => round.delays.quantile(0.99))),
    most: median(rounds.map((round) => round.delays.quantile(1))),
  }
}

const arena = await freshArena()
for (let round = 0; round < ROUNDS; round++) {
  const turns = [
    ['Corral', arena],
    ['Map', undefined],
  ]
  // each is the first one now and then
  for (const [name, where] of round % 2 ? turns.reverse() : turns) await one(name, where)
}
await arena.remove()

console.log(`\n${WORKERS} workers, ${CALLERS} callers; the event loops' delay in milliseconds.\n`)
console.log('| carts in | calls a second | p50 | p99 | longest |')
console.log('|---|---|---|---|---|')
phases.delete('(warming up)')
for (const name of [...phases.keys()].sort()) {
  const { each, p50, p99, most } = figures(name)
  console.log(`| ${name} | ${each} | ${ms(p50)} | ${ms(p99)} | ${ms(most)} |`)
}
const ratio = (suffix) => {
  const own = figures(`Corral${suffix}`).p99
  const other = figures(`Map${suffix}`).p99
  const whole = (own + INTERVAL_NS) / (other + INTERVAL_NS)
  return `${(own / other).toFixed(2)} (${whole.toFixed(2)} as monitorEventLoopDelay counts)`
}
console.log('\n| ratio of the delays’ p99 | wanted | measured |')
console.log('|---|---|---|')
console.log(`| calm, times a Map | at most 1.5 | ${ratio('')} |`)
console.log(
  `| a worker killed every second, times a Map | at most 1.5 | ` +
    `${ratio(', a worker killed every second')} |`
)
