/**
 * The engine for swarms whose data lies on disk, in LevelDB.
 *
 * LevelDB shows a write only once it is through its log, so every merge and read looks first at what is
 * on its way there (group-commit.ts), and whoever asks for a record waits for the write that holds it.
 *
 * An erase reads a snapshot of its ranges page by page and deletes what it finds there, between
 * other writes. What it has not come to yet counts as gone from the moment it was asked for; what is
 * written after that moment is remembered and left alone.
 */
import type { Merge } from '../data/merge.js'
import type { StoredRecord } from '../data/record.js'
import { compareVersions } from '../data/version.js'
import { GTStoreError } from '../protocol/errors.js'
import type { Token } from '../ring/description.js'
import type {
  Cursor,
  Done,
  Engine,
  EngineStats,
  Entry,
  Mark,
  Range,
  ScanPage,
} from '../runtime/ports.js'
import { Erasure } from './erasure.js'
import { type Batch, GroupCommit } from './group-commit.js'
import type { LevelStore } from './level.js'
import { PageBuilder } from './page-builder.js'
import {
  boundsOf,
  decodeRecord,
  encodeRecord,
  keyOfStoreKey,
  storeKey,
  tokenOfStoreKey,
} from './store-format.js'

/** Where the counts of live keys and bytes are kept, among the meta values. */
const statsName = 'engine.stats'
/** Entries read at once; the iterator stops earlier at its limit of bytes. */
const pageEntriesMax = 1000
const erasePageBytes = 256 * 1024

export class LevelEngine implements Engine {
  readonly #store: LevelStore
  readonly #meta: ReadonlyMap<string, string>
  readonly #commits: GroupCommit
  readonly #mergeRecords: Merge
  /** In the order they were asked for; the first one runs. */
  readonly #erasures: Erasure[] = []
  #stats: { keys: number; bytes: number }
  #failure: GTStoreError | undefined
  /** Why calls are refused: the failure, or that the engine is closed. */
  #refusal: GTStoreError | undefined

