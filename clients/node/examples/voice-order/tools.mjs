// SPDX-License-Identifier: LGPL-2.1-or-later
// tools.mjs: what the model may call. Each call is one change of the cart, under the call's own id:
// when it comes again, after a lost answer or to another worker, it is not made again.
import { CorralError } from 'corral-client'
import { taxPpm, toItem } from './menu.mjs'

/** What the model is told, to read out. The version is what the customer has heard. */
function tell(answer) {
  return {
    order: answer.order.items.map(({ quantity, name, modifiers, notes }) =>
      [quantity, name, ...modifiers.map((modifier) => modifier.name), notes]
        .filter(Boolean)
        .join(' ')
    ),
    total: answer.order.totalCents,
    version: answer.order.version,
  }
}

const tools = {
  // kiosk style: { items: [...] }; staff style: { id, quantity, ... }
  add_to_order(cart, { items, ...one }, opId) {
    return tell(cart.add((items ?? [one]).map(toItem), { opId, taxPpm }))
  },
  remove_from_order(cart, { id, quantity }, opId) {
    const line = { menuItemId: id }
    return tell(
      quantity === undefined
        ? cart.remove(line, { opId })
        : cart.changeQuantity(line, -quantity, { opId })
    )
  },
  clear_order(cart, _, opId) {
    return tell(cart.clear({ opId }))
  },
  confirm_order(cart, { version }, opId) {
    const answer = cart.checkout({ opId, ifVersion: version })
    return { confirmed: true, ...tell(answer) }
  },
}

// What an error means to the model, which says it in its own words.
const meanings = {
  ECANCELED: 'the order has changed since it was read out: read it again',
  ESHUTDOWN: 'the order is confirmed already',
  ENXIO: 'that is not in the order',
  EMLINK: 'there are several of these: ask which one',
  EBUSY: 'try again',
  ENOTUNIQ: 'another call had this id',
}

/** Make a tool call; what it answers is for the model. */
export function call(cart, { call_id: opId, name, arguments: given }) {
  if (!Object.hasOwn(tools, name)) return { error: `there is no tool ${name}` }
  try {
    return tools[name](cart, JSON.parse(given), opId)
  } catch (error) {
    if (error instanceof CorralError) return { error: meanings[error.code] ?? error.message }
    if (error instanceof RangeError || error instanceof TypeError || error instanceof SyntaxError)
      return { error: error.message }
    throw error
  }
}
