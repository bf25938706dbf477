// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// readme.test.cjs: what the project's README shows, in the shell and for Node, and the examples of
// this client's README, do what is said there.

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)

const client = process.env.CORRAL_CLIENT
const build = path.dirname(client)
const root = path.join(__dirname, '..', '..', '..')
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8')

function run(program, args, dir) {
  const env = { ...process.env, CORRAL_DIR: dir, PATH: `${build}:${process.env.PATH}` }
  return execFileSync(program, args, { env, encoding: 'utf8' })
}

test('the quick start of the README: shell', async () => {
  const arena = await freshArena()
  try {
    const lines = read('README.md')
      .split('\n')
      .filter((line) => /^ {4}corral (add|tax|show)/.test(line))
    assert.equal(lines.length, 5)
    const said = run('bash', ['-ec', lines.join('\n')], arena.dir)
    // 2 * (8.99 + 1.50) + 2.50, and 8.25 %
    assert.match(said, /total +25\.42/)
  } finally {
    await arena.remove()
  }
})

test('the quick start of the README: Node', async () => {
  const arena = await freshArena()
  try {
    const [, program] = /```js\n([^]*?)```/.exec(read('README.md'))
    const [, expected] = /\/\/ (\d+ items, \d+ cents)/.exec(program)
    const script = program.replace("'./build/node'", JSON.stringify(client))
    for (let time = 0; time < 2; time++)
      assert.equal(run(process.execPath, ['-e', script], arena.dir), `${expected}\n`)
  } finally {
    await arena.remove()
  }
})

test("the example of the client's README", async () => {
  const arena = await freshArena()
  try {
    const [, program] = /```js\n([^]*?)```/.exec(read('clients/node/README.md'))
    const script = program
      .replace("'corral-client'", JSON.stringify(client))
      .replaceAll("'/var/lib/carts'", JSON.stringify(arena.dir))
      .replace(/^answer.*?(\.\w+) \/\/ (\d+)$/m, "require('assert').equal(answer$1, $2)")
    assert.match(script, /equal\(answer\.totalCents, 2217\)/)
    run(process.execPath, ['-e', `(async () => {${script}})()`], arena.dir)
  } finally {
    await arena.remove()
  }
})
