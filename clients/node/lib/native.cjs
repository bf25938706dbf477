// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// native.cjs: the addon and the agent's program, which lie in native/PLATFORM-ARCH.

const path = require('node:path')

const folder = path.join(__dirname, '..', 'native', `${process.platform}-${process.arch}`)

function load() {
  const file = path.join(folder, 'corral.node')
  try {
    return require(file)
  } catch (error) {
    throw new Error(
      `corral: ${file} cannot be loaded: ${error.message}. This package is for Linux with glibc ` +
        `${require('../package.json').glibc ?? ''} or newer; elsewhere build it with "make node"`,
      { cause: error }
    )
  }
}

module.exports = { native: load(), agentProgram: path.join(folder, 'corral-agent') }
