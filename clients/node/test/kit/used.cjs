// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// used.cjs: a worker thread that does all at once, until it is terminated.

const { workerData, parentPort } = require('node:worker_threads')
const { open } = require(process.env.CORRAL_CLIENT)

const store = open({ dir: workerData.dir })
const cart = store.cart('r', workerData.session)
const ITEM = {
  menuItemId: 'coke',
  unitPriceCents: 250,
  modifiers: [{ name: 'ice', priceCents: 0 }],
}

async function loop() {
  for (;;) {
    for (let i = 0; i < 20; i++) {
      cart.add(ITEM)
      cart.get()
    }
    ;[...store.list({ restaurantId: 'r' })]
    cart.changed({ after: 1e12 }).catch(() => {})
    await Promise.race([store.sync(), cart.changed({ timeoutMs: 3 })]).catch(() => {})
  }
}

async function listen() {
  for await (const event of store.events({ from: 'oldest' })) if (event.kind === 'x') return
}

parentPort.postMessage('ready')
listen()
loop()
