// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// adder.cjs: a process that adds to a cart as often as it is told. Usage: adder.cjs DIR

const { open } = require(process.env.CORRAL_CLIENT)

const store = open({ dir: process.argv[2], label: 'adder' })
const ITEM = { menuItemId: 'coke', name: 'Coke', unitPriceCents: 250 }

process.on('message', async ({ session, count, name }) => {
  const cart = store.cart('r', session)
  const adds = []
  for (let i = 0; i < count; i++) adds.push(cart.add(ITEM, { opId: `${name}-${i}`, wait: true }))
  const answers = await Promise.all(adds)
  process.send({ applied: answers.filter((answer) => answer.applied).length })
})
