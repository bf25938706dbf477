// SPDX-License-Identifier: LGPL-2.1-or-later
// server.mjs: Fastify and a websocket that speaks the events of a realtime voice API.
import Fastify from 'fastify'
import websocket from '@fastify/websocket'
import { live } from './live.mjs'
import { call } from './tools.mjs'

export async function serve({ store, port }) {
  const server = Fastify({ forceCloseConnections: true })
  await server.register(websocket)

  server.get('/realtime/:restaurant/:session', { websocket: true }, (socket, request) => {
    const { restaurant, session } = request.params
    const cart = store.cart(restaurant, session)
    socket.send(JSON.stringify({ type: 'session.created', worker: process.pid }))
    socket.on('message', (text) => {
      const event = JSON.parse(text)
      if (event.type !== 'response.function_call_arguments.done') return
      const output = JSON.stringify(call(cart, event))
      const item = { type: 'function_call_output', call_id: event.call_id, output }
      socket.send(JSON.stringify({ type: 'conversation.item.create', item }))
    })
  })

  // For the kitchen's screen: what is open, without keeping it alive.
  server.get('/orders/:restaurant', (request) => [
    ...store.list({ restaurantId: request.params.restaurant }),
  ])

  live(server, store)

  await server.listen({ port, host: '127.0.0.1' })
  return server
}
