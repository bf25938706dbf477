// SPDX-License-Identifier: LGPL-2.1-or-later
// board.js: the open orders as tickets. The list is asked for once, and then kept up to date by
// messages, each of which has a cart as it is. A ticket changes in its place; none is drawn anew.
import {
  ask, byId, listen, make, noteClock, now, orderLink, pause, plain, query, showState, span
} from './common.js'

const MOST = 200
const RELIST_MS = 2000 // not more often than this
const STALE_MS = 10 * 60 * 1000

const restaurant = new URLSearchParams(location.search).get('restaurant') || ''
const tickets = new Map() // by key
const ended = new Map() // when the end of a cart was told, by key
let total = 0 // carts there are, shown or not

const GAP = 16 // pixels, as in the style sheet
const ROW = 4

// A ticket takes as many of the grid's low rows as it is high, so that none leaves a hole below it.
const heights = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    target.style.gridRowEnd = 'span ' + Math.ceil((target.offsetHeight + GAP) / ROW)
  }
})

const keyOf = (cart) => cart.restaurant_id + '\u0000' + cart.session_id

// ------------------------------------------------------------------------------- one ticket

function makeTicket(cart) {
  const parts = {
    link: make('a', 'session'),
    restaurant: make('a', 'restaurant'),
    age: make('span', 'age'),
    hidden: make('p', 'hidden'),
    lines: make('ul', 'lines'),
    items: make('span', 'items'),
    total: make('b', 'total'),
    stamp: make('span', 'stamp', 'Checked out')
  }
  const element = make('li', 'ticket',
    make('header', '', make('div', 'title', parts.link, parts.restaurant), parts.age),
    parts.hidden, parts.lines, make('footer', '', parts.items, parts.stamp, parts.total))
  parts.link.href = orderLink(cart)
  parts.link.append(plain(cart.session_id))
  parts.restaurant.href = '/' + query({ restaurant: cart.restaurant_id })
  parts.restaurant.append(plain(cart.restaurant_id))
  heights.observe(element)
  element.dataset.restaurant = cart.restaurant_id
  element.dataset.session = cart.session_id
  return { element, parts, lines: new Map() }
}

const lineText = (line) => JSON.stringify(line)

function makeLine(line) {
  const item = make('li', '',
    make('span', 'quantity', line.quantity), make('span', 'name', line.name),
    make('span', 'amount', line.total))
  for (const name of line.modifiers) item.append(make('span', 'modifier', name))
  if (line.notes) item.append(make('span', 'notes', line.notes))
  return item
}

// Put a line in for those that are new or changed; the others stay as they are.
function fillLines(ticket, cart, fresh) {
  const lines = new Map()
  for (const line of cart.lines) {
    const old = ticket.lines.get(line.line)
    const text = lineText(line)
    if (old?.text === text) {
      lines.set(line.line, old)
      continue
    }
    const item = makeLine(line)
    if (!fresh) item.classList.add('flash')
    lines.set(line.line, { text, item })
  }
  ticket.lines = lines
  ticket.parts.lines.replaceChildren(...[...lines.values()].map((one) => one.item))
}

function fillTicket(ticket, cart, fresh) {
  const { element, parts } = ticket
  ticket.cart = cart
  fillLines(ticket, cart, fresh)
  parts.hidden.textContent = cart.hidden ? `+ ${cart.hidden} earlier` : ''
  parts.items.textContent = cart.items === 1 ? '1 item' : cart.items + ' items'
  const shown = cart.currency ? cart.total + ' ' + cart.currency : cart.total
  if (parts.total.textContent !== shown) {
    parts.total.textContent = shown
    if (!fresh) restart(parts.total)
  }
  element.dataset.version = cart.version
  element.dataset.total = cart.total
  element.dataset.items = cart.items
  element.dataset.status = cart.status
  ticket.words = [cart.session_id, cart.restaurant_id, ...cart.lines.map((line) => line.name)]
    .join('\n').toLowerCase()
  showAge(ticket)
}

// Play the animation of a change again.
function restart(element) {
  element.classList.remove('flash')
  void element.offsetWidth
  element.classList.add('flash')
}

function showAge(ticket) {
  const idle = now() - ticket.cart.updated_ms
  const text = span(now() - ticket.cart.created_ms)
  if (ticket.parts.age.textContent !== text) ticket.parts.age.textContent = text
  ticket.parts.age.title = 'last change ' + span(idle) + ' ago'
  ticket.element.classList.toggle('stale', idle > STALE_MS && ticket.cart.status === 'open')
}

// ---------------------------------------------------------------------------------- the board

function put(cart, fresh) {
  const key = keyOf(cart)
  let ticket = tickets.get(key)
  if (ticket && BigInt(ticket.cart.version) > BigInt(cart.version)) return
  const first = !ticket
  if (first) {
    ticket = makeTicket(cart)
    tickets.set(key, ticket)
    if (!fresh) ticket.element.classList.add('new')
  }
  ticket.told = performance.now()
  ended.delete(key)
  fillTicket(ticket, cart, first)
}

