// SPDX-License-Identifier: LGPL-2.1-or-later
// order.js: one order as it is, and its history. Both are asked for again when a message says that
// it changed.
import {
  ask, byId, clock, listen, make, noteClock, now, pause, plain, query, showState, span
} from './common.js'

const parameters = new URLSearchParams(location.search)
const restaurant = parameters.get('restaurant') || ''
const session = parameters.get('session') || ''
const names = new Map() // of lines, by their number; of those that are gone, too

const DIGITS = { maximumFractionDigits: 4 }
const percent = (ppm) => (ppm / 10000).toLocaleString('en', DIGITS) + ' %'

// -------------------------------------------------------------------------------- the cart

function row(name, amount, kind) {
  return make('tr', kind || '',
    make('td', '', ''), make('td', '', name), make('td', 'amount', amount))
}

function lineRows(line) {
  names.set(line.line, line.name || line.menu_item_id)
  const rows = [make('tr', '',
    make('td', 'quantity', line.quantity), make('td', '', line.name || line.menu_item_id),
    make('td', 'amount', line.total))]
  for (const one of line.modifiers) {
    rows.push(row('+ ' + one.name, one.price_cents ? one.price : '', 'detail'))
  }
  if (line.tax_ppm !== undefined) rows.push(row('taxed at ' + percent(line.tax_ppm), '', 'detail'))
  if (line.notes) rows.push(row('\u201c' + line.notes + '\u201d', '', 'detail'))
  return rows
}

function totalRows(cart) {
  const rows = [row('', '', 'space'), row('Subtotal', cart.subtotal, 'sum')]
  const adjusted = (after) => (cart.adjustments || []).filter((one) => one.after_tax === after)
    .forEach((one) => rows.push(row(one.name, one.amount)))
  adjusted(false)
  for (const rate of cart.rates || [{ tax_ppm: cart.tax_ppm, tax: cart.tax }]) {
    rows.push(row('Tax ' + percent(rate.tax_ppm), rate.tax))
  }
  adjusted(true)
  rows.push(row(cart.currency ? 'Total ' + cart.currency : 'Total', cart.total, 'grand'))
  return rows
}

function fact(name, value) {
  return [make('dt', '', name), make('dd', '', value)]
}

function showCart(cart) {
  const table = make('table', 'lines', ...cart.items.flatMap(lineRows), ...totalRows(cart))
  byId('content').replaceChildren(table)
  byId('cart').dataset.status = cart.status
  byId('cart').dataset.total = cart.total
  const left = Date.parse(cart.expires_at) - now()
  byId('facts').replaceChildren(
    ...fact('Status', cart.status === 'open' ? 'open' : 'checked out'),
    ...fact('Version', cart.version),
    ...fact('Begun', clock(Date.parse(cart.created_at))),
    ...fact('Changed', span(now() - Date.parse(cart.updated_at)) === 'now' ? 'now' :
      span(now() - Date.parse(cart.updated_at)) + ' ago'),
    ...fact('Ends', left > 0 ? 'in ' + span(left) + ' without activity' : 'now'),
    ...Object.entries(cart.attributes).flatMap(([name, value]) => fact(name, value)))
}

function showGone() {
  byId('cart').dataset.status = 'ended'
  byId('content').replaceChildren(make('p', 'gone', 'This order is over.'))
  byId('facts').replaceChildren()
}

// ----------------------------------------------------------------------------- the history

const lineName = (step) => (names.has(step.line) ? names.get(step.line) : 'line ' + step.line)

const words = {
  add: (step) => `${step.amount || 1} \u00d7 ${lineName(step)} added`,
  set_quantity: (step) =>
    (step.amount ? `${lineName(step)}: ${step.amount}` : `${lineName(step)} removed`),
  change_quantity: (step) =>
    `${lineName(step)}: ${step.amount > 0 ? '+' : '\u2212'}${Math.abs(step.amount)}`,
  remove: (step) => `${lineName(step)} removed`,
  clear: () => 'all lines removed',
  tax: (step) => `tax ${percent(step.amount || 0)}`,
  ttl: (step) => (step.amount ? `time to live ${span(step.amount)}` : 'usual time to live'),
  attribute: () => 'an attribute set',
  checkout: () => 'checked out',
  adjustment: () => 'an adjustment set',
  remove_adjustment: () => 'an adjustment removed',
  pricing: () => 'pricing set',
  currency: () => 'currency set',
  line_tax: (step) => `${lineName(step)}: a rate of its own`,
  replace: () => 'replaced as a whole',
  restore: () => 'restored'
}

const ends = { dropped: 'Dropped', expired: 'Ended by inactivity' }

function describe(event) {
  if (ends[event.kind]) return [ends[event.kind]]
  const list = event.steps.map((step) => (words[step.step] ? words[step.step](step) : step.step))
  const more = event.step_count - event.steps.length
  if (more > 0) list.push(`${more} more`)
  return list.length ? list : [event.kind]
}

function eventItem(event) {
  if (event.kind === 'gap') {
    const missed = event.missed ? `${event.missed} events` : 'events'
    return make('li', 'gap', missed + ' were missed')
  }
  const by = [`version ${event.version}`, event.process ? `${event.process} (${event.pid})` : '',
    event.operation_id].filter(Boolean).join(' \u00b7 ')
  const item = make('li', event.kind,
    make('time', '', clock(Date.parse(event.time))),
    make('div', 'what', ...describe(event).map((text) => make('p', '', text)),
      make('p', 'by', by)),
    make('b', 'amount', event.total))
  item.firstElementChild.dateTime = event.time
  item.dataset.number = event.number
  return item
}

function showHistory(events) {
  const note = byId('history-note')
  byId('history').replaceChildren(...events.slice().reverse().map(eventItem))
  note.hidden = events.length > 0
  note.textContent = events.length ? '' : 'Its events are no longer kept.'
}

// -------------------------------------------------------------------------------- both

async function load() {
  const key = { restaurant, session }
  for (;;) {
    try {
      await ask('/api/cart', key).then(showCart, (error) => {
        if (error.status !== 404) throw error
        showGone()
      })
      await ask('/api/history', key).then(showHistory, (error) => {
        if (error.status !== 503) throw error
        byId('history-note').hidden = false
        byId('history-note').textContent = 'No events are kept here: ' + plain(error.message)
      })
      document.body.dataset.loaded = Number(document.body.dataset.loaded || 0) + 1
      return
    } catch (error) {
      showState('down', error.message)
      if (error.status === 400) return
      await pause(1000 + Math.random() * 1000)
    }
  }
}

let loading = false
let again = false
async function loadAgain() {
  again = true
  if (loading) return
  loading = true
  while (again) {
    again = false
    await load()
  }
  loading = false
  showState('live')
}

const isOurs = (cart) => cart.session_id === session && cart.restaurant_id === restaurant

byId('session').append(plain(session))
const back = make('a', '', restaurant)
back.href = '/' + query({ restaurant })
byId('restaurant').append(back)
document.title = plain(session) + ' · Corral'
await ask('/api/health').then((health) => noteClock(health.now_ms), () => {})
await load()
listen('', { restaurant }, {
  cart: (cart) => isOurs(cart) && loadAgain(),
  ended: (end) => isOurs(end) && loadAgain(),
  gap: loadAgain
})
