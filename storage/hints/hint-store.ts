/**
 * The store of the writes that a node keeps for others: an engine beside the main one, with the newest
 * version of each key. An engine counts live keys only, while a tombstone kept here is a hint like any
 * other, so values are wrapped: a tombstone is the empty value, anything else begins with one byte of
 * its own. The counts are then the engine's, exact from the start.
 */
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
    this.engine.apply(wrapped(entry), (error) => {
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
      if (page === undefined) done(error ?? new Error('the scan gave no page'), undefined)
      else done(undefined, { entries: page.entries.map(unwrapped), next: page.next })
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

const tombstone = new Uint8Array(0)

function wrapped({ token, key, record: { version, value } }: Entry): Entry {
  if (value === null) return { token, key, record: { version, value: tombstone } }
  const wrapping = new Uint8Array(value.length + 1)
  wrapping.set(value, 1)
  return { token, key, record: { version, value: wrapping } }
}

function unwrapped({ token, key, record: { version, value } }: Entry): Entry {
  const inner = value === null || value.length === 0 ? null : value.subarray(1)
  return { token, key, record: { version, value: inner } }
}

function sizeOf({ key, record }: Entry): number {
  return key.length + (record.value?.length ?? 0) + 1
}
