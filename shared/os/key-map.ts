/**
 * A map from (token, key) to an item. Tokens are hashes, so nearly every token has one key: the map
 * is by token, a number, and the rare keys that share one form a chain. No string is made of a key.
 * Tokens are taken as signed integers, which the engine keeps without a heap object for each.
 */
import type { Token } from '../ring/description.js'

export interface Keyed<Item> {
  readonly token: Token
  readonly key: Uint8Array
  /** The map's own: another item of the same token. */
  chained: Item | undefined
}

export class KeyMap<Item extends Keyed<Item>> {
  readonly #chains = new Map<number, Item>()

  get(token: Token, key: Uint8Array): Item | undefined {
    let item = this.#chains.get(token | 0)
    while (item !== undefined && !sameKey(item.key, key)) item = item.chained
    return item
  }

  /** Replaces the item of the same token and key. */
  set(item: Item): void {
    const first = this.#chains.get(item.token | 0)
    if (first !== undefined) {
      this.delete(item.token, item.key)
      item.chained = this.#chains.get(item.token | 0)
    }
    this.#chains.set(item.token | 0, item)
  }

  delete(token: Token, key: Uint8Array): void {
    const first = this.#chains.get(token | 0)
    if (first === undefined) return
    if (sameKey(first.key, key)) {
      if (first.chained === undefined) this.#chains.delete(token | 0)
      else this.#chains.set(token | 0, first.chained)
      return
    }
    for (let item = first; item.chained !== undefined; item = item.chained) {
      if (!sameKey(item.chained.key, key)) continue
      item.chained = item.chained.chained
      return
    }
  }

  /** In no particular order; items may be deleted meanwhile. */
  *items(): Generator<Item> {
    for (const first of this.#chains.values()) {
      for (let item: Item | undefined = first; item !== undefined; item = item.chained) yield item
    }
  }
}

function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
