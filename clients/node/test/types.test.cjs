// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// types.test.cjs: `tsc --strict` finds the declarations right, in ESM and CommonJS.

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')

const dev = process.env.CORRAL_DEV

test('tsc --strict allows what is right, and refuses what is wrong', () => {
  const work = fs.mkdtempSync(path.join(dev, 'types-'))
  try {
    fs.cpSync(path.join(__dirname, 'types'), work, { recursive: true })
    fs.mkdirSync(path.join(work, 'node_modules'))
    fs.symlinkSync(process.env.CORRAL_CLIENT, path.join(work, 'node_modules', 'corral-client'))
    const tsc = path.join(dev, 'node_modules', 'typescript', 'bin', 'tsc')
    const run = spawnSync(process.execPath, [tsc, '--project', work, '--preserveSymlinks'], {
      encoding: 'utf8',
      env: {},
    })
    assert.equal(run.stdout, '')
    assert.equal(run.status, 0)
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
})
