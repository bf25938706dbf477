// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// hosts.test.cjs: the client in hosts that do something to it: a profiler, handlers of signals, and
// in the long form test runners that evaluate modules again, and a bundler.

const { test, before, after } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { promisify } = require('node:util')
const { execFile, spawnSync } = require('node:child_process')
const { freshArena } = require(`${process.env.CORRAL_CLIENT}/lib/test-helper.cjs`)
const { freePort, until } = require('./kit/kit.cjs')

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

  const INSTANCES = 4

  test('PM2: a cluster that is reloaded, and killed one by one, loses nothing', async (t) => {
    const env = { ...process.env, PM2_HOME: path.join(folder, 'pm2'), DIR: arena.dir }
    env.PORT = String(await freePort())
    const url = `http://127.0.0.1:${env.PORT}`
    const pm2 = async (...args) => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [program('pm2/bin/pm2'), ...args],
        { env, cwd: folder }
      )
      return stdout
    }
    const pids = async () => JSON.parse(await pm2('jlist', '--silent')).map(({ pid }) => pid)
    t.after(() => pm2('kill'))
    const served = path.join(HOSTS, 'served.cjs')
    await pm2('start', served, '--name', 'served', '--instances', `${INSTANCES}`, '--wait-ready')
    assert.equal((await pids()).length, INSTANCES)

    const workers = new Set()
    let over = false
    const adder = async (_, session) => {
      let adds = 0
      while (!over) workers.add(await untilServed(`${url}/${session}/${adds++}`))
      await untilServed(`${url}/${session}/${adds - 1}`) // again: it is made already
      return adds
    }
    const adders = Array.from({ length: INSTANCES }, adder)
    await pm2('reload', 'served')
    for (const pid of await pids()) {
      process.kill(pid, 'SIGKILL')
      const { size } = workers
      await until(() => workers.size > size) // its successor has served
    }
    over = true
    for (const [session, adds] of (await Promise.all(adders)).entries())
      assert.equal(arena.store.cart('r', `${session}`).get().itemCount, adds)
  })
}

/** Ask until a worker answers; which one it was. */
async function untilServed(url) {
  for (;;) {
    try {
      // one that died before it took the connection answers never
      const answer = await fetch(url, { signal: AbortSignal.timeout(5000) })
      if (answer.ok) return await answer.text()
    } catch {
      // it was killed, or is not there yet
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
