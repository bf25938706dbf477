// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// index.cjs: what a user of the package sees; index.d.ts describes it.

const { native, agentProgram } = require('./lib/native.cjs')
const { CorralError } = require('./lib/errors.cjs')
const { open, Store } = require('./lib/store.cjs')
const { Cart } = require('./lib/cart.cjs')
const { startAgent, stopAgent } = require('./lib/agent.cjs')
const { money, rate } = require('./lib/money.cjs')
const { RawExtra } = require('./lib/msgpack.cjs')

const version = native.version()

// (names only: then `import` finds them, too)
module.exports = {
  open,
  startAgent,
  stopAgent,
  money,
  rate,
  CorralError,
  RawExtra,
  Store,
  Cart,
  agentProgram,
  version,
}
