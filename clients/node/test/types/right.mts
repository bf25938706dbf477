// SPDX-License-Identifier: LGPL-2.1-or-later
// right.mts: what the declarations have to allow. It is compiled, not run.
import { open, startAgent, money, rate, CorralError, RawExtra } from 'corral-client'
import type { Answer, Cart, ItemInput, Line, Order, Row, Step, Store } from 'corral-client'
import { freshArena } from 'corral-client/test-helper'

await startAgent({
  dir: '/tmp/carts',
  args: ['--journal', 'sync'],
  signal: AbortSignal.timeout(1000),
})
const store: Store = open({ dir: '/tmp/carts', patienceMs: 20 })
const cart: Cart = store.cart('luigi', 'call-17')
const item: ItemInput = {
  menuItemId: 'burger',
  unitPriceCents: money('8.99', 'USD'),
  extras: { raw: new RawExtra(new Uint8Array(1)), deep: { a: [1, null, 2n] } },
}
const answer: Answer = cart.add([item, { menuItemId: 'coke', unitPriceCents: 250n }], {
  opId: 'call_1',
  taxPpm: rate('8.25%'),
})
const lines: Line[] | undefined = answer.order?.items
const steps: Step[] = [
  { step: 'add', menuItemId: 'tea', unitPriceCents: 199 },
  { step: 'setQuantity', line: 1, quantity: 2 },
  { step: 'remove', menuItemId: 'coke' },
  { step: 'attribute', name: 'table', value: null },
]
const applied: Answer = cart.apply(steps, { ifVersion: answer.version })
const patient: Promise<Answer> = cart.checkout({ wait: true, signal: AbortSignal.timeout(10) })
const order: Order | null = cart.get({ touch: false })
if (order) cart.replace(order, { ifVersion: order.version })
cart.update((current) => {
  if (!current) return null
  for (const line of current.items) line.quantity += 1
  return current
})
if (lines?.[0]) cart.add(lines[0])
const rows: Row[] = [...store.list({ restaurantId: 'luigi' })]
try {
  cart.remove({ menuItemId: 'burger' })
} catch (error) {
  if (error instanceof CorralError) console.log(error.code, error.errno, error.step)
}
const version: number = await cart.changed({
  after: 3n,
  timeoutMs: 100,
  signal: AbortSignal.timeout(1),
})
for await (const event of store.events({ restaurantId: 'luigi', kinds: ['expired'], from: 3 })) {
  if (event.kind === 'gap') console.log(event.from, event.missed ?? 'some')
  else if (event.kind === 'expired') console.log(event.sessionId, event.steps[0]?.step)
  break
}
await store.sync({ signal: AbortSignal.timeout(1) })
store.close()
console.log(version)
const arena = await freshArena({ args: ['--ttl', '1h'], patienceMs: 5 })
await arena.remove()
console.log(applied, patient, rows)
