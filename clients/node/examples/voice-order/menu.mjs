// SPDX-License-Identifier: LGPL-2.1-or-later
// menu.mjs: what the restaurant sells. Prices are the server's: the model never names one.
import { money, rate } from 'corral-client'

const usd = (amount) => money(amount, 'USD')

export const taxPpm = rate('8.25%')

const items = {
  burger: {
    name: 'Burger',
    price: usd('8.99'),
    modifiers: { bacon: usd('1.50'), cheese: usd('0.80') },
  },
  fries: { name: 'Fries', price: usd('3.49'), modifiers: { large: usd('1.00') } },
  coke: { name: 'Coke', price: usd('2.50'), modifiers: { 'no ice': usd('0.00') } },
}

/** What the model has understood, as an item of the cart. */
export function toItem({ id, quantity = 1, modifiers = [], notes }) {
  const item = Object.hasOwn(items, id) ? items[id] : undefined
  if (!item) throw new RangeError(`there is no ${id} on the menu`)
  return {
    menuItemId: id,
    name: item.name,
    unitPriceCents: item.price,
    quantity,
    notes,
    modifiers: modifiers.map((name) => {
      if (!Object.hasOwn(item.modifiers, name)) throw new RangeError(`${id} has no ${name}`)
      return { name, priceCents: item.modifiers[name] }
    }),
  }
}
