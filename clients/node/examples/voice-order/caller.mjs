// SPDX-License-Identifier: LGPL-2.1-or-later
// caller.mjs: in place of the model: it plays a file of tool calls, in which calls of one line are
// made at once. What is not answered, since the worker was killed, is sent again, with the same id.
import { once } from 'node:events'
import fs from 'node:fs'
import WebSocket from 'ws'

export class Caller {
  constructor(url) {
    this.url = url
    // call id -> the event that is not answered yet, and the promise of its answer
    this.open = new Map()
    this.answered = 0
  }

  async connect() {
    this.socket = new WebSocket(this.url)
    this.socket.on('error', () => {})
    const [text] = await once(this.socket, 'message')
    this.worker = JSON.parse(text).worker
    this.socket.on('message', (message) => this.#answer(JSON.parse(message).item))
    this.socket.on('close', () => this.open.size > 0 && this.#again())
    for (const { event } of this.open.values()) this.socket.send(JSON.stringify(event))
  }

  async #again() {
    await this.connect().catch(() => setTimeout(() => this.#again(), 50))
  }

  #answer({ call_id: id, output }) {
    const waits = this.open.get(id)
    if (!waits) return // the answer of a call that was sent twice
    this.open.delete(id)
    this.answered++
    waits.resolve(JSON.parse(output))
  }

  call(id, name, given) {
    const event = { type: 'response.function_call_arguments.done', call_id: id, name }
    event.arguments = JSON.stringify(given)
    return new Promise((resolve) => {
      this.open.set(id, { event, resolve })
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event))
    })
  }

  async reconnect() {
    const closed = once(this.socket, 'close')
    this.socket.close()
    await closed
    await this.connect()
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
  caller.socket.close()
  return last
}
