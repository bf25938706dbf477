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
const SECONDS = Number(process.env.BENCH_SECONDS ?? 1.5)

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
  const one = async (i) => {
    while (Date.now() < end) {
      await call(i + count++)
      // what answers at once must let others run, as a server does between two requests
      if (count % UNDER_WAY === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  delay.enable()
  const from = process.hrtime.bigint()
  await Promise.all(Array.from({ length: UNDER_WAY }, (_, i) => one(i)))
  const seconds = Number(process.hrtime.bigint() - from) / 1e9
  delay.disable()
  return { each: count / seconds, delay: delay.percentile(99) }
}

async function measure(peer) {
  for (let i = 0; i < CARTS; i++) for (const one of ITEMS) await peer.add(session(i), one)
  const add = (i) => peer.add(session(i), ITEMS[i % LINES])
  const get = (i) => peer.get(session(i))
  const items = (await get(0)).items
  if (items.length !== LINES) throw new Error(`${peer.name}: ${items.length} lines`)
  const result = {
    name: peer.name,
    add: await latency(add, peer.sync),
    get: await latency(get, peer.sync),
  }
  return { ...result, many: await throughput(add) }
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
  const results = []
  for (const make of makers) {
    try {
      const peer = await make()
      results.push(await measure(peer))
      await peer.close()
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND' && !/bindings/.test(error.message)) throw error
      console.error(`left out: ${error.message.split('\n')[0]}`)
    }
  }
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
  console.log(`${machine}; ${CARTS} carts of ${LINES} lines; microseconds.\n`)
  row('', 'add p50', 'add p99', 'get p50', 'get p99', 'adds a second¹', 'event-loop delay p99¹')
  console.log('|---|---|---|---|---|---|---|')
  for (const { name, add, get, many } of results) {
    const calls = [add.p50, add.p99, get.p50, get.p99].map(micro)
    row(name, ...calls, Math.round(many.each).toLocaleString('en'), micro(many.delay))
  }
  console.log(`\n¹ With ${UNDER_WAY} calls under way.\n`)
  const by = (name) => results.find((result) => result.name.startsWith(name))
  const own = by('corral')
  const ratio = (a, b) => (a / b).toFixed(1)
  const lua = by('ioredis Lua').add.p50
  const json = by('ioredis GET').get.p50
  row('ratio of medians', 'wanted', 'measured')
  console.log('|---|---|---|')
  row('add, times Map + async-mutex', 'at most 2', ratio(own.add.p50, by('Map').add.p50))
  row("ioredis' Lua add, times add", 'at least 10', ratio(lua, own.add.p50))
  row(`get of ${LINES} lines, times add`, 'at most 3.5', ratio(own.get.p50, own.add.p50))
  row('ioredis GET + JSON.parse, times get', 'at least 4', ratio(json, own.get.p50))
  row('50 durable adds, one shared sync(), ms', 'at most 2', (together / 1e6).toFixed(2))
}

main()
