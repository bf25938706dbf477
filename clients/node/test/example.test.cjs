// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// example.test.cjs: examples/voice-order takes the order that its caller makes, though a worker is
// killed in the middle of it.

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { execFileSync } = require('node:child_process')

const SOURCE = path.join(__dirname, '..', 'examples', 'voice-order')

// What package-lock.json says, and this build's client, beside a copy of the example.
function install() {
  const folder = path.join(path.dirname(process.env.CORRAL_CLIENT), 'node-example')
  const lock = fs.readFileSync(path.join(SOURCE, 'package-lock.json'), 'utf8')
  const installed = path.join(folder, 'installed')
  fs.cpSync(SOURCE, folder, { recursive: true, filter: (file) => !file.includes('node_modules') })
  if (!fs.existsSync(installed) || fs.readFileSync(installed, 'utf8') !== lock) {
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--silent']
    execFileSync('npm', ['ci', ...options], { cwd: folder })
    fs.writeFileSync(installed, lock)
  }
  const link = path.join(folder, 'node_modules', 'corral-client')
  fs.rmSync(link, { force: true })
  fs.symlinkSync(process.env.CORRAL_CLIENT, link)
  return folder
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

test('the voice order is right to the cent, though a worker was killed in its middle', async () => {
  const folder = install()
  const env = { ...process.env, PORT: String(await freePort()) }
  const said = execFileSync(process.execPath, ['start.mjs'], { cwd: folder, env, encoding: 'utf8' })
  // 8.99 + (8.99 + 1.50) + 2 * 2.50, and 8.25 %
  assert.match(said, /\nconfirmed: true, total 2650 cents\n$/)
  assert.match(said, /there is no pizza on the menu/)
})
