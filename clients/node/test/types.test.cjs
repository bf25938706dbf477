// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// types.test.cjs: `tsc --strict` finds the declarations right, in ESM and CommonJS.

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')

const dev = process.env.CORRAL_DEV
const ts = require(path.join(dev, 'node_modules', 'typescript'))
const client = require(process.env.CORRAL_CLIENT)

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

/** What index.d.ts exports besides types: the symbols by their names. */
function declared() {
  const file = path.join(process.env.CORRAL_CLIENT, 'index.d.ts')
  const program = ts.createProgram([file], { lib: ['lib.esnext.d.ts'], types: [] })
  const checker = program.getTypeChecker()
  const source = checker.getSymbolAtLocation(program.getSourceFile(file))
  const values = checker
    .getExportsOfModule(source)
    .filter((symbol) => symbol.flags & ts.SymbolFlags.Value)
  return new Map(values.map((symbol) => [symbol.name, symbol]))
}

test('what is declared is what is there, in CommonJS and ESM', async () => {
  const names = [...declared().keys()].sort()
  assert.deepEqual(Object.keys(client).sort(), names)
  const imported = await import(path.join(process.env.CORRAL_CLIENT, 'index.mjs'))
  for (const name of names) assert.equal(imported[name], client[name], name)
})

for (const name of ['Store', 'Cart'])
  test(`each method of ${name} is declared, and each declared one is there`, () => {
    const members = [...declared().get(name).members.values()]
    const called = members.filter((member) => member.flags & ts.SymbolFlags.Method)
    const there = Object.getOwnPropertyNames(client[name].prototype)
    const known = new Set(members.map((member) => member.name))
    assert.deepEqual(
      there.filter((one) => one !== 'constructor' && !known.has(one)),
      []
    )
    assert.deepEqual(
      called
        .map((member) => member.name)
        .filter((one) => /^\w+$/.test(one) && !there.includes(one)),
      []
    )
  })
