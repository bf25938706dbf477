// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// peers.cjs: ways to keep carts, each with the same two calls: add(session, item), after which the
// cart's total is right, and get(session), which answers the cart as an object.
//
// All but Corral keep a cart as one value. What is not atomic by itself is made so, but for
// `ioredis GET/SETEX`, which is as it is found in the field: it loses changes.

const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')

const TTL_S = 1800

function addTo(cart, item) {
  const line = cart.items.find(
    (one) =>
      one.menuItemId === item.menuItemId &&
      one.unitPriceCents === item.unitPriceCents &&
      one.notes === item.notes
  )
  if (line) line.quantity += item.quantity
  else cart.items.push({ ...item })
  cart.totalCents = cart.items.reduce(
    (sum, one) =>
      sum +
      one.quantity * (one.unitPriceCents + one.modifiers.reduce((of, m) => of + m.priceCents, 0)),
    0
  )
  return cart
}
const empty = () => ({ items: [], totalCents: 0 })

async function corral(folder, args = []) {
  const { open, startAgent, stopAgent } = require(process.env.CORRAL_CLIENT)
  const dir = path.join(folder, `corral${args.join('')}`)
  await startAgent({ dir, args })
  const store = open({ dir })
  return {
    name: 'corral-client',
    sync: true,
    store,
    add: (session, item) => store.cart('r', session).add(item).totalCents,
    get: (session) => store.cart('r', session).get(),
    async close() {
      store.close()
      await stopAgent({ dir })
    },
  }
}

async function map() {
  const { Mutex } = require('async-mutex')
  const carts = new Map()
  const mutexes = new Map()
  return {
    name: 'Map + async-mutex (one process)',
    add(session, item) {
      let mutex = mutexes.get(session)
      if (!mutex) mutexes.set(session, (mutex = new Mutex()))
      return mutex.runExclusive(() => {
        const cart = addTo(carts.get(session) ?? empty(), item)
        carts.set(session, cart)
        return cart.totalCents
      })
    },
    sync: false,
    get: (session) => carts.get(session), // no copy: what it answers changes with the cart
    async close() {},
  }
}

async function redisServer(folder) {
  const socket = path.join(folder, 'redis.sock')
  const args = [
    '--port',
    '0',
    '--unixsocket',
    socket,
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ]
  const server = spawn('redis-server', args, { stdio: 'ignore' })
  while (!fs.existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 10))
  return {
    socket,
    stop: () => new Promise((resolve) => server.once('exit', resolve) && server.kill()),
  }
}

function redisConnection(server) {
  const Redis = require('ioredis')
  return new Redis({ path: server.socket })
}

function redisGet(server) {
  const redis = redisConnection(server)
  return {
    name: 'ioredis GET/SETEX (loses changes)',
    async add(session, item) {
      const value = await redis.get(`g:${session}`)
      const cart = addTo(value ? JSON.parse(value) : empty(), item)
      await redis.setex(`g:${session}`, TTL_S, JSON.stringify(cart))
      return cart.totalCents
    },
    async get(session) {
      return JSON.parse(await redis.get(`g:${session}`))
    },
    close: () => redis.quit(),
  }
}

// A transaction of WATCH needs a connection of its own.
function redisWatch(server) {
  const spare = []
  const all = []
  const take = () => spare.pop() ?? all[all.push(redisConnection(server)) - 1]
  return {
    name: 'ioredis WATCH/MULTI',
    async add(session, item) {
      const redis = take()
      for (;;) {
        await redis.watch(`w:${session}`)
        const value = await redis.get(`w:${session}`)
        const cart = addTo(value ? JSON.parse(value) : empty(), item)
        const done = await redis.multi().setex(`w:${session}`, TTL_S, JSON.stringify(cart)).exec()
        if (done === null) continue
        spare.push(redis)
        return cart.totalCents
      }
    },
    async get(session) {
      const redis = take()
      const value = await redis.get(`w:${session}`)
      spare.push(redis)
      return JSON.parse(value)
    },
    close: () => Promise.all(all.map((redis) => redis.quit())),
  }
}

const LUA = `
local value = redis.call('GET', KEYS[1])
local cart = value and cmsgpack.unpack(value) or { items = {}, totalCents = 0 }
local item = cmsgpack.unpack(ARGV[1])
local found = nil
for _, one in ipairs(cart.items) do
  if one.menuItemId == item.menuItemId and one.unitPriceCents == item.unitPriceCents
    and one.notes == item.notes then
    found = one
    break
  end
end
if found then
  found.quantity = found.quantity + item.quantity
else
  table.insert(cart.items, item)
end
local total = 0
for _, one in ipairs(cart.items) do
  local each = one.unitPriceCents
  for _, modifier in ipairs(one.modifiers) do each = each + modifier.priceCents end
  total = total + one.quantity * each
end
cart.totalCents = total
redis.call('SETEX', KEYS[1], ${TTL_S}, cmsgpack.pack(cart))
return total`

function redisLua(server) {
  const { pack, unpack } = require('msgpackr')
  const redis = redisConnection(server)
  redis.defineCommand('addToCart', { numberOfKeys: 1, lua: LUA })
  return {
    name: 'ioredis Lua + cmsgpack',
    add: (session, item) => redis.addToCart(`l:${session}`, pack(item)),
    async get(session) {
      return unpack(await redis.getBuffer(`l:${session}`))
    },
    close: () => redis.quit(),
  }
}

function sqlite(folder) {
  const Database = require('better-sqlite3')
  const db = new Database(path.join(folder, 'carts.sqlite'))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = NORMAL')
  db.exec('CREATE TABLE carts (session TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID')
  const read = db.prepare('SELECT value FROM carts WHERE session = ?').pluck()
  const write = db.prepare('INSERT OR REPLACE INTO carts VALUES (?, ?)')
  const add = db.transaction((session, item) => {
    const value = read.get(session)
    const cart = addTo(value ? JSON.parse(value) : empty(), item)
    write.run(session, JSON.stringify(cart))
    return cart.totalCents
  })
  return {
    name: 'better-sqlite3 (WAL)',
    sync: true,
    add: (session, item) => add.immediate(session, item),
    get: (session) => JSON.parse(read.get(session)),
    close: async () => db.close(),
  }
}

function lmdb(folder) {
  const { open } = require('lmdb')
  const db = open({ path: path.join(folder, 'carts.lmdb'), noSync: true })
  return {
    name: 'lmdb-js (no sync)',
    sync: true,
    add: (session, item) =>
      db.transactionSync(() => {
        const cart = addTo(db.get(session) ?? empty(), item)
        db.putSync(session, cart)
        return cart.totalCents
      }),
    get: (session) => db.get(session),
    close: () => db.close(),
  }
}

module.exports = { corral, map, redisServer, redisGet, redisWatch, redisLua, sqlite, lmdb }
