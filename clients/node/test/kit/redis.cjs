// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// redis.cjs: a Redis server for one test.

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { execFileSync, spawn } = require('node:child_process')

const PATIENCE_MS = 60000 // only a test that fails waits so long

const answers = (file) =>
  new Promise((resolve) => {
    const client = net.connect(file)
    client.once('connect', () => resolve(true)).once('error', () => resolve(false))
    client.once('connect', () => client.destroy())
  })

/** A port of this machine that nobody listens on. */
async function freePort() {
  const listener = net.createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address()
  listener.close()
  await once(listener, 'close')
  return port
}

/** Make a certificate in a folder, and have a server use it for TLS: its arguments. */
function tlsSettings(dir, port) {
  const [key, certificate] = ['key', 'certificate'].map((name) => path.join(dir, name))
  const subject = ['-subj', '/CN=corral', '-addext', 'subjectAltName=IP:127.0.0.1']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const files = ['-keyout', key, '-out', certificate]
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...kind, ...subject, ...files], {
    stdio: 'ignore',
  })
  return {
    args: [
      ...['--tls-port', port, '--bind', '127.0.0.1', '--tls-auth-clients', 'no'],
      ...['--tls-cert-file', certificate, '--tls-key-file', key],
    ],
    location: `rediss://127.0.0.1:${port}?cacert=${certificate}`,
  }
}

/** Start one; its location, over TLS or not, and end(). */
async function redisServer({ tls = false } = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'redis-'))
  const file = path.join(dir, 'socket')
  const secure = tls ? tlsSettings(dir, await freePort()) : undefined
  const settings = ['--port', '0', '--unixsocket', file, '--dir', dir, ...(secure?.args ?? [])]
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
  return { location: secure?.location ?? `redis+unix://${file}`, end }
}

module.exports = { redisServer }
