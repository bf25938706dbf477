// SPDX-License-Identifier: LGPL-2.1-or-later
// worker.mjs: one of the workers: it opens the carts, serves, and leaves when it is asked to.
import cluster from 'node:cluster'
import { open } from 'corral-client'
import { serve } from './server.mjs'

const store = open({ dir: process.env.CARTS, label: `voice-order ${process.pid}` })

const server = await serve({ store, port: Number(process.env.PORT ?? 8080) })

process.once('SIGTERM', async () => {
  await server.close() // callers come back to another worker
  store.close()
  if (process.connected) cluster.worker.disconnect()
})
