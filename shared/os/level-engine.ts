/**
 * The engine for swarms whose data lies on disk, in LevelDB.
 *
 * LevelDB shows a write only once it is through its log, so what is on its way there stands in an
 * overlay, and every merge and read looks there first. Writes gather into batches, one in flight at
 * a time: while the disk is busy with one (a sync takes as long for a hundred records as for one),
 * the next fills. Whoever waits for a record waits for the batch that holds it.
 *
 * An erase reads a snapshot of its ranges page by page and deletes what it finds there, between
 * other writes. What it has not come to yet counts as gone from the moment it was asked for; what is
 * written after that moment is remembered and left alone.
 */
import { type StoredRecord, supersedes } from '../data/record.js'
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
import { type Keyed, KeyMap } from './key-map.js'
import type { LevelStore } from './level.js'
import { PageBuilder } from './page-builder.js'
import {
  boundsOf,
  decodeRecord,
  encodeRecord,
  keyOfStoreKey,
  metaKey,
  storeKey,
  tokenOfStoreKey,
} from './store-format.js'

/** Where the counts of live keys and bytes are kept, among the meta values. */
const statsName = 'engine.stats'
/** Entries read at once; the iterator stops earlier at its limit of bytes. */
const pageEntriesMax = 1000
const erasePageBytes = 256 * 1024

/** A record on its way to the disk, or (undefined) the erasing of one. */
interface Pending extends Keyed<Pending> {
  readonly storeKey: Buffer
  stored: Buffer | undefined
  record: StoredRecord | undefined
  readonly batch: Batch
}

/** What goes to the disk in one write. */
class Batch {
  readonly changes: Pending[] = []
  readonly meta = new Map<string, string>()
  readonly waiting: Done[] = []

  get isEmpty(): boolean {
    return this.changes.length === 0 && this.meta.size === 0
  }
}

export class LevelEngine implements Engine {
  readonly #store: LevelStore
  readonly #sync: boolean
  readonly #meta: Map<string, string>
  readonly #overlay = new KeyMap<Pending>()
  #gathering = new Batch()
  #committing: Batch | undefined
  #scheduled = false
  /** In the order they were asked for; the first one runs. */
  readonly #erasures: Erasure[] = []
  #stats: { keys: number; bytes: number }
  #failure: GTStoreError | undefined
  /** Why calls are refused: the failure, or that the engine is closed. */
  #refusal: GTStoreError | undefined

  /** `meta`: what the store holds of it. */
  constructor(store: LevelStore, options: { sync: boolean; meta: Map<string, string> }) {
    this.#store = store
    this.#sync = options.sync
    this.#meta = options.meta
    this.#stats = JSON.parse(options.meta.get(statsName) ?? '{"keys":0,"bytes":0}')
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
    this.#keepMeta(meta)
    this.#afterPending(done)
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
    const pending = this.#overlay.get(token, key)
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
      this.#afterPending((error) => {
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
    this.#afterPending(done)
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
      this.#afterPending(() => this.#store.close().then(() => done(undefined), done))
    })
  }

  // --- Merging ---

  /** The batch that the outcome rests on; undefined where the stored record is newer. */
  #merge(entry: Entry): Batch | undefined {
    const { token, key, record } = entry
    const stored = storeKey(token, key)
    const pending = this.#overlay.get(token, key)
    const held = pending === undefined ? this.#stored(stored) : pending.record
    const erasure = this.#erasureOf(token, key)
    if (erasure === undefined && !supersedes(record, held)) return pending?.batch
    for (const each of this.#erasures) each.spare(token, keyOfStoreKey(stored))
    this.#count(key, held, -1)
    this.#count(key, record, 1)
    return this.#change(token, stored, encodeRecord(record), pending)
  }

  #discardOne({ token, key, version }: Mark): void {
    // Gone already, or about to be.
    if (this.#erasureOf(token, key) !== undefined) return
    const stored = storeKey(token, key)
    const pending = this.#overlay.get(token, key)
    const held = pending === undefined ? this.#stored(stored) : pending.record
    if (held === undefined || compareVersions(held.version, version) !== 0) return
    this.#count(key, held, -1)
    this.#change(token, stored, undefined, pending)
  }

  /** Puts the record on its way to the disk; undefined erases. */
  #change(
    token: Token,
    stored: Buffer,
    encoded: Buffer | undefined,
    pending: Pending | undefined,
  ): Batch {
    const record = encoded === undefined ? undefined : decodeRecord(encoded)
    if (pending !== undefined && pending.batch === this.#gathering) {
      pending.stored = encoded
      pending.record = record
      return pending.batch
    }
    const change: Pending = {
      token,
      key: keyOfStoreKey(stored),
      storeKey: stored,
      stored: encoded,
      record,
      batch: this.#gathering,
      chained: undefined,
    }
    this.#overlay.set(change)
    this.#gathering.changes.push(change)
    this.#schedule()
    return this.#gathering
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

  #keepMeta(meta: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(meta)) {
      this.#gathering.meta.set(name, value)
      this.#schedule()
    }
  }

  // --- Committing ---

  /** Calls when everything that is pending now is durable; at once where nothing is. */
  #afterPending(done: Done): void {
    if (this.#failure !== undefined) return done(this.#failure)
    if (!this.#gathering.isEmpty) this.#gathering.waiting.push(done)
    else if (this.#committing !== undefined) this.#committing.waiting.push(done)
    else done(undefined)
  }

  /** At the end of the turn, so that what arrived together is written together. */
  #schedule(): void {
    if (this.#scheduled || this.#committing !== undefined) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#commit()
    })
  }

  #commit(): void {
    if (this.#failure !== undefined) return
    const batch = this.#gathering
    this.#gathering = new Batch()
    this.#committing = batch
    const write = this.#store.batch()
    for (const { storeKey, stored } of batch.changes) {
      if (stored === undefined) write.del(storeKey)
      else write.put(storeKey, stored)
    }
    batch.meta.set(statsName, JSON.stringify(this.#stats))
    for (const [name, value] of batch.meta) write.put(metaKey(name), Buffer.from(value))
    write.write({ sync: this.#sync }).then(
      () => this.#committed(batch),
      (error) => void this.#fail(error),
    )
  }

  #committed(batch: Batch): void {
    this.#committing = undefined
    for (const change of batch.changes) {
      const { token, key } = change
      if (this.#overlay.get(token, key) === change) this.#overlay.delete(token, key)
    }
    for (const [name, value] of batch.meta) this.#meta.set(name, value)
    if (!this.#gathering.isEmpty) this.#commit()
    for (const done of batch.waiting) done(undefined)
  }

  /** Everything that waits, and all that follows, gets the error. */
  #fail(cause: unknown): GTStoreError {
    if (this.#failure !== undefined) return this.#failure
    const message = `the store failed, the node stops serving: ${reasonOf(cause)}`
    this.#failure = new GTStoreError('STORAGE_FAILED', message, { cause })
    this.#refusal = this.#failure
    const waiting = [...(this.#committing?.waiting ?? []), ...this.#gathering.waiting]
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
    this.#afterPending((error) => {
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
    this.#keepMeta(erasure.meta)
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
    this.#change(token, stored, undefined, undefined)
  }

  #pendingWritten(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#afterPending((error) => (error === undefined ? resolve() : reject(error)))
    })
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
