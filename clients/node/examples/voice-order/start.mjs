// SPDX-License-Identifier: LGPL-2.1-or-later
// start.mjs: an agent, and four workers behind one port; then the scripted caller. With
// `npm start -- --serve` it goes on serving, and SIGHUP replaces all workers, one by one.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { startAgent, stopAgent } from 'corral-client'
import { play } from './caller.mjs'
import { Workers } from './workers.mjs'

const WORKERS = 4
const port = Number(process.env.PORT ?? 8080)
const here = path.dirname(new URL(import.meta.url).pathname)

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'voice-order-'))
await startAgent({ dir, args: ['--size', '64M', '--max-carts', '4096'] })
const workers = new Workers(path.join(here, 'worker.mjs'), { CARTS: dir, PORT: String(port) })
await workers.start(WORKERS)
console.log(`watch it: http://127.0.0.1:${port}/live/luigi/call-17`)
const url = `ws://127.0.0.1:${port}/realtime/luigi/call-17`
const last = await play(url, path.join(here, 'script.jsonl'), {
  kill: (pid) => process.kill(pid, 'SIGKILL'),
})
console.log(`confirmed: ${last.confirmed}, total ${last.total} cents`)
if (process.argv.includes('--serve')) {
  process.on('SIGHUP', () => workers.deploy())
} else {
  await workers.end()
  await stopAgent({ dir })
  fs.rmSync(dir, { recursive: true })
}
