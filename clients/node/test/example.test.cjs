// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// example.test.cjs: examples/voice-order takes the order that its caller makes, though a worker is
// killed in the middle of it.

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { freePort } = require('./kit/kit.cjs')

test('the voice order is right to the cent, though a worker was killed in its middle', async () => {
  const env = { ...process.env, PORT: String(await freePort()) }
  const said = execFileSync(process.execPath, ['start.mjs'], {
    cwd: process.env.CORRAL_EXAMPLE,
    env,
    encoding: 'utf8',
  })
  // 8.99 + (8.99 + 1.50) + 2 * 2.50, and 8.25 %
  assert.match(said, /\nconfirmed: true, total 2650 cents\n$/)
  assert.match(said, /there is no pizza on the menu/)
})
