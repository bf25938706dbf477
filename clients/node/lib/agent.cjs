// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// agent.cjs: start and end corral-agent, the one in this package or another. Nothing is taken from
// the environment, nor passed on with it.

const { spawn, spawnSync } = require('node:child_process')
const { agentProgram } = require('./native.cjs')
const { filled, options } = require('./check.cjs')
const { refuse } = require('./errors.cjs')

const START = new Set(['dir', 'program', 'args', 'signal'])
const STOP = new Set(['dir', 'program', 'signal'])
const SAID_MAX = 4096
const ALREADY = 1 // another agent has the directory
const NONE_RUNS = 4

// Run the program until its first process ends; one that goes to the background leaves it then.
function run(program, args, signal, fine) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: {}, signal })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said = (said + text).slice(-SAID_MAX)
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    // what it said last may come after its end; the pipe may never end, since the agent has it
    child.once('exit', (code, by) => {
      setImmediate(() => {
        child.stderr.destroy()
        if (code === 0 || code === fine) return resolve()
        return reject(
          new Error(`${program} ${args.join(' ')}: ${said.trim() || by || `exit code ${code}`}`)
        )
      })
    })
  })
}

/** Start an agent for a directory; resolves when it is ready, or another one has the directory. */
async function startAgent(given) {
  const { dir, program = agentProgram, args = [], signal } = options(given, START)
  filled(dir, 'dir')
  filled(program, 'program')
  if (!Array.isArray(args)) throw refuse(TypeError, 'args', 'an array of strings is wanted')
  await run(
    program,
    ['--dir', dir, '--daemon', ...args.map((arg, i) => filled(arg, `args[${i}]`))],
    signal,
    ALREADY
  )
}

/** End the agent of a directory. */
async function stopAgent(given) {
  const { dir, program = agentProgram, signal } = options(given, STOP)
  await run(filled(program, 'program'), ['--dir', filled(dir, 'dir'), '--stop'], signal, NONE_RUNS)
}

// For the end of a process.
function stopAgentNow(dir) {
  spawnSync(agentProgram, ['--dir', dir, '--stop'], { stdio: 'ignore', env: {} })
}

module.exports = { startAgent, stopAgent, stopAgentNow }
