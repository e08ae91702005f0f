/**
 * The ports through which protocol code reaches storage, the journal and the ring files.
 * All results come as callbacks, each called exactly once, never before the call that
 * asked has a chance to be remembered: see each method for when it may be called at once.
 */
import type { StoredRecord } from '../data/record.js'
import type { Version } from '../data/version.js'
import type { RingDescription, Token } from '../ring/description.js'

/** A range of the ring: (from, to], wrapping; from === to is the whole ring. */
export interface Range {
  readonly from: Token
  readonly to: Token
}

export interface Entry {
  readonly token: Token
  readonly key: Uint8Array
  readonly record: StoredRecord
}

/** Where a scan stands: the last entry it returned. */
export interface Cursor {
  readonly token: Token
  readonly key: Uint8Array
}

/** One version of one key. */
export interface Mark {
  readonly token: Token
  readonly key: Uint8Array
  readonly version: Version
}

export interface ScanPage {
  readonly entries: readonly Entry[]
  /** Where to go on; undefined at the end of the range. */
  readonly next: Cursor | undefined
}

export interface EngineStats {
  /** Live keys, tombstones left out. */
  readonly keys: number
  /** Bytes of keys and values. */
  readonly bytes: number
}

export type Done = (error: Error | undefined) => void

/**
 * A node's storage. Every write is a *merge* (data/merge.ts): it joins what is stored and still unsynced
 * of its key with what comes. `done` follows once the merged state is as durable as the swarm asks,
 * also where the incoming record lost against one that is not durable yet; it may be called at once.
 * A failed write or sync reports its error to everything that rests on it; the engine then refuses
 * all that follows.
 */
export interface Engine {
  apply(entry: Entry, done: Done): void
  /** Merges a batch atomically, with the named meta values in the same durable write. */
  applyBatch(entries: readonly Entry[], meta: Readonly<Record<string, string>>, done: Done): void
  /**
   * Replaces the record of one key by what `change` makes of it, unsynced writes included; it is called
   * at once, and exactly once unless the engine refuses. Undefined leaves the record. `done` gets what
   * the key holds then, once that is as durable as the swarm asks.
   */
  update(
    token: Token,
    key: Uint8Array,
    change: (held: StoredRecord | undefined) => StoredRecord | undefined,
    done: (error: Error | undefined, record: StoredRecord | undefined) => void,
  ): void
  /**
   * The newest record, unsynced ones included; the callback waits until that one is durable and is
   * called at once where it already is.
   */
  read(
    token: Token,
    key: Uint8Array,
    done: (error: Error | undefined, record: StoredRecord | undefined) => void,
  ): void
  /**
   * Entries of the range in order of token (from the range's start, wrapping) and key, tombstones
   * included, durable ones only, everything applied before the call among them. Stops after
   * `limitBytes` of keys and values, with at least one entry a page.
   */
  scan(
    range: Range,
    after: Cursor | undefined,
    limitBytes: number,
    done: (error: Error | undefined, page: ScanPage | undefined) => void,
  ): void
  /** Erases every entry of the ranges durably, with the meta values in the same order of writes. */
  erase(ranges: readonly Range[], meta: Readonly<Record<string, string>>, done: Done): void
  /**
   * Removes those records that still have exactly the marked version, tombstones and values alike,
   * durably; what is newer stays.
   */
  discard(marks: readonly Mark[], done: Done): void
  /** Meta values survive with the data: identity, plan progress. Durable ones, read at once. */
  meta(name: string): string | undefined
  stats(done: (error: Error | undefined, stats: EngineStats | undefined) => void): void
  /** Writes out what is pending and lets go of the store. */
  close(done: Done): void
}

/** How much room the disk has under a node's store. */
export interface DiskSpace {
  /** Less than the reserve is free: the node takes no more writes. Cheap: looked up now and then. */
  isLow(): boolean
}

/** The manager's write-ahead journal: an entry is durable before its effect. */
export interface Journal<Step> {
  append(step: Step, done: Done): void
  /** Like `append`, and all older entries go in the same durable write: the step stands for them. */
  compact(step: Step, done: Done): void
  close(done: Done): void
}

/** `ring.<epoch>` files in the run directory: the fence. All synchronous. */
export interface RingFiles {
  /** Publishes by link(2). `exists`: that epoch was published before. */
  publish(ring: RingDescription): 'published' | 'exists'
  exists(epoch: number): boolean
  /** The newest ring published; undefined if none is. */
  newest(): RingDescription | undefined
  /** Deletes all but the newest `keep`, in ascending order of epoch. */
  prune(keep: number): void
}
