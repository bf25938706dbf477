// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// redis.cjs: a Redis server for one test.

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { spawn } = require('node:child_process')

const PATIENCE_MS = 60000 // only a test that fails waits so long

const answers = (file) =>
  new Promise((resolve) => {
    const client = net.connect(file)
    client.once('connect', () => resolve(true)).once('error', () => resolve(false))
    client.once('connect', () => client.destroy())
  })

/** Start one; its location, and end(). */
async function redisServer() {
  process.env.CORRAL_REDIS_MODULE = path.join(process.env.CORRAL_CLIENT, '../libcorral-redis.so.0')
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'redis-'))
  const file = path.join(dir, 'socket')
  const settings = ['--port', '0', '--unixsocket', file, '--dir', dir]
  const { LD_PRELOAD, ...env } = process.env // a sanitizer is not for programs that are not ours
  const server = spawn('redis-server', [...settings, '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
    env,
  })
  const ended = once(server, 'exit')
  const end = async () => {
    server.kill('SIGKILL')
    await ended
    fs.rmSync(dir, { recursive: true, force: true })
  }
  const limit = Date.now() + PATIENCE_MS
  while (!(await answers(file))) {
    if (Date.now() > limit) {
      await end()
      throw new Error('redis-server does not answer')
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return { location: `redis+unix://${file}`, end }
}

module.exports = { redisServer }
