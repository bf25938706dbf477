// SPDX-License-Identifier: LGPL-2.1-or-later
import type { Store, OpenOptions } from '../index.js'

/** An arena for one test file. */
export interface FreshArena {
  readonly dir: string
  readonly store: Store
  /** Close the store, end the agent, remove the directory. The end of the process does so, too. */
  remove(): Promise<void>
}

/** Make a directory with an agent of its own, and open it. args: further arguments of the agent. */
export function freshArena(
  options?: { args?: readonly string[] } & Omit<OpenOptions, 'dir'>
): Promise<FreshArena>
