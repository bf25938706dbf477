// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// scenarios.test.cjs: what every client answers alike: tests/contract/scenarios.json, which says
// what it means.

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { CorralError, open } = require(process.env.CORRAL_CLIENT)
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)
const { redisServer } = require('./kit/redis.cjs')

const file = path.join(__dirname, '../../../tests/contract/scenarios.json')
const { scenarios } = JSON.parse(fs.readFileSync(file, 'utf8'))

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())
const named = new Set(['attributes', 'extras']) // whose keys are data

// The same as this client names it.
function translate(value) {
  if (Array.isArray(value)) return value.map(translate)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      camel(key),
      named.has(key) ? entry : translate(entry),
    ])
  )
}

function stepOf({ step, ...given }) {
  return { step: camel(step), ...translate(given) }
}

// One step by the call of its name.
function single(cart, step, options) {
  const { step: name, ...given } = stepOf(step)
  if (name === 'add' || name === 'adjust' || name === 'pricing') return cart[name](given, options)
  if (given.menuItemId === undefined) return cart[name](...Object.values(given), options)
  const { menuItemId, ...rest } = given
  return cart[name]({ menuItemId }, ...Object.values(rest), options)
}

function make(cart, call, ifVersion) {
  const options = { opId: call.op_id, ifVersion }
  if (call.call === 'apply') return cart.apply(call.steps.map(stepOf), options)
  if (call.call === 'do') return single(cart, call.step, options)
  if (call.call === 'replace') {
    const order = translate(call.order)
    const items = order.items.map(({ line, ...item }) => (line ? { line, ...item } : item))
    return cart.replace({ ...order, items }, options)
  }
  return cart.drop(options)
}

function player(store, number) {
  const versions = {}
  const last = {}
  const carts = new Set()
  const version = (name) => (typeof name === 'string' ? versions[name] : name)

  function compare(expected, found, place) {
    if (typeof expected !== 'object' || expected === null) {
      assert.equal(found, place.endsWith('.version') ? version(expected) : expected, place)
    } else if (Array.isArray(expected) || place.endsWith('.attributes')) {
      assert.deepEqual(found, expected, place)
    } else {
      for (const [key, value] of Object.entries(expected)) {
        // an order of this client has no number of its lines
        const entry = key === 'line_count' ? found.items.length : found[camel(key)]
        compare(value, entry, `${place}.${key}`)
      }
    }
  }

  function refused(cart, call) {
    const versionNow = () => cart.get({ touch: false })?.version
    const before = versionNow()
    assert.throws(
      () => make(cart, call, version(call.if_version)),
      (error) => {
        if (error instanceof CorralError) {
          assert.equal(error.code, call.error ?? call.refused)
          if (call.step_refused !== undefined) assert.equal(error.step ?? 0, call.step_refused)
          return true
        }
        return call.refused && (error instanceof RangeError || error instanceof TypeError)
      }
    )
    assert.equal(versionNow(), before)
  }

  const cartOf = (name) => store.cart('scenarios', `${number}-${name}`)

  // Servers may have other carts.
  function end() {
    for (const name of carts) if (cartOf(name).get() !== null) cartOf(name).drop()
  }

  function play(call) {
    const name = call.cart ?? ''
    const cart = cartOf(name)
    carts.add(name)
    if (call.call === 'get') {
      const order = cart.get()
      assert.equal(order === null, call.order === null)
      if (order !== null) compare(call.order, order, 'order')
      return
    }
    if (call.error || call.refused) {
      refused(cart, call)
      return
    }
    const answer = make(cart, call, version(call.if_version))
    compare(call.answer ?? {}, answer, 'answer')
    if (answer.applied && call.call !== 'drop') {
      assert.ok(answer.version > (last[name] ?? 0))
      last[name] = answer.version
    }
    if (call.as) versions[call.as] = answer.version
  }

  return { play, end }
}

function playAll(store) {
  assert.ok(scenarios.length > 20)
  const run = `${process.pid}-${Date.now()}`
  scenarios.forEach(({ name, calls }, number) => {
    const { play, end } = player(store, `${run}-${number}`)
    calls.forEach((call, i) => {
      try {
        play(call)
      } catch (error) {
        error.message = `${name}, call ${i + 1}: ${error.message}`
        throw error
      }
    })
    end()
  })
}

test('the scenarios of all clients hold', async () => {
  const { store, remove } = await freshArena()
  try {
    playAll(store)
  } finally {
    await remove()
  }
})

// At the location $CORRAL_SERVERS (make cluster), else on one server of our own.
test('the scenarios of all clients hold on servers', async () => {
  const own = process.env.CORRAL_SERVERS ? undefined : await redisServer()
  try {
    const store = open({ dir: own?.location ?? process.env.CORRAL_SERVERS, patienceMs: 60000 })
    playAll(store)
    store.close()
  } finally {
    await own?.end()
  }
})
