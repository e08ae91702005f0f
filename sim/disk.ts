/**
 * What survives a process: the stores of nodes and the manager's journal, as far as they were synced.
 */
import { keyText } from '../shared/data/key-text.js'
import type { StoredRecord } from '../shared/data/record.js'
import type { Micros } from '../shared/data/version.js'
import type { Token } from '../shared/ring/description.js'
import { tokenOf } from '../shared/ring/token.js'
import type { Entry } from '../shared/runtime/ports.js'

/** A node's store on the simulated disk: only what was synced. */
export interface StoredNode {
  readonly entries: Map<string, Entry>
  readonly meta: Map<string, string>
  /** Held by one process at a time, and let go when it ends. */
  isLocked: boolean
  /** What the disk under it adds to every sync now. */
  slowMicros: Micros
  /** The disk under it has hardly any room left. */
  isLow: boolean
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

  /** The data directory is deleted, or lost with its disk. */
  remove(name: string): void {
    this.#stores.delete(name)
  }
}

export function newStore(): StoredNode {
  return { entries: new Map(), meta: new Map(), isLocked: false, slowMicros: 0, isLow: false }
}

/** How the store names an entry. */
export function entryName(token: Token, key: Uint8Array): string {
  return `${token}/${keyText(key)}`
}

/** What a read after a crash would find. */
export function durableRecord(store: StoredNode, key: Uint8Array): StoredRecord | undefined {
  return store.entries.get(entryName(tokenOf(key), key))?.record
}
