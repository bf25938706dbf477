// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// bench.cjs: the same carts in each peer, in one run: latency of a call after another, throughput
// with 50 calls under way, and how long the event loop stands still then. Prints Markdown.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { monitorEventLoopDelay } = require('node:perf_hooks')
const peers = require('./peers.cjs')

const CARTS = 200
const LINES = 20
const UNDER_WAY = 50
const ROUNDS = 5
const SECONDS = Number(process.env.BENCH_SECONDS ?? 0.5)

const item = (i) => ({
  menuItemId: `burger-${i}`,
  name: `Burger number ${i}`,
  notes: 'no onions, please',
  unitPriceCents: 899,
  quantity: 1,
  modifiers: [{ name: 'bacon', priceCents: 150 }],
})
const ITEMS = Array.from({ length: LINES }, (_, i) => item(i))
const session = (i) => `call-${i % CARTS}`

const micro = (ns) => (ns < 99500 ? (ns / 1000).toFixed(1) : String(Math.round(ns / 1000)))
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]

/** Call after call; times in nanoseconds. */
async function latency(call, sync) {
  const times = []
  const end = Date.now() + SECONDS * 1000
  for (let i = 0; Date.now() < end; i++) {
    const from = process.hrtime.bigint()
    const answer = call(i)
    if (!sync) await answer
    times.push(Number(process.hrtime.bigint() - from))
  }
  const warm = times.slice(times.length >> 2).sort((a, b) => a - b)
  return { p50: quantile(warm, 0.5), p99: quantile(warm, 0.99) }
}

/** With many calls under way: how many in a second, and the event loop's delay. */
async function throughput(call) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const end = Date.now() + SECONDS * 1000
  let count = 0
  // what answers at once lets others run, as a server does between two requests: each caller makes
  // one call in a turn of the event loop
  const one = async (i) => {
    while (Date.now() < end) {
      await call(i + count++)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  delay.enable()
  const from = process.hrtime.bigint()
  await Promise.all(Array.from({ length: UNDER_WAY }, (_, i) => one(i)))
  const seconds = Number(process.hrtime.bigint() - from) / 1e9
  delay.disable()
  return { each: count / seconds, delay: delay.percentile(99) }
}

async function fill(peer) {
  for (let i = 0; i < CARTS; i++) for (const one of ITEMS) await peer.add(session(i), one)
  const { items } = await peer.get(session(0))
  if (items.length !== LINES) throw new Error(`${peer.name}: ${items.length} lines`)
}

/** One round: figures by their names. */
async function measure(peer) {
  const add = (i) => peer.add(session(i), ITEMS[i % LINES])
  const get = (i) => peer.get(session(i))
  const added = await latency(add, peer.sync)
  const got = await latency(get, peer.sync)
  const many = await throughput(add)
  return {
    add50: added.p50,
    add99: added.p99,
    get50: got.p50,
    get99: got.p99,
    each: many.each,
    delay: many.delay,
  }
}

/** The median of each figure. */
function median(rounds) {
  const figures = {}
  for (const name of Object.keys(rounds[0])) {
    const sorted = rounds.map((round) => round[name]).sort((x, y) => x - y)
    figures[name] = quantile(sorted, 0.5)
  }
  return figures
}

/** 50 adds and one sync() for all of them, under --journal sync. */
async function durable(folder) {
  const peer = await peers.corral(folder, ['--journal', 'sync'])
  const times = []
  for (let round = 0; round < 60; round++) {
    const from = process.hrtime.bigint()
    const waits = []
    for (let i = 0; i < 50; i++) {
      peer.add(session(i), ITEMS[i % LINES])
      waits.push(peer.store.sync())
    }
    await Promise.all(waits)
    times.push(Number(process.hrtime.bigint() - from))
  }
  await peer.close()
  return quantile(
    times.sort((a, b) => a - b),
    0.5
  )
}

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'))
  const server = await peers.redisServer(folder)
  const makers = [
    () => peers.corral(folder),
    peers.map,
    () => peers.redisGet(server),
    () => peers.redisWatch(server),
    () => peers.redisLua(server),
    () => peers.sqlite(folder),
    () => peers.lmdb(folder),
  ]
  const all = []
  for (const make of makers) {
    try {
      const peer = await make()
      await fill(peer)
      all.push({ peer, rounds: [] })
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND' && !/bindings/.test(error.message)) throw error
      console.error(`left out: ${error.message.split('\n')[0]}`)
    }
  }
  // in turns, so that what else the machine does meets all of them
  for (let round = 0; round < ROUNDS; round++)
    for (const one of all) one.rounds.push(await measure(one.peer))
  const results = all.map(({ peer, rounds }) => ({ name: peer.name, ...median(rounds) }))
  for (const { peer } of all) await peer.close()
  const together = await durable(folder)
  await server.stop()
  fs.rmSync(folder, { recursive: true, force: true })
  print(results, together)
}

function row(...cells) {
  console.log(`| ${cells.join(' | ')} |`)
}

function print(results, together) {
  const machine = `Node ${process.version}, ${os.cpus().length} processors`
  console.log(
    `${machine}; ${CARTS} carts of ${LINES} lines; microseconds; ` +
      `the median of ${ROUNDS} rounds in turns.\n`
  )
  row('', 'add p50', 'add p99', 'get p50', 'get p99', 'adds a second¹', 'event-loop delay p99¹')
  console.log('|---|---|---|---|---|---|---|')
  for (const { name, add50, add99, get50, get99, each, delay } of results) {
    const calls = [add50, add99, get50, get99].map(micro)
    row(name, ...calls, Math.round(each).toLocaleString('en'), micro(delay))
  }
  console.log(`\n¹ With ${UNDER_WAY} calls under way.\n`)
  const by = (name) => results.find((result) => result.name.startsWith(name))
  const own = by('corral')
  const ratio = (a, b) => (a / b).toFixed(1)
  const lua = by('ioredis Lua').add50
  const json = by('ioredis GET').get50
  row('ratio of medians', 'wanted', 'measured')
  console.log('|---|---|---|')
  row('add, times Map + async-mutex', 'at most 2', ratio(own.add50, by('Map').add50))
  row("ioredis' Lua add, times add", 'at least 10', ratio(lua, own.add50))
  row(`get of ${LINES} lines, times add`, 'at most 3.5', ratio(own.get50, own.add50))
  row('ioredis GET + JSON.parse, times get', 'at least 4', ratio(json, own.get50))
  row('50 durable adds, one shared sync(), ms', 'at most 2', (together / 1e6).toFixed(2))
}

main()
