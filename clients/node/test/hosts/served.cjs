// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// served.cjs: a server that PM2 runs several of. The path /CART/ID adds a coke to a cart, once.

const http = require('node:http')
const { open } = require('corral-client')

const store = open({ dir: process.env.DIR })
const server = http.createServer((request, response) => {
  const [, session, opId] = request.url.split('/')
  store.cart('r', session).add({ menuItemId: 'coke', unitPriceCents: 250 }, { opId })
  response.setHeader('connection', 'close') // the next request is another worker's
  response.end(String(process.pid))
})
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send('ready'))
process.once('SIGINT', () => server.close(() => process.exit(0)))
