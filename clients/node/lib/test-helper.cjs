// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// test-helper.cjs: an arena for one test file: a directory and an agent of its own.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { open } = require('./store.cjs')
const { startAgent, stopAgent, stopAgentNow } = require('./agent.cjs')

/** Make an arena; its remove() ends all of it, and so does the end of the process. */
async function freshArena({ args = [], ...options } = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'corral-'))
  const erase = () => fs.rmSync(dir, { recursive: true, force: true })
  const atExit = () => {
    stopAgentNow(dir)
    erase()
  }
  process.on('exit', atExit)
  await startAgent({ dir, args: ['--max-carts', '4096', '--size', '64M', ...args] })
  const store = open({ dir, ...options })
  const remove = async () => {
    process.off('exit', atExit)
    store.close()
    await stopAgent({ dir })
    erase()
  }
  return { dir, store, remove }
}

module.exports = { freshArena }
