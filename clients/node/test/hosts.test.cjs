// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// hosts.test.cjs: the client in hosts that do something to it: a profiler, handlers of signals, and
// in the long form test runners that evaluate modules again, and a bundler.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)

let arena, folder
before(async () => {
  arena = await freshArena()
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hosts-'))
})
after(async () => {
  fs.rmSync(folder, { recursive: true })
  await arena.remove()
})

function run(args, cwd = folder) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
  })
  return { status, signal, said: stdout + stderr }
}

const host = (...args) =>
  run([...args.slice(0, -1), `${__dirname}/kit/host.cjs`, arena.dir, args.at(-1)])

test('--cpu-prof: the profiler interrupts calls and waits, and its file is whole', () => {
  assert.deepEqual(host('--cpu-prof', 'profiled'), { status: 0, signal: null, said: '' })
  const [file, ...others] = fs.readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))
  assert.deepEqual(others, [])
  const { nodes } = JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8'))
  const client = nodes.filter(({ callFrame }) => callFrame.url.endsWith('lib/cart.cjs'))
  assert.ok(client.length > 0)
})

test("process.on('SIGBUS') hears it, and the store goes on", () => {
  assert.deepEqual(host('listens'), { status: 0, signal: null, said: '' })
})

test('with catchSigbus a SIGBUS of another origin ends the process, as it does without', () => {
  assert.deepEqual(host('catches'), { status: null, signal: 'SIGBUS', said: '' })
})

// What these need from npm is installed for the nightly run only (test/run.sh).
const HOSTS = process.env.CORRAL_HOSTS
if (HOSTS) {
  const program = (name) => path.join(HOSTS, 'node_modules', ...name.split('/'))

  test('Jest: test files evaluate the client again and again, in one process', () => {
    const { status, said } = run([program('jest/bin/jest.js'), '--runInBand', '--ci'], HOSTS)
    assert.match(said, /Tests: +4 passed, 4 total/)
    assert.equal(status, 0, said)
  })

  test('Jest: in processes of its own', () => {
    const { status, said } = run([program('jest/bin/jest.js'), '--maxWorkers=2', '--ci'], HOSTS)
    assert.match(said, /Tests: +4 passed, 4 total/)
    assert.equal(status, 0, said)
  })

  for (const pool of ['forks', 'threads', 'vmThreads'])
    test(`Vitest: ${pool}`, () => {
      const { status, said } = run([program('vitest/vitest.mjs'), 'run', `--pool=${pool}`], HOSTS)
      assert.match(said, /Tests +4 passed/)
      assert.equal(status, 0, said)
    })

  for (const format of ['cjs', 'esm'])
    test(`esbuild: a bundle in ${format}, the client outside of it`, () => {
      const bundle = path.join(HOSTS, `bundle.${format === 'cjs' ? 'cjs' : 'mjs'}`)
      const { buildSync } = require(program('esbuild'))
      buildSync({
        entryPoints: [path.join(HOSTS, 'bundled.mjs')],
        outfile: bundle,
        bundle: true,
        minify: true,
        platform: 'node',
        format,
        external: ['corral-client'],
      })
      assert.deepEqual(run([bundle, arena.dir]), { status: 0, signal: null, said: '250\n' })
    })
}
