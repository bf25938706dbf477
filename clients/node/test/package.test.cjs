// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// package.test.cjs: the npm package can be installed where nothing can be built, and works there.

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { redisServer } = require('./kit/redis.cjs')

const PROGRAM = `
import { open, startAgent, stopAgent, agentProgram, version } from 'corral-client'
import { createRequire } from 'node:module'
const dir = process.argv[2]
if (!agentProgram.startsWith(process.cwd())) throw new Error(agentProgram)
if (createRequire(import.meta.url)('corral-client').version !== version) throw new Error(version)
await startAgent({ dir })
const store = open({ dir })
console.log(store.cart('r', 's').add({ menuItemId: 'coke', unitPriceCents: 250 }).order.totalCents)
store.close()
await stopAgent({ dir })
`

// Node has an OpenSSL, too, which is to be used before, between and after.
const ON_SERVERS = `
import { open } from 'corral-client'
import { createHash } from 'node:crypto'
import { createSecureContext } from 'node:tls'
const own = () => createSecureContext() && createHash('sha256').update('x').digest('hex').length
own()
const store = open({ dir: process.argv[2], patienceMs: 60000 })
own()
console.log(store.cart('r', 's').add({ menuItemId: 'coke', unitPriceCents: 250 }).order.totalCents)
store.close()
own()
`

/** All that is in the package. */
function wanted() {
  const source = path.join(__dirname, '..')
  const native = `native/${process.platform}-${process.arch}`
  return [
    ...['LICENSE', 'README.md', 'package.json', 'index.cjs', 'index.d.ts', 'index.mjs'],
    ...fs.readdirSync(path.join(source, 'lib')).map((name) => `lib/${name}`),
    ...['corral.node', 'corral-agent', 'libcorral-redis.so.0'].map((name) => `${native}/${name}`),
    ...['hiredis', 'jansson', 'msgpack', 'openssl', 'urcu', 'xxhash'].map(
      (name) => `licenses/${name}`,
    ),
  ].map((name) => `package/${name}`)
}

test('the package is installed without scripts, in an empty folder, and works there', async (t) => {
  const build = path.dirname(process.env.CORRAL_CLIENT)
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'package-')))
  const run = (program, args) => execFileSync(program, args, { cwd: folder, encoding: 'utf8' })
  const { CORRAL_REDIS_MODULE, ...env } = process.env // the package has its own
  const server = await redisServer({ tls: true })
  try {
    const made = execFileSync(path.join(__dirname, '..', 'package.sh'), [build], {
      encoding: 'utf8',
    })
    const file = path.join(build, made.trim())
    const names = run('tar', ['-tzf', file]).trim().split('\n').sort()
    t.diagnostic(names.join(' '))
    assert.deepEqual(names, wanted().sort())
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }')
    run('npm', [
      'install',
      '--ignore-scripts',
      '--offline',
      '--no-audit',
      '--no-fund',
      '--silent',
      file,
    ])
    const installed = path.join(folder, 'node_modules', 'corral-client', 'package.json')
    const { scripts, dependencies, devDependencies, gypfile, glibc } = JSON.parse(
      fs.readFileSync(installed, 'utf8')
    )
    assert.deepEqual(
      { scripts, dependencies, devDependencies, gypfile },
      {
        scripts: undefined,
        dependencies: undefined,
        devDependencies: undefined,
        gypfile: undefined,
      }
    )
    for (const name of ['LICENSE', 'licenses/jansson'])
      assert.match(fs.readFileSync(path.join(installed, '..', name), 'utf8'), /Copyright/)
    assert.match(glibc, /^2\.\d+$/)
    fs.writeFileSync(path.join(folder, 'program.mjs'), PROGRAM)
    assert.equal(run(process.execPath, ['program.mjs', path.join(folder, 'carts')]), '250\n')
    fs.writeFileSync(path.join(folder, 'servers.mjs'), ON_SERVERS)
    const said = execFileSync(process.execPath, ['servers.mjs', server.location], {
      cwd: folder,
      env,
      encoding: 'utf8',
    })
    assert.equal(said, '250\n')
  } finally {
    await server.end()
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
