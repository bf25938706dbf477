// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// host.cjs: a process with something that its host does to it. Usage: host.cjs DIR HOW

const { open } = require(process.env.CORRAL_CLIENT)

const [, , dir, how] = process.argv
const store = open({ dir, catchSigbus: how === 'catches' })
const cart = store.cart('r', `host-${how}`)
const ITEM = { menuItemId: 'coke', unitPriceCents: 250 }

async function profiled() {
  for (let i = 0; i < 20000; i++) cart.add(ITEM)
  await store.sync()
  process.exitCode = cart.get().itemCount === 20000 ? 0 : 1
}

async function listens() {
  const heard = new Promise((resolve) => process.on('SIGBUS', resolve))
  cart.add(ITEM)
  process.kill(process.pid, 'SIGBUS')
  const version = cart.changed({ after: 1 })
  await heard
  cart.add(ITEM)
  process.exitCode = (await version) === 2 ? 0 : 1
}

async function catches() {
  cart.add(ITEM)
  process.kill(process.pid, 'SIGBUS') // not one of the library's
}

const hows = { profiled, listens, catches }
hows[how]().then(() => store.close())
