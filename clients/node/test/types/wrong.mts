// SPDX-License-Identifier: LGPL-2.1-or-later
// wrong.mts: what the declarations have to refuse: each line below a comment that expects an error
// has one, or the compiler says so.
import { open, money } from 'corral-client'

const cart = open({ dir: '/tmp/carts' }).cart('a', 'b')
// @ts-expect-error a price is a number
cart.add({ menuItemId: 'tea', unitPriceCents: '199' })
// @ts-expect-error a misspelt field
cart.add({ menuItemId: 'tea', unitPriceCents: 199, note: 'nuts' })
// @ts-expect-error an item has a price
cart.add({ menuItemId: 'tea' })
// @ts-expect-error a misspelt option
cart.add({ menuItemId: 'tea', unitPriceCents: 199 }, { opID: 'x' })
// @ts-expect-error money() takes what was written
money(8.99, 'USD')
// @ts-expect-error a step has its line or its menu item
cart.apply([{ step: 'remove' }])
// @ts-expect-error both
cart.apply([{ step: 'remove', line: 1, menuItemId: 'tea' }])
// @ts-expect-error a Promise is no answer
cart.clear({ wait: true }).totalCents
// @ts-expect-error there may be no cart
cart.get().items
// @ts-expect-error update() calls a function that returns at once
cart.update(async (order) => order)
const events = open().events()
// @ts-expect-error a gap has no cart
for await (const event of events) event.sessionId
// @ts-expect-error a gap is always told
open().events({ kinds: ['gap'] })
// @ts-expect-error stores are opened
new (await import('corral-client')).Store()
