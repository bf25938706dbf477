// SPDX-License-Identifier: LGPL-2.1-or-later
// caller.mjs: in place of the model: it plays a file of tool calls, in which calls of one line are
// made at once. What is not answered, since the worker was killed, is sent again, with the same id.
import { once } from 'node:events'
import fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'

const PAUSE_MS = 50
// A connection that the primary has handed to a worker which died before it took it stays open, and
// is answered by no one. Each time it is given up later, else workers that are too slow for so many
// callers at once would never be done with them.
const GIVE_UP_MS = 2000
const GIVE_UP_MAX_MS = 60000

export class Caller {
  #ended = false

  constructor(url) {
    this.url = url
    // call id -> the event that is not answered yet, and what its answer goes to
    this.open = new Map()
    this.connections = 0
  }

  /** Until a worker has answered. */
  async connect() {
    for (let wait = GIVE_UP_MS; !this.#ended; wait = Math.min(2 * wait, GIVE_UP_MAX_MS)) {
      try {
        return await this.#connect(wait)
      } catch {
        await sleep(PAUSE_MS)
      }
    }
    return undefined
  }

  #connect(handshakeTimeout) {
    const socket = new WebSocket(this.url, { handshakeTimeout })
    this.socket = socket
    return new Promise((resolve, reject) => {
      let greeted = false
      socket.on('error', () => {}) // and then it is closed
      socket.on('message', (text) => {
        const event = JSON.parse(text)
        if (event.type !== 'session.created') return this.#answer(event.item)
        greeted = true
        this.worker = event.worker
        this.connections++
        for (const { text: unanswered } of this.open.values()) socket.send(unanswered)
        return resolve()
      })
      socket.on('close', () => {
        if (!greeted) reject(new Error('no worker has answered'))
        else this.connecting = this.connect()
      })
    })
  }

  #answer({ call_id: id, output }) {
    const waits = this.open.get(id)
    if (!waits) return // the answer of a call that was sent twice
    this.open.delete(id)
    waits.resolve(JSON.parse(output))
  }

  call(id, name, given) {
    const event = { type: 'response.function_call_arguments.done', call_id: id, name }
    const text = JSON.stringify({ ...event, arguments: JSON.stringify(given) })
    return new Promise((resolve) => {
      this.open.set(id, { text, resolve })
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text)
    })
  }

  async reconnect() {
    const closed = once(this.socket, 'close')
    this.socket.close()
    await closed
    await this.connecting
  }

  close() {
    this.#ended = true
    this.socket.close()
  }
}

/** Play a script; the last answer. kill(pid) ends a worker. */
export async function play(url, file, { kill, say = console.log }) {
  const caller = new Caller(url)
  await caller.connect()
  let last
  for (const line of fs.readFileSync(file, 'utf8').trim().split('\n')) {
    const { says, calls = [], reconnect, killed } = JSON.parse(line)
    if (says) say(`"${says}"`)
    if (reconnect) await caller.reconnect()
    const answers = calls.map(([id, name, given]) => {
      const heard = name === 'confirm_order' ? { version: last.version } : given
      return caller.call(id, name, heard)
    })
    if (killed) kill(caller.worker)
    const all = await Promise.all(answers)
    all.forEach((answer, i) => say(`  ${calls[i][1]} -> ${JSON.stringify(answer)}`))
    last = all.at(-1) ?? last
  }
  caller.close()
  return last
}
