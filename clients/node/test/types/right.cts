// SPDX-License-Identifier: LGPL-2.1-or-later
// right.cts: the declarations for a program in CommonJS. It is compiled, not run.
import corral = require('corral-client')

const store = corral.open()
const total: number = store
  .cart('a', 'b')
  .add({ menuItemId: 'tea', unitPriceCents: 199 }).totalCents
console.log(total)
