// SPDX-License-Identifier: LGPL-2.1-or-later
// live.mjs: a page that shows an order while it is spoken. Each change of the cart is an event for
// the browser, whichever worker makes it. The browser names the last one that it had when it
// connects again, to any worker: so it misses none, and has none twice.
import { once } from 'node:events'
import fs from 'node:fs'

const BEAT_MS = 1000
const page = fs.readFileSync(new URL('live.html', import.meta.url))

const named = (name, data, id) =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

/** Send what happens, until the browser has gone. */
async function send(store, { restaurant, session }, from, stream, signal) {
  const write = async (text) => {
    if (!stream.write(text)) await once(stream, 'drain', { signal }) // a slow one waits, not we
  }
  const cart = store.cart(restaurant, session)
  const show = () => write(named('order', cart.get({ touch: false })))
  // what comes after this line is told, and what came before it is in the order
  const events = store.events({ restaurantId: restaurant, sessionId: session, from, signal })
  await write('retry: 200\n\n')
  await show()
  for await (const event of events) {
    await write(named(event.kind === 'gap' ? 'gap' : 'change', event, event.number))
    await show()
  }
}

export function live(server, store) {
  server.get('/live/:restaurant/:session', (request, reply) => reply.type('text/html').send(page))

  server.get('/events/:restaurant/:session', (request, reply) => {
    const last = request.headers['last-event-id'] ?? request.query.after
    // a browser that is new is told all that is known of the cart
    const from = last === undefined ? 'oldest' : Number(last) + 1
    const stream = reply.hijack().raw
    const gone = new AbortController()
    stream.on('close', () => gone.abort())
    stream.on('error', () => {}) // and then it is closed
    stream.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    // so a browser whose worker is gone notices it
    const beat = setInterval(() => stream.write(named('beat', null)), BEAT_MS)
    send(store, request.params, from, stream, gone.signal)
      .catch((error) => {
        if (!gone.signal.aborted) request.log.error(error)
      })
      .finally(() => {
        clearInterval(beat)
        stream.end()
      })
  })
}
