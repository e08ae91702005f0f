/**
 * The simulated storage engine. As the port asks, every write merges with the newest record, synced
 * or not, and is answered once what it rests on is durable. Writes gather while a sync is under way
 * and share the next one (group commit). A crash leaves what was synced, and of a sync under way
 * all, nothing, or the writes before some point.
 *
 * The order of all that was asked is one sequence of numbers: `latest` holds, for each key, the newest
 * record and the number of the write that brought it; everything up to `#synced` is on the disk.
 */

import type { Merge } from '../shared/data/merge.js'
import type { StoredRecord } from '../shared/data/record.js'
import { compareVersions, type Micros } from '../shared/data/version.js'
import type { Token } from '../shared/ring/description.js'
import { inRange } from '../shared/ring/token.js'
import type {
  Cursor,
  Done,
  Engine,
  EngineStats,
  Entry,
  Mark,
  Range,
  ScanPage,
} from '../shared/runtime/ports.js'
import { entryName, type StoredNode } from './disk.js'
import type { Random } from './random.js'

export interface SimEngineOptions {
  readonly store: StoredNode
  readonly random: Random
  readonly merge: Merge
  /** Calls back after so many microseconds, unless the process is gone by then. */
  readonly later: (delay: Micros, fire: () => void) => void
  /** Longest sync. */
  readonly syncMicrosMax: Micros
  /** Entries of one scan page at most: small pages make handoff resume often. */
  readonly pageEntriesMax?: number
  /** Told of every erasure as it is asked for. */
  readonly onErase?: (ranges: readonly Range[]) => void
  /** Told of the tombstones that are to be discarded, before they are. */
  readonly onDiscard?: (marks: readonly Mark[]) => void
}

interface Latest {
  readonly entry: Entry
  /** Erased: the entry only says when. */
  readonly erased: boolean
  readonly sequence: number
}

interface Write {
  readonly sequence: number
  readonly entries: readonly Entry[]
  readonly erased: readonly Range[]
  readonly discarded?: readonly Mark[]
  readonly meta: Readonly<Record<string, string>>
}

interface Waiting {
  readonly sequence: number
  readonly ready: (error: Error | undefined) => void
}

export class SimEngine implements Engine {
  readonly #options: SimEngineOptions
  readonly #store: StoredNode
  readonly #latest = new Map<string, Latest>()
  #writes: Write[] = []
  #syncing: readonly Write[] = []
  #waiting: Waiting[] = []
  #sequence = 0
  #synced = 0
  #failure: Error | undefined
  #isSyncing = false
  #isClosed = false

  constructor(options: SimEngineOptions) {
    this.#options = options
    this.#store = options.store
    if (this.#store.isLocked) throw new Error('the store is held by another process')
    this.#store.isLocked = true
    for (const [name, entry] of this.#store.entries) {
      this.#latest.set(name, { entry, erased: false, sequence: 0 })
    }
  }

  apply(entry: Entry, done: Done): void {
    this.applyBatch([entry], {}, done)
  }

  applyBatch(given: readonly Entry[], meta: Readonly<Record<string, string>>, done: Done): void {
    if (this.#failure !== undefined) {
      done(this.#failure)
      return
    }
    const sequence = this.#sequence + 1
    const newer: Entry[] = []
    let restsOn = 0
    for (const entry of given.map(copyOf)) {
      const name = entryName(entry.token, entry.key)
      const held = this.#latest.get(name)
      const before = held === undefined || held.erased ? undefined : held.entry.record
      const record = this.#options.merge(before, entry.record)
      if (held !== undefined && record === before) {
        restsOn = Math.max(restsOn, held.sequence)
        continue
      }
      const merged = { ...entry, record }
      this.#latest.set(name, { entry: merged, erased: false, sequence })
      newer.push(merged)
    }
    if (newer.length > 0 || Object.keys(meta).length > 0) {
      this.#write({ sequence, entries: newer, erased: [], meta })
      restsOn = sequence
    }
    this.#whenSynced(restsOn, done)
  }

  update(
    token: Token,
    key: Uint8Array,
    change: (held: StoredRecord | undefined) => StoredRecord | undefined,
    done: (error: Error | undefined, record: StoredRecord | undefined) => void,
  ): void {
    if (this.#failure !== undefined) {
      done(this.#failure, undefined)
      return
    }
    const name = entryName(token, key)
    const held = this.#latest.get(name)
    const before = held === undefined || held.erased ? undefined : held.entry.record
    const record = change(before)
    let restsOn = held?.sequence ?? 0
    if (record !== undefined) {
      restsOn = this.#sequence + 1
      const entry = copyOf({ token, key, record })
      this.#latest.set(name, { entry, erased: false, sequence: restsOn })
      this.#write({ sequence: restsOn, entries: [entry], erased: [], meta: {} })
    }
    this.#whenSynced(restsOn, (error) => {
      if (error === undefined) done(undefined, record ?? before)
      else done(error, undefined)
    })
  }

  read(
    token: Token,
    key: Uint8Array,
    done: (error: Error | undefined, record: StoredRecord | undefined) => void,
  ): void {
    if (this.#failure !== undefined) {
      done(this.#failure, undefined)
      return
    }
    const held = this.#latest.get(entryName(token, key))
    const record = held === undefined || held.erased ? undefined : held.entry.record
    this.#whenSynced(held?.sequence ?? 0, (error) => {
      if (error === undefined) done(undefined, record)
      else done(error, undefined)
    })
  }

