/**
 * The leaves of a range of this node's store: one scan, page by page, with a pause after each, so that
 * the memory it takes is one page and the hashes, and requests go first.
 */
import { MerkleLeaves } from '../../shared/data/merkle.js'
import { handoffBatchBytes, merkleHashBytes } from '../../shared/runtime/limits.js'
import type { Cursor, Entry, Range } from '../../shared/runtime/ports.js'
import type { Desk } from '../desk.js'
import type { Pace } from './pace.js'

/** Repair's surroundings: what a comparison needs besides the desk. */
export interface RepairContext {
  readonly desk: Desk
  readonly pace: Pace
  /** Tombstones that are being collected do not count as a difference. */
  readonly isLeftOut: (entry: Entry) => boolean
}

export interface BuiltLeaves {
  readonly hashes: Uint8Array
  /** Entries of each leaf. */
  readonly counts: readonly number[]
}

/** `isOver`: nobody wants them any more, and `built` is not called. */
export function buildLeaves(
  { desk, pace, isLeftOut }: RepairContext,
  { range, leaves }: { readonly range: Range; readonly leaves: number },
  isOver: () => boolean,
  built: (leaves: BuiltLeaves) => void,
): void {
  const merkle = new MerkleLeaves(range, leaves, merkleHashBytes)
  const readOn = (cursor: Cursor | undefined): void => {
    if (isOver()) return
    desk.engine.scan(range, cursor, handoffBatchBytes, (error, page) => {
      if (isOver()) return
      if (page === undefined) {
        return desk.storageFailed(error ?? new Error('the scan gave no page'))
      }
      for (const entry of page.entries) {
        if (!isLeftOut(entry)) merkle.add(entry)
      }
      const { next } = page
      if (next === undefined) built({ hashes: merkle.finish(), counts: merkle.counts })
      else pace.afterPage(() => readOn(next))
    })
  }
  readOn(undefined)
}
