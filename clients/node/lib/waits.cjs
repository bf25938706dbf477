// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict'
// waits.cjs: what waits is a Promise, decided by the one thread of ../waits.c.

const { native } = require('./native.cjs')
const { errorOf, refuse, ECANCELED } = require('./errors.cjs')
const { describe } = require('./check.cjs')

const FOR_EVER = -1

// Some hosts (Jest) evaluate this file several times over one addon: what belongs to that is kept
// with it. waiting: id -> what decides its Promise.
const shared = (native.shared ??= { watches: false, last: 0, waiting: new Map() })
const { waiting } = shared

function decided(id, result, version) {
  const wait = waiting.get(id)
  if (wait === undefined) return // it was aborted, and is answered
  waiting.delete(id)
  wait.decide(result, version)
}

function signalOf(signal) {
  if (signal === undefined) return undefined
  if (typeof signal?.addEventListener !== 'function' || typeof signal.aborted !== 'boolean')
    throw refuse(TypeError, 'signal', `an AbortSignal is wanted, not ${describe(signal)}`)
  return signal
}

// Begin a wait. what: the ids of a cart, a feed's number, or undefined for the disk.
function begin(store, what, restaurantUnits, after, timeoutMs, given) {
  const signal = signalOf(given)
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw signal.reason
    if (!shared.watches) {
      const r = native.watch(decided)
      if (r < 0) throw errorOf(r)
      shared.watches = true
    }
    const id = ++shared.last
    const r = native.wait(store.number, what, restaurantUnits, after, timeoutMs, id)
    if (r < 0) throw errorOf(r)
    const abort = () => {
      waiting.delete(id)
      end()
      native.cancel(id)
      reject(signal.reason)
    }
    const end = () => {
      store.waits.delete(id)
      signal?.removeEventListener('abort', abort)
    }
    waiting.set(id, {
      decide(result, version) {
        end()
        if (result >= 0) resolve(version)
        else reject(errorOf(result, 0, result === ECANCELED ? 'the store was closed' : ''))
      },
    })
    store.waits.add(id)
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** Wait for a change of a cart; resolves to its version. */
function change(store, key, after, timeoutMs, signal) {
  return begin(store, key.key, key.restaurantUnits, after, timeoutMs, signal)
}

/** Wait for the disk. */
async function disk(store, signal) {
  await begin(store, undefined, 0, 0, FOR_EVER, signal)
}

/** Wait until a feed has something to be read. */
async function events(store, feed, signal) {
  await begin(store, feed, 0, 0, FOR_EVER, signal)
}

/** The waits of a store end: it is closed. */
function cancelAll(store) {
  for (const id of store.waits) native.cancel(id)
}

module.exports = { change, disk, events, cancelAll, signalOf, FOR_EVER }