  /** `meta`: what the store holds of it. */
  constructor(
    store: LevelStore,
    options: { sync: boolean; meta: Map<string, string>; merge: Merge },
  ) {
    this.#store = store
    this.#meta = options.meta
    this.#mergeRecords = options.merge
    this.#stats = JSON.parse(options.meta.get(statsName) ?? '{"keys":0,"bytes":0}')
    this.#commits = new GroupCommit(store, {
      ...options,
      counts: () => [[statsName, JSON.stringify(this.#stats)]],
      failed: (cause) => void this.#fail(cause),
    })
  }

  apply(entry: Entry, done: Done): void {
    if (this.#refusal !== undefined) return done(this.#refusal)
    let holder: Batch | undefined
    try {
      holder = this.#merge(entry)
    } catch (error) {
      return done(this.#fail(error))
    }
    if (holder === undefined) done(undefined)
    else holder.waiting.push(done)
  }

  applyBatch(entries: readonly Entry[], meta: Readonly<Record<string, string>>, done: Done): void {
    if (this.#refusal !== undefined) return done(this.#refusal)
    try {
      for (const entry of entries) this.#merge(entry)
    } catch (error) {
      return done(this.#fail(error))
    }
    this.#commits.keepMeta(meta)
    this.#commits.afterPending(done)
  }

  update(
    token: Token,
    key: Uint8Array,
    change: (held: StoredRecord | undefined) => StoredRecord | undefined,
    done: (error: Error | undefined, record: StoredRecord | undefined) => void,
  ): void {
    if (this.#refusal !== undefined) return done(this.#refusal, undefined)
    let kept: StoredRecord | undefined
    let holder: Batch | undefined
    try {
      holder = this.#replace(token, key, (held) => {
        const changed = change(held)
        kept = changed ?? held
        return changed
      })
    } catch (error) {
      return done(this.#fail(error), undefined)
    }
    if (holder === undefined) done(undefined, kept)
    else holder.waiting.push((error) => done(error, error === undefined ? kept : undefined))
  }

  read(
    token: Token,
    key: Uint8Array,
    done: (error: Error | undefined, record: StoredRecord | undefined) => void,
  ): void {
    if (this.#refusal !== undefined) return done(this.#refusal, undefined)
    const erasure = this.#erasureOf(token, key)
    if (erasure !== undefined) {
      erasure.waiting.push((error) => {
        if (error === undefined) this.read(token, key, done)
        else done(error, undefined)
      })
      return
    }
    const pending = this.#commits.pendingOf(token, key)
    if (pending !== undefined) {
      const { record } = pending
      pending.batch.waiting.push((error) => done(error, error === undefined ? record : undefined))
      return
    }
    let record: StoredRecord | undefined
    try {
      record = this.#stored(storeKey(token, key))
    } catch (error) {
      return done(this.#fail(error), undefined)
    }
    done(undefined, record)
  }

  scan(
    range: Range,
    after: Cursor | undefined,
    limitBytes: number,
    done: (error: Error | undefined, page: ScanPage | undefined) => void,
  ): void {
    this.#afterErasures((failure) => {
      if (failure !== undefined) return done(failure, undefined)
      this.#commits.afterPending((error) => {
        if (error !== undefined) return done(error, undefined)
        this.#readPage(range, after, limitBytes).then(
          (page) => done(undefined, page),
          (cause) => done(this.#fail(cause), undefined),
        )
      })
    })
  }

  erase(ranges: readonly Range[], meta: Readonly<Record<string, string>>, done: Done): void {
    if (this.#refusal !== undefined) return done(this.#refusal)
    const erasure = new Erasure(ranges, meta)
    erasure.waiting.push(done)
    this.#erasures.push(erasure)
    if (this.#erasures.length === 1) this.#startErasure(erasure)
  }

  discard(marks: readonly Mark[], done: Done): void {
    if (this.#refusal !== undefined) return done(this.#refusal)
    try {
      for (const mark of marks) this.#discardOne(mark)
    } catch (error) {
      return done(this.#fail(error))
    }
    // What is being erased anyway is gone for good only with the erase.
    const isErased = ({ token, key }: Mark) => this.#erasureOf(token, key) !== undefined
    if (!marks.some(isErased)) return this.#commits.afterPending(done)
    this.#afterErasures((error) => {
      if (error === undefined) this.#commits.afterPending(done)
      else done(error)
    })
  }

  meta(name: string): string | undefined {
    return this.#meta.get(name)
  }

  stats(done: (error: Error | undefined, stats: EngineStats | undefined) => void): void {
    done(this.#refusal, this.#refusal === undefined ? { ...this.#stats } : undefined)
  }

  close(done: Done): void {
    this.#refusal ??= new GTStoreError('STOPPING', 'the store is closed')
    this.#afterErasures(() => {
      this.#commits.afterPending(() => this.#store.close().then(() => done(undefined), done))
    })
  }

  // --- Merging ---

  /** The batch that the outcome rests on; undefined where the stored record is newer. */
  #merge({ token, key, record }: Entry): Batch | undefined {
    return this.#replace(token, key, (held) => {
      const merged = this.#mergeRecords(held, record)
      return merged === held ? undefined : merged
    })
  }

  #replace(
    token: Token,
    key: Uint8Array,
    change: (held: StoredRecord | undefined) => StoredRecord | undefined,
  ): Batch | undefined {
    const stored = storeKey(token, key)
    const pending = this.#commits.pendingOf(token, key)
    const held = pending === undefined ? this.#stored(stored) : pending.record
    const isErased = this.#erasureOf(token, key) !== undefined
    const record = change(isErased ? undefined : held)
    if (record === undefined) return pending?.batch
    for (const each of this.#erasures) each.spare(token, keyOfStoreKey(stored))
    this.#count(key, held, -1)
    this.#count(key, record, 1)
    return this.#commits.change(token, stored, encodeRecord(record), pending)
  }

  #discardOne({ token, key, version }: Mark): void {
    if (this.#erasureOf(token, key) !== undefined) return
    const stored = storeKey(token, key)
    const pending = this.#commits.pendingOf(token, key)
    const held = pending === undefined ? this.#stored(stored) : pending.record
    if (held === undefined || compareVersions(held.version, version) !== 0) return
    this.#count(key, held, -1)
    this.#commits.change(token, stored, undefined, pending)
  }

  #stored(key: Buffer): StoredRecord | undefined {
    const stored = this.#store.getSync(key)
    return stored === undefined ? undefined : decodeRecord(stored)
  }

