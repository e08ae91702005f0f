/**
 * The store of the writes that a node keeps for others: an engine beside the main one, with one record of
 * each key, merged of what came. An engine counts live keys only, while a tombstone kept here is a hint like any
 * other, so values are wrapped: a tombstone is the empty value, anything else begins with one byte of
 * its own. The counts are then the engine's, exact from the start.
 */
import { type Merge, mergeOf } from '../../shared/data/merge.js'
import type { Mode } from '../../shared/data/mode.js'
import type { StoredRecord } from '../../shared/data/record.js'
import type { HintCount } from '../../shared/protocol/messages.js'
import { hintBytesMax } from '../../shared/runtime/limits.js'
import type { Cursor, Done, Engine, Entry, Mark, Range } from '../../shared/runtime/ports.js'

const wholeRing: Range = { from: 0, to: 0 }

/** Durable entries as they were given to `put`. */
export interface HintPage {
  readonly entries: readonly Entry[]
  readonly next: Cursor | undefined
}

export class HintStore {
  private readonly engine: Engine
  private counted: HintCount = { keys: 0, bytes: 0 }
  /** On its way to the disk, and perhaps not counted yet. */
  private pendingKeys = 0
  private pendingBytes = 0

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** Counts what an earlier life of the node left here. */
  open(done: Done): void {
    this.recount(done)
  }

  get count(): HintCount {
    return this.counted
  }

  get isEmpty(): boolean {
    return this.counted.keys === 0 && this.pendingKeys === 0
  }

  hasRoomFor(entry: Entry): boolean {
    return this.counted.bytes + this.pendingBytes + sizeOf(entry) <= hintBytesMax
  }

  put(entry: Entry, done: Done): void {
    const size = sizeOf(entry)
    this.pendingKeys++
    this.pendingBytes += size
    this.engine.apply({ ...entry, record: wrapped(entry.record) }, (error) => {
      this.pendingKeys--
      this.pendingBytes -= size
      if (error !== undefined) done(error)
      else this.recount(done)
    })
  }

  scan(
    range: Range,
    after: Cursor | undefined,
    limitBytes: number,
    done: (error: Error | undefined, page: HintPage | undefined) => void,
  ): void {
    this.engine.scan(range, after, limitBytes, (error, page) => {
      if (page === undefined) {
        return done(error ?? new Error('the scan gave no page'), undefined)
      }
      const entries = page.entries.map((entry) => ({ ...entry, record: unwrapped(entry.record) }))
      done(undefined, { entries, next: page.next })
    })
  }

  /** Those that were delivered; what is newer stays. */
  discard(marks: readonly Mark[], done: Done): void {
    this.engine.discard(marks, (error) => {
      if (error !== undefined) done(error)
      else this.recount(done)
    })
  }

  eraseAll(done: Done): void {
    this.engine.erase([wholeRing], {}, (error) => {
      if (error !== undefined) done(error)
      else this.recount(done)
    })
  }

  private recount(done: Done): void {
    this.engine.stats((error, stats) => {
      if (stats !== undefined) this.counted = { keys: stats.keys, bytes: stats.bytes }
      done(error)
    })
  }
}

/** How the engine of hints merges: what is wrapped must be merged as what it stands for. */
export function hintMergeOf(mode: Mode): Merge {
  const merge = mergeOf(mode)
  // By version alone: the values may stay wrapped.
  if (mode === 'latest') return merge
  return (held, incoming) => {
    if (held === undefined) return incoming
    const mine = unwrapped(held)
    const theirs = unwrapped(incoming)
    const merged = merge(mine, theirs)
    if (merged === mine) return held
    return merged === theirs ? incoming : wrapped(merged)
  }
}

const tombstone = new Uint8Array(0)

function wrapped(record: StoredRecord): StoredRecord {
  const { value } = record
  if (value === null) return { ...record, value: tombstone }
  const wrapping = new Uint8Array(value.length + 1)
  wrapping.set(value, 1)
  return { ...record, value: wrapping }
}

function unwrapped(record: StoredRecord): StoredRecord {
  const { value } = record
  return { ...record, value: value === null || value.length === 0 ? null : value.subarray(1) }
}

function sizeOf({ key, record }: Entry): number {
  return key.length + (record.value?.length ?? 0) + 1
}
