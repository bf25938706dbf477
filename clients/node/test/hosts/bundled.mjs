// SPDX-License-Identifier: LGPL-2.1-or-later
// bundled.mjs: a program that is bundled. Usage: bundled.mjs DIR
import { open } from 'corral-client'

const store = open({ dir: process.argv[2] })
console.log(store.cart('r', 'bundled').add({ menuItemId: 'coke', unitPriceCents: 250 }).totalCents)
store.cart('r', 'bundled').drop()
store.close()
