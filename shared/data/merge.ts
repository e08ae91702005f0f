/**
 * How two records of one key become one. Every merge may be repeated and reordered at will: it is
 * commutative, associative and idempotent, whichever the mode.
 */
import { chainMerge } from './chain-record.js'
import type { Mode } from './mode.js'
import { type StoredRecord, supersedes } from './record.js'
import { siblingsMerge } from './siblings.js'

/** Gives `held` itself where `incoming` adds nothing to it, `incoming` where it has all of it. */
export type Merge = (held: StoredRecord | undefined, incoming: StoredRecord) => StoredRecord

const merges: Readonly<Record<Mode, Merge>> = {
  latest: (held, incoming) => (held === undefined || supersedes(incoming, held) ? incoming : held),
  siblings: siblingsMerge,
  chain: chainMerge,
}

export function mergeOf(mode: Mode): Merge {
  return merges[mode]
}
