// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// kit.cjs: what tests share.

const net = require('node:net')
const { fork } = require('node:child_process')

/** As often as the nightly run does it, or as often as there is time for. */
const often = (usual, nightly) => (process.env.NODE_TEST === 'long' ? nightly : usual)

const PATIENCE_MS = 60000 // only a test that fails waits so long

/** Until something is so. */
async function until(condition) {
  const end = Date.now() + PATIENCE_MS
  while (!condition()) {
    if (Date.now() > end) throw new Error(`it does not become so: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A child that runs a file of this folder; messages come one by one. */
function child(file, ...args) {
  const process = fork(`${__dirname}/${file}`, args.map(String), { execArgv: [] })
  const ended = new Promise((resolve) =>
    process.once('exit', (code, signal) => resolve({ code, signal }))
  )
  return {
    process,
    ended,
    async ask(message) {
      const answer = new Promise((resolve, reject) => {
        process.once('message', resolve)
        ended.then((end) => reject(new Error(`the child ended: ${JSON.stringify(end)}`)))
      })
      process.send(message)
      return answer
    },
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** Numbers from a seed, which is printed: CORRAL_SEED repeats a run. */
function random(t) {
  let state = Number(process.env.CORRAL_SEED ?? Math.floor(Math.random() * 2 ** 31)) || 1
  t.diagnostic(`CORRAL_SEED=${state}`)
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  return {
    next,
    below: (n) => Math.floor(next() * n),
    pick: (list) => list[Math.floor(next() * list.length)],
  }
}

module.exports = { often, until, child, freePort, random }
