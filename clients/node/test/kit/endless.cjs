// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// endless.cjs: a process that adds, says each acknowledged number, and is killed. Usage:
// endless.cjs DIR SESSION

const { open } = require(process.env.CORRAL_CLIENT)

const cart = open({ dir: process.argv[2] }).cart('r', process.argv[3])
let count = 0
const step = () => {
  for (let i = 0; i < 20; i++) {
    cart.add({ menuItemId: 'coke', unitPriceCents: 250 }, { opId: `op-${count}` })
    count++
  }
  process.send(count)
  setImmediate(step)
}
step()
