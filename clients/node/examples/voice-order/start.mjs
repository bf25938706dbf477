// SPDX-License-Identifier: LGPL-2.1-or-later
// start.mjs: four workers behind one port, which are replaced when they die, and an agent; then the
// scripted caller. `npm start -- --serve` goes on serving.
import cluster from 'node:cluster'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { startAgent, stopAgent } from 'corral-client'

const WORKERS = 4
const port = Number(process.env.PORT ?? 8080)
const here = path.dirname(new URL(import.meta.url).pathname)

async function lead() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'voice-order-'))
  await startAgent({ dir, args: ['--size', '64M', '--max-carts', '4096'] })
  const fork = () =>
    new Promise((resolve) => cluster.fork({ CARTS: dir }).once('listening', resolve))
  const ready = Array.from({ length: WORKERS }, fork)
  let ending = false
  cluster.on('exit', () => ending || ready.push(fork()))
  await Promise.all(ready)
  const { play } = await import('./caller.mjs')
  const url = `ws://127.0.0.1:${port}/realtime/luigi/call-17`
  const last = await play(url, path.join(here, 'script.jsonl'), {
    kill: (pid) => process.kill(pid, 'SIGKILL'),
  })
  console.log(`confirmed: ${last.confirmed}, total ${last.total} cents`)
  if (process.argv.includes('--serve')) return
  await Promise.all(ready.slice(WORKERS)) // those in place of the killed ones
  ending = true
  await new Promise((resolve) => cluster.disconnect(resolve))
  await stopAgent({ dir })
  fs.rmSync(dir, { recursive: true })
}

if (cluster.isPrimary) await lead()
else await (await import('./server.mjs')).serve({ dir: process.env.CARTS, port })
