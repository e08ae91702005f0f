/**
 * What survives a process: the stores of nodes and the manager's journal, as far as they were synced.
 */
import type { Entry } from '../shared/runtime/ports.js'

/** A node's store on the simulated disk: only what was synced. */
export interface StoredNode {
  readonly entries: Map<string, Entry>
  readonly meta: Map<string, string>
  /** Held by one process at a time, and let go when it ends. */
  isLocked: boolean
}

export class Disk {
  readonly #stores = new Map<string, StoredNode>()

  /** Made on first use, as a data directory is. */
  store(name: string): StoredNode {
    let store = this.#stores.get(name)
    if (store === undefined) {
      store = newStore()
      this.#stores.set(name, store)
    }
    return store
  }
}

export function newStore(): StoredNode {
  return { entries: new Map(), meta: new Map(), isLocked: false }
}
