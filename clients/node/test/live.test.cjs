// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// live.test.cjs: the example's live page. While workers are killed, a watcher of an order is
// told each change once, in order: a client that names the last event that it had, and in the long
// form a browser.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { createRequire } = require('node:module')
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)
const { often, freePort, random, until } = require('./kit/kit.cjs')

const WORKERS = 3
const CHANGES = often(60, 300)
const KILLS = often(3, 12)
const WHILE = { timeout: 600000 } // only a test that fails takes so long
const folder = process.env.CORRAL_EXAMPLE

let arena, workers, port
before(async () => {
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

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Change a cart, and kill workers meanwhile. */
async function order(session, dice) {
  const cart = arena.store.cart('luigi', session)
  for (let i = 1; i <= CHANGES; i++) {
    cart.add({ menuItemId: 'coke', name: 'Coke', unitPriceCents: 250 })
    if (i % Math.floor(CHANGES / KILLS) === 0) {
      // once there is one: it may be the one that is watched
      await until(() => workers.serving.length > 0)
      dice.pick(workers.serving).process.kill('SIGKILL')
    }
    await pause(dice.below(40))
  }
}

/** What a stream of server-sent events says, until it breaks. */
async function* lines(url, last, signal) {
  const headers = last === undefined ? {} : { 'last-event-id': last }
  const answer = await fetch(url, { headers, signal })
  let text = ''
  for await (const bytes of answer.body) {
    text += Buffer.from(bytes).toString()
    const parts = text.split('\n\n')
    text = parts.pop()
    yield* parts
  }
}

test('a client is told each change once, though its worker is killed', WHILE, async (t) => {
  const dice = random(t)
  const versions = []
  let last
  let connections = 0
  const ordering = order('told', dice)
  while (versions.at(-1) !== CHANGES) {
    const silent = new AbortController()
    let timer
    try {
      for await (const part of lines(
        `http://127.0.0.1:${port}/events/luigi/told`,
        last,
        silent.signal
      )) {
        clearTimeout(timer) // a worker may have died before it took the connection
        timer = setTimeout(() => silent.abort(), 10000)
        if (part.startsWith('retry')) connections++
        const [, id] = /^id: (\d+)$/m.exec(part) ?? []
        if (id === undefined) continue
        last = id
        versions.push(JSON.parse(/^data: (.*)$/m.exec(part)[1]).version)
        if (versions.at(-1) === CHANGES) break
      }
    } catch {
      await pause(20) // it was killed, or is not there yet
    }
    clearTimeout(timer)
  }
  await ordering
  t.diagnostic(`${connections} connections`)
  assert.deepEqual(
    versions,
    Array.from({ length: CHANGES }, (_, i) => i + 1)
  )
})

/** A browser's page, by the protocol of its developer tools. */
async function browse(t, url) {
  const profile = fs.mkdtempSync(path.join(process.env.TMPDIR ?? '/tmp', 'browser-'))
  const browser = spawn(
    'chromium',
    [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
      ...['--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] }
  )
  t.after(() => browser.kill('SIGKILL'))
  let said = ''
  browser.stderr.setEncoding('utf8').on('data', (text) => (said += text))
  await until(() => /listening on ws:\S+/.test(said) || browser.exitCode !== null)
  assert.equal(browser.exitCode, null, said)
  const [, at] = /listening on ws:\/\/([^/]+)/.exec(said)
  const open = await fetch(`http://${at}/json/new?${url}`, { method: 'PUT' })
  const WebSocket = createRequire(`${folder}/package.json`)('ws')
  const socket = new WebSocket((await open.json()).webSocketDebuggerUrl)
  await new Promise((resolve) => socket.once('open', resolve))
  let id = 0
  return async (expression) => {
    const mine = ++id
    const params = { expression, returnByValue: true }
    socket.send(JSON.stringify({ id: mine, method: 'Runtime.evaluate', params }))
    for (;;) {
      const text = await new Promise((resolve) => socket.once('message', resolve))
      const message = JSON.parse(text)
      if (message.id === mine) return message.result.result.value
    }
  }
}

if (process.env.NODE_TEST === 'long')
  test('a browser shows the order as it is spoken, though workers are killed', WHILE, async (t) => {
    const dice = random(t)
    const evaluate = await browse(t, `http://127.0.0.1:${port}/live/luigi/shown`)
    const TOLD = '[...document.querySelectorAll("#log li")].map((li) => Number(li.dataset.version))'
    const ordering = order('shown', dice)
    let seen = 0 // while it is spoken, the page grows
    for (let told = []; told.at(-1) !== CHANGES; await pause(50)) {
      told = (await evaluate(TOLD)) ?? []
      if (told.length > 0 && told.length < CHANGES) seen++
    }
    await ordering
    assert.ok(seen > 0)
    assert.deepEqual(
      await evaluate(TOLD),
      Array.from({ length: CHANGES }, (_, i) => i + 1)
    )
    const text = (selector) => evaluate(`document.querySelector("${selector}").textContent`)
    const total = (2.5 * CHANGES).toFixed(2)
    // (the order comes behind the event)
    while ((await text('#total')) !== total) await pause(20)
    assert.equal(await text('#state'), 'open')
    assert.equal(await text('#lines td'), `${CHANGES} Coke`)
    arena.store.cart('luigi', 'shown').checkout()
    while ((await text('#state')) !== 'checked out') await pause(20)
  })
