// SPDX-License-Identifier: LGPL-2.1-or-later
// index.mjs: the same instance for `import`.
import corral from './index.cjs'

export const {
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
} = corral
