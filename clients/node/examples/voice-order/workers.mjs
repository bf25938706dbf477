// SPDX-License-Identifier: LGPL-2.1-or-later
// workers.mjs: so many workers behind one port. One that dies is replaced; a deploy puts a new one
// beside each before that leaves.
import cluster from 'node:cluster'
import { once } from 'node:events'

export class Workers {
  #ending = false
  #env

  /** exec: the program of a worker; env: what it finds in its environment besides ours. */
  constructor(exec, env = {}) {
    this.#env = env
    cluster.setupPrimary({ exec, execArgv: [] })
    cluster.on('exit', (worker, code, signal) => {
      if (this.#ending || worker.replaced) return
      // one that cannot even start would be started for ever
      if (!worker.listens && !signal) throw new Error(`a worker ends with ${code} as it starts`)
      this.#fork()
    })
  }

  // Until it serves. One that was killed before that has a successor, which is not waited for.
  #fork() {
    const worker = cluster.fork(this.#env)
    return new Promise((resolve) => {
      worker.once('exit', resolve)
      worker.on('error', () => {}) // it died while it was told something
      worker.once('listening', () => {
        worker.listens = true
        resolve()
      })
    })
  }

  /** Those that serve. */
  get serving() {
    return Object.values(cluster.workers).filter(
      (worker) => worker.listens && !worker.replaced && !worker.isDead()
    )
  }

  start(count) {
    return Promise.all(Array.from({ length: count }, () => this.#fork()))
  }

  /** One after the other is replaced by one that has the new code. */
  async deploy() {
    for (const former of this.serving) {
      if (former.isDead()) continue // and replaced
      former.replaced = true
      await this.#fork()
      await this.#leave(former)
    }
  }

  async end() {
    this.#ending = true
    await Promise.all(Object.values(cluster.workers).map((worker) => this.#leave(worker)))
  }

  async #leave(worker) {
    if (worker.isDead()) return
    const gone = once(worker, 'exit')
    worker.process.kill('SIGTERM')
    await gone
  }
}
