/**
 * What is on its way to a LevelDB database, and how it gets there.
 *
 * LevelDB shows a write only once it is through its log, so changes stand in an overlay until then.
 * They gather into batches, one in flight at a time: while the disk is busy with one (a sync takes as
 * long for a hundred records as for one), the next fills. Whoever waits for a record waits for the
 * batch that holds it.
 */
import type { StoredRecord } from '../data/record.js'
import type { Token } from '../ring/description.js'
import type { Done } from '../runtime/ports.js'
import { type Keyed, KeyMap } from './key-map.js'
import type { LevelStore } from './level.js'
import { decodeRecord, keyOfStoreKey, metaKey } from './store-format.js'

/** A record on its way to the disk, or (undefined) the erasing of one. */
export interface Pending extends Keyed<Pending> {
  readonly storeKey: Buffer
  stored: Buffer | undefined
  record: StoredRecord | undefined
  readonly batch: Batch
}

/** What goes to the disk in one write. */
export class Batch {
  readonly changes: Pending[] = []
  readonly meta = new Map<string, string>()
  readonly waiting: Done[] = []

  get isEmpty(): boolean {
    return this.changes.length === 0 && this.meta.size === 0
  }
}

export interface GroupCommitOptions {
  /** Sync each write. */
  readonly sync: boolean
  /** What the store holds of meta values; kept up to date as they become durable. */
  readonly meta: Map<string, string>
  /** Meta values that go with every write, as they are at that moment. */
  counts(): readonly (readonly [string, string])[]
  /** A write failed; answers with `stop`. */
  failed(cause: unknown): void
}

export class GroupCommit {
  readonly #store: LevelStore
  readonly #options: GroupCommitOptions
  readonly #overlay = new KeyMap<Pending>()
  #gathering = new Batch()
  #committing: Batch | undefined
  #scheduled = false
  #failure: Error | undefined

  constructor(store: LevelStore, options: GroupCommitOptions) {
    this.#store = store
    this.#options = options
  }

  /** What is on its way for the key; newer than what is stored. */
  pendingOf(token: Token, key: Uint8Array): Pending | undefined {
    return this.#overlay.get(token, key)
  }

  /**
   * Puts the record on its way to the disk (undefined: its erasing), in place of `pending`, the one
   * that `pendingOf` gave.
   */
  change(
    token: Token,
    storeKey: Buffer,
    stored: Buffer | undefined,
    pending: Pending | undefined,
  ): Batch {
    const record = stored === undefined ? undefined : decodeRecord(stored)
    if (pending !== undefined && pending.batch === this.#gathering) {
      pending.stored = stored
      pending.record = record
      return pending.batch
    }
    const change: Pending = {
      token,
      key: keyOfStoreKey(storeKey),
      storeKey,
      stored,
      record,
      batch: this.#gathering,
      chained: undefined,
    }
    this.#overlay.set(change)
    this.#gathering.changes.push(change)
    this.#schedule()
    return this.#gathering
  }

  keepMeta(meta: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(meta)) {
      this.#gathering.meta.set(name, value)
      this.#schedule()
    }
  }

  /** Calls when everything that is pending now is durable; at once where nothing is. */
  afterPending(done: Done): void {
    if (this.#failure !== undefined) return done(this.#failure)
    if (!this.#gathering.isEmpty) this.#gathering.waiting.push(done)
    else if (this.#committing !== undefined) this.#committing.waiting.push(done)
    else done(undefined)
  }

  /** Writes nothing any more; gives back who waited, to be told. */
  stop(failure: Error): readonly Done[] {
    this.#failure = failure
    return [...(this.#committing?.waiting ?? []), ...this.#gathering.waiting]
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
    for (const [name, value] of this.#options.counts()) batch.meta.set(name, value)
    for (const [name, value] of batch.meta) write.put(metaKey(name), Buffer.from(value))
    write.write({ sync: this.#options.sync }).then(
      () => this.#committed(batch),
      (error) => this.#options.failed(error),
    )
  }

  #committed(batch: Batch): void {
    this.#committing = undefined
    for (const change of batch.changes) {
      const { token, key } = change
      if (this.#overlay.get(token, key) === change) this.#overlay.delete(token, key)
    }
    for (const [name, value] of batch.meta) this.#options.meta.set(name, value)
    if (!this.#gathering.isEmpty) this.#commit()
    for (const done of batch.waiting) done(undefined)
  }
}
