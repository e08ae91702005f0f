/**
 * An erase of ranges that was asked for and is not done: what is stored of them counts as gone,
 * except what was written since.
 */
import type { Token } from '../ring/description.js'
import { inRange } from '../ring/token.js'
import type { Done, Range } from '../runtime/ports.js'
import { type Keyed, KeyMap } from './key-map.js'

interface Spared extends Keyed<Spared> {}

export class Erasure {
  readonly ranges: readonly Range[]
  readonly meta: Readonly<Record<string, string>>
  /** Keys that were written since it was asked for. */
  readonly #spared = new KeyMap<Spared>()
  readonly waiting: Done[] = []

  constructor(ranges: readonly Range[], meta: Readonly<Record<string, string>>) {
    this.ranges = ranges
    this.meta = meta
  }

  /** The key is of the ranges, and what is stored of it counts as gone. */
  erases(token: Token, key: Uint8Array): boolean {
    return this.#covers(token) && this.#spared.get(token, key) === undefined
  }

  spare(token: Token, key: Uint8Array): void {
    if (this.#covers(token)) this.#spared.set({ token, key, chained: undefined })
  }

  #covers(token: Token): boolean {
    return this.ranges.some((range) => inRange(token, range))
  }
}