function takeAway(ticket) {
  heights.unobserve(ticket.element)
  ticket.element.remove()
}

function remove(key, how) {
  const ticket = tickets.get(key)
  if (!ticket) return
  tickets.delete(key)
  ticket.element.classList.add('ended')
  if (how) ticket.element.dataset.how = how
  setTimeout(() => takeAway(ticket), 700)
}

const orders = {
  created: (a, b) => b.cart.created_ms - a.cart.created_ms,
  updated: (a, b) => b.cart.updated_ms - a.cart.updated_ms,
  oldest: (a, b) => a.cart.created_ms - b.cart.created_ms
}

// Keep those that changed last, in their order, and only those that match.
function arrange() {
  if (tickets.size > MOST) {
    const all = [...tickets].sort((a, b) => orders.updated(a[1], b[1]))
    for (const [key, ticket] of all.slice(MOST)) {
      tickets.delete(key)
      takeAway(ticket)
    }
  }
  const words = byId('search').value.trim().toLowerCase()
  const board = byId('board')
  const sorted = [...tickets.values()].sort(orders[byId('order').value])
  let shown = 0
  let at = board.firstElementChild
  for (const ticket of sorted) {
    ticket.element.hidden = words !== '' && !ticket.words.includes(words)
    if (!ticket.element.hidden) shown++
    while (at?.classList.contains('ended')) at = at.nextElementSibling
    if (at === ticket.element) at = at.nextElementSibling
    else board.insertBefore(ticket.element, at)
  }
  byId('empty').hidden = shown > 0
  byId('empty-why').textContent =
    words === '' ? 'A ticket appears here as soon as a caller orders.' : 'No ticket matches.'
  showNote()
}

let arranging = false
function arrangeSoon() {
  if (arranging) return
  arranging = true
  requestAnimationFrame(() => {
    arranging = false
    arrange()
  })
}

function showCounts(counts) {
  if (!restaurant) {
    byId('open').textContent = counts.open.toLocaleString('en')
    byId('checked-out').textContent = counts.checked_out.toLocaleString('en')
    total = counts.open + counts.checked_out
    document.title = counts.open + ' open · Corral'
  }
  showNote()
}

// The counts that the server sends are of all restaurants: for one, the tickets are counted.
function showNote() {
  if (restaurant) {
    const open = [...tickets.values()].filter((one) => one.cart.status === 'open').length
    byId('open').textContent = open
    byId('checked-out').textContent = tickets.size - open
    document.title = open + ' open · ' + plain(restaurant) + ' · Corral'
  }
  const note = byId('note')
  const cut = !restaurant && total > tickets.size && tickets.size >= MOST
  note.hidden = !restaurant && !cut
  if (restaurant) {
    const all = make('a', '', 'show all')
    all.href = '/'
    note.replaceChildren('Only ', make('b', '', restaurant), ' \u00b7 ', all)
  } else if (cut) {
    note.textContent = `The ${tickets.size} that changed last, of ${total.toLocaleString('en')}`
  }
}

// -------------------------------------------------------------------------- list and listen

async function askBoard() {
  for (;;) {
    try {
      return await ask('/api/board', { restaurant, most: MOST })
    } catch (error) {
      showState('down', error.message)
      await pause(1000 + Math.random() * 1000)
    }
  }
}

// Take over a list that was asked for at `since`: what was told since is newer than it.
function take(list, since) {
  const there = new Set()
  noteClock(list.now_ms)
  for (const cart of list.carts) {
    const key = keyOf(cart)
    there.add(key)
    if (!(ended.get(key) > since)) put(cart, tickets.size === 0)
  }
  for (const [key, ticket] of tickets) {
    if (!there.has(key) && ticket.told < since) remove(key, '')
  }
  for (const [key, at] of ended) {
    if (at < since) ended.delete(key)
  }
  showCounts(list)
  arrange()
  document.body.dataset.listed = Number(document.body.dataset.listed || 0) + 1
}

async function list() {
  const since = performance.now()
  const answer = await askBoard()
  take(answer, since)
  return answer.position
}

let listing = false
async function listAgain() {
  if (listing) return
  listing = true
  await pause(RELIST_MS * Math.random())
  listing = false
  await list()
  showState('live')
}

const position = await list()
listen(position, { restaurant }, {
  cart(cart) {
    put(cart, false)
    arrangeSoon()
  },
  ended(end) {
    ended.set(keyOf(end), performance.now())
    remove(keyOf(end), end.how)
    arrangeSoon()
  },
  gap: listAgain,
  counts: showCounts
})
byId('search').addEventListener('input', arrangeSoon)
byId('order').addEventListener('change', arrangeSoon)
byId('filter').addEventListener('submit', (event) => event.preventDefault())
setInterval(() => tickets.forEach(showAge), 1000)