  scan(
    range: Range,
    after: Cursor | undefined,
    limitBytes: number,
    done: (error: Error | undefined, page: ScanPage | undefined) => void,
  ): void {
    if (this.#failure !== undefined) {
      done(this.#failure, undefined)
      return
    }
    this.#whenSynced(this.#sequence, (error) => {
      if (error === undefined) done(undefined, this.#page(range, after, limitBytes))
      else done(error, undefined)
    })
  }

  erase(ranges: readonly Range[], meta: Readonly<Record<string, string>>, done: Done): void {
    if (this.#failure !== undefined) {
      done(this.#failure)
      return
    }
    this.#options.onErase?.(ranges)
    const sequence = this.#sequence + 1
    for (const [name, { entry }] of this.#latest) {
      if (!ranges.some((range) => inRange(entry.token, range))) continue
      this.#latest.set(name, { entry, erased: true, sequence })
    }
    this.#write({ sequence, entries: [], erased: ranges, meta })
    this.#whenSynced(sequence, done)
  }

  discard(marks: readonly Mark[], done: Done): void {
    if (this.#failure !== undefined) {
      done(this.#failure)
      return
    }
    this.#options.onDiscard?.(marks.filter((mark) => this.#isTombstone(mark)))
    const sequence = this.#sequence + 1
    const gone: Mark[] = []
    for (const mark of marks) {
      const name = entryName(mark.token, mark.key)
      const held = this.#latest.get(name)
      if (held === undefined || held.erased) continue
      if (compareVersions(held.entry.record.version, mark.version) !== 0) continue
      this.#latest.set(name, { ...held, erased: true, sequence })
      gone.push(mark)
    }
    if (gone.length > 0)
      this.#write({ sequence, entries: [], erased: [], discarded: gone, meta: {} })
    this.#whenSynced(gone.length > 0 ? sequence : this.#sequence, done)
  }

  meta(name: string): string | undefined {
    return this.#store.meta.get(name)
  }

  stats(done: (error: Error | undefined, stats: EngineStats | undefined) => void): void {
    if (this.#failure !== undefined) {
      done(this.#failure, undefined)
      return
    }
    let keys = 0
    let bytes = 0
    for (const { key, record } of this.#store.entries.values()) {
      if (record.value === null) continue
      keys++
      bytes += key.length + record.value.length
    }
    done(undefined, { keys, bytes })
  }

  close(done: Done): void {
    if (this.#failure !== undefined) {
      if (!this.#isClosed) this.#store.isLocked = false
      done(this.#isClosed ? undefined : this.#failure)
      return
    }
    this.#whenSynced(this.#sequence, (error) => {
      this.#isClosed = error === undefined
      this.#failure ??= new Error('the engine is closed')
      this.#store.isLocked = false
      done(error)
    })
  }

  /**
   * The disk refuses from now on: every write that was not synced fails, and all that follow. Some of
   * those that failed may be found on the disk later.
   */
  fail(error: Error): void {
    this.#tear()
    this.#failure = error
    this.#isSyncing = false
    this.#syncing = []
    this.#writes = []
    const waiting = this.#waiting
    this.#waiting = []
    for (const { ready } of waiting) ready(error)
  }

  /** The process died: what was not synced is gone; a sync under way may have come through. */
  crash(): void {
    this.#tear()
    this.#failure = new Error('the process of this engine is dead')
    this.#isSyncing = false
    this.#waiting = []
    this.#store.isLocked = false
  }

  #isTombstone({ token, key, version }: Mark): boolean {
    const held = this.#latest.get(entryName(token, key))
    if (held === undefined || held.erased) return false
    const { record } = held.entry
    return record.value === null && compareVersions(record.version, version) === 0
  }

  #tear(): void {
    if (!this.#isSyncing || this.#failure !== undefined) return
    this.#toDisk(this.#syncing.slice(0, tornAt(this.#options.random, this.#syncing.length)))
  }

  #write(write: Write): void {
    this.#sequence = write.sequence
    this.#writes.push(write)
    if (!this.#isSyncing) this.#sync()
  }

  #sync(): void {
    const { random, later, syncMicrosMax } = this.#options
    this.#isSyncing = true
    // What is asked within this turn and shortly after still comes with this sync.
    later(random.between(1, 50), () => {
      if (!this.#isSyncing) return
      this.#syncing = this.#writes
      this.#writes = []
      const micros = random.between(20, syncMicrosMax) + this.#store.slowMicros
      later(micros, () => this.#finishSync())
    })
  }

  #finishSync(): void {
    if (!this.#isSyncing) return
    this.#toDisk(this.#syncing)
    this.#synced = this.#syncing.at(-1)?.sequence ?? this.#synced
    this.#syncing = []
    this.#isSyncing = false
    if (this.#writes.length > 0) this.#sync()
    const ready = this.#waiting.filter(({ sequence }) => sequence <= this.#synced)
    this.#waiting = this.#waiting.filter(({ sequence }) => sequence > this.#synced)
    for (const waiting of ready) waiting.ready(undefined)
  }

  #toDisk(writes: readonly Write[]): void {
    const { entries, meta } = this.#store
    for (const write of writes) {
      for (const [name, { token }] of entries) {
        if (write.erased.some((range) => inRange(token, range))) entries.delete(name)
      }
      for (const { token, key } of write.discarded ?? []) entries.delete(entryName(token, key))
      for (const entry of write.entries) entries.set(entryName(entry.token, entry.key), entry)
      for (const [name, value] of Object.entries(write.meta)) meta.set(name, value)
    }
  }

  #whenSynced(sequence: number, ready: (error: Error | undefined) => void): void {
    if (sequence <= this.#synced) ready(undefined)
    else this.#waiting.push({ sequence, ready })
  }

  #page(range: Range, after: Cursor | undefined, limitBytes: number): ScanPage {
    const pageEntriesMax = this.#options.pageEntriesMax ?? Number.POSITIVE_INFINITY
    const sorted = [...this.#store.entries.values()]
      .filter(({ token }) => inRange(token, range))
      .sort((a, b) => compareInRange(range, a, b))
    const start =
      after === undefined ? 0 : sorted.findIndex((entry) => compareInRange(range, entry, after) > 0)
    const entries: Entry[] = []
    let bytes = 0
    for (const entry of start < 0 ? [] : sorted.slice(start)) {
      const size = entry.key.length + (entry.record.value?.length ?? 0)
      if (entries.length > 0 && (bytes + size > limitBytes || entries.length >= pageEntriesMax)) {
        const { token, key } = entries.at(-1) as Entry
        return { entries, next: { token, key } }
      }
      entries.push(entry)
      bytes += size
    }
    return { entries, next: undefined }
  }
}

/** How many of so many writes a crash lets through: none and all are the usual cases. */
export function tornAt(random: Random, writes: number): number {
  if (random.chance(0.6)) return random.chance(0.5) ? writes : 0
  return random.between(0, writes)
}

/** The caller may reuse its buffers after the call. */
function copyOf({ token, key, record: { version, value, attached } }: Entry): Entry {
  const copy: StoredRecord = {
    version,
    value: value === null ? null : Uint8Array.from(value),
    ...(attached !== undefined && { attached: Uint8Array.from(attached) }),
  }
  return { token, key: Uint8Array.from(key), record: copy }
}

/** By distance from the start of the range, then by key. */
function compareInRange(range: Range, a: Cursor, b: Cursor): number {
  const distance = (token: Token) => (token - range.from - 1) >>> 0
  return distance(a.token) - distance(b.token) || Buffer.compare(a.key, b.key)
}
