// SPDX-License-Identifier: LGPL-2.1-or-later
// common.js: what the pages share. What strangers said becomes text nodes only: the pages' policy
// allows no markup to be made of text.

// Characters that control, hide or turn text around are shown by their number.
const UNPLAIN = new RegExp('[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b-\\u200f' +
  '\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]', 'gu')

export function plain(text) {
  return String(text).replace(UNPLAIN, (one) =>
    '\u2039U+' + one.codePointAt(0).toString(16).toUpperCase().padStart(4, '0') + '\u203a')
}

// An element with a class ('' for none) and children: elements, or texts of any origin.
export function make(tag, name, ...children) {
  const element = document.createElement(tag)
  if (name) element.className = name
  element.append(...children.map((child) => (child instanceof Node ? child : plain(child))))
  return element
}

export const byId = (id) => document.getElementById(id)

// The bar is the same on each page.
for (const link of document.querySelectorAll('nav a')) {
  if (link.pathname === location.pathname) link.setAttribute('aria-current', 'page')
}

// How much the server's clock is ahead of ours.
let ahead = 0
export function noteClock(nowMs) {
  ahead = nowMs - Date.now()
}
export const now = () => Date.now() + ahead

// "now", "40 s", "12 min", "3 h", "2 d"
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 5) return 'now'
  if (seconds < 60) return seconds + ' s'
  if (seconds < 3600) return Math.floor(seconds / 60) + ' min'
  if (seconds < 86400) return Math.floor(seconds / 3600) + ' h'
  return Math.floor(seconds / 86400) + ' d'
}

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit' }
export const clock = (ms) => new Date(ms).toLocaleTimeString([], CLOCK)

export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let at = 0
  while (Math.abs(count) >= 1024 && at < units.length - 1) {
    count /= 1024
    at++
  }
  return (at === 0 ? count : count.toFixed(count < 10 ? 1 : 0)) + ' ' + units[at]
}

const STATES = { live: 'live', lost: 'reconnecting', down: 'no answer' }

export function showState(state, why) {
  const live = byId('live')
  live.dataset.state = state
  live.textContent = STATES[state]
  live.title = why ? plain(why) : ''
}

export function query(parameters) {
  const text = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== '' && value !== undefined && value !== null) text.set(name, value)
  }
  const whole = text.toString()
  return whole ? '?' + whole : ''
}

export const orderLink = (cart) =>
  '/order' + query({ restaurant: cart.restaurant_id, session: cart.session_id })

// Fetch JSON. An error has `status` (0: no server answered) and the server's message.
export async function ask(path, parameters = {}) {
  let response
  try {
    response = await fetch(path + query(parameters), { cache: 'no-store' })
  } catch (cause) {
    throw Object.assign(new Error('no answer', { cause }), { status: 0 })
  }
  const body = await response.json().catch(() => ({}))
  if (response.ok) return body
  throw Object.assign(new Error(body.error || response.statusText), { status: response.status })
}

// Listen from an event on, for as long as the page is open. `on` has a function for each kind of
// message. A browser connects again by itself where the connection breaks; where the server refuses
// (it is full, it is starting), we do.
export function listen(from, parameters, on) {
  let last = from
  let source
  const begin = () => {
    source = new EventSource('/api/events' + query({ ...parameters, from: last }))
    for (const kind of ['cart', 'ended', 'gap', 'counts']) {
      source.addEventListener(kind, (event) => {
        last = event.lastEventId || last
        on[kind]?.(JSON.parse(event.data))
      })
    }
    source.onopen = () => showState('live')
    source.onerror = () => {
      showState('lost')
      if (source.readyState !== EventSource.CLOSED) return
      source.close()
      setTimeout(begin, 1000 + Math.random() * 2000)
    }
  }
  begin()
  addEventListener('pagehide', () => source.close())
  addEventListener('pageshow', (event) => event.persisted && begin())
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
