// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// ends.cjs: a process that ends in one of several ways while waits are under way. Usage:
// ends.cjs DIR HOW

const { Worker } = require('node:worker_threads')
const { open } = require(process.env.CORRAL_CLIENT)

const [, , dir, how] = process.argv
const store = open({ dir })
const cart = store.cart('r', `ends-${how}`)
cart.add({ menuItemId: 'coke', unitPriceCents: 250 })
const worker = new Worker(
  `const { open } = require(process.env.CORRAL_CLIENT)
   const store = open({ dir: ${JSON.stringify(dir)} })
   store.cart('r', 'worker').changed({ after: 1e9 }).catch(() => {})
   store.sync().catch(() => {})
   store.events().next().catch(() => {})
   require('node:worker_threads').parentPort.postMessage('ready')
   setInterval(() => store.cart('r', 'worker').add({ menuItemId: 'a', unitPriceCents: 1 }), 1)`,
  { eval: true }
)
cart.changed({ after: 1e9 }).catch(() => {})
store.sync().catch(() => {})
store.events({ restaurantId: 'none' }).next().catch(() => {})
worker.once('message', () => {
  setTimeout(() => {
    if (how === 'exit') process.exit(7)
    else if (how === 'throw') throw new Error('as wanted')
    else if (how === 'terminate') worker.terminate().then(() => process.exit(7))
    else if (how === 'close') {
      worker.terminate()
      store.close() // and then nothing keeps the process alive
      process.exitCode = 7
    }
  }, 5)
})