  #count(key: Uint8Array, record: StoredRecord | undefined, sign: 1 | -1): void {
    if (record === undefined || record.value === null) return
    this.#stats.keys += sign
    this.#stats.bytes += sign * (key.length + record.value.length)
  }

  /** Everything that waits, and all that follows, gets the error. */
  #fail(cause: unknown): GTStoreError {
    if (this.#failure !== undefined) return this.#failure
    const message = `the store failed, the node stops serving: ${reasonOf(cause)}`
    this.#failure = new GTStoreError('STORAGE_FAILED', message, { cause })
    this.#refusal = this.#failure
    const waiting = [...this.#commits.stop(this.#failure)]
    for (const erasure of this.#erasures) waiting.push(...erasure.waiting)
    this.#erasures.length = 0
    // What was on its way to the disk may be there.
    const unknown = new GTStoreError('STORAGE_FAILED', message, { cause, definite: false })
    for (const done of waiting) done(unknown)
    return this.#failure
  }

  // --- Scanning and erasing ---

  async #readPage(range: Range, after: Cursor | undefined, limitBytes: number): Promise<ScanPage> {
    const page = new PageBuilder(limitBytes)
    for (const bounds of boundsOf(range, after)) {
      const full = await this.#eachPage(bounds, limitBytes, (found) => {
        for (const [key, value] of found) {
          const token = tokenOfStoreKey(key)
          if (!page.add({ token, key: keyOfStoreKey(key), record: decodeRecord(value) })) {
            return true
          }
        }
        return false
      })
      if (full) return page.page(true)
    }
    return page.page(false)
  }

  /** Calls with what lies within the bounds, some entries at a time, until it returns true. */
  async #eachPage(
    bounds: object,
    limitBytes: number,
    take: (found: [Buffer, Buffer][]) => boolean | Promise<boolean>,
  ): Promise<boolean> {
    const iterator = this.#store.iterator({
      ...bounds,
      fillCache: false,
      highWaterMarkBytes: limitBytes,
    })
    try {
      for (;;) {
        const found = await iterator.nextv(pageEntriesMax)
        if (found.length === 0) return false
        if (await take(found)) return true
      }
    } finally {
      await iterator.close()
    }
  }

  #erasureOf(token: Token, key: Uint8Array): Erasure | undefined {
    if (this.#erasures.length === 0) return undefined
    return this.#erasures.find((erasure) => erasure.erases(token, key))
  }

  #afterErasures(done: Done): void {
    const last = this.#erasures.at(-1)
    if (last === undefined) done(this.#failure)
    else last.waiting.push(done)
  }

  #startErasure(erasure: Erasure): void {
    this.#commits.afterPending((error) => {
      if (error !== undefined) return
      this.#runErasure(erasure).catch((cause) => this.#fail(cause))
    })
  }

  async #runErasure(erasure: Erasure): Promise<void> {
    for (const range of erasure.ranges) {
      for (const bounds of boundsOf(range, undefined)) {
        await this.#eachPage(bounds, erasePageBytes, async (found) => {
          for (const [key, value] of found) this.#eraseOne(erasure, key, value)
          await this.#pendingWritten()
          return false
        })
      }
    }
    this.#commits.keepMeta(erasure.meta)
    await this.#pendingWritten()
    if (this.#failure !== undefined) return
    this.#erasures.shift()
    const [next] = this.#erasures
    if (next !== undefined) this.#startErasure(next)
    for (const done of erasure.waiting) done(undefined)
  }

  #eraseOne(erasure: Erasure, stored: Buffer, value: Buffer): void {
    const token = tokenOfStoreKey(stored)
    const key = keyOfStoreKey(stored)
    if (!erasure.erases(token, key)) return
    this.#count(key, decodeRecord(value), -1)
    this.#commits.change(token, stored, undefined, undefined)
  }

  #pendingWritten(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#commits.afterPending((error) => (error === undefined ? resolve() : reject(error)))
    })
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
