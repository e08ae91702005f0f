/**
 * Looks for tombstones that may go: the first owner of each range walks through it now and then, page by
 * page, and starts a burial for those that it finds. What is on its way is kept in memory alone: a node
 * that starts again, or holds another ring, begins anew with all of them. Never by age alone: an owner
 * that was away for a year may still hold the value that was deleted.
 */
import { keyText } from '../../shared/data/key-text.js'
import type { StoredRecord } from '../../shared/data/record.js'
import { compareVersions, formatVersion, type Version } from '../../shared/data/version.js'
import type {
  Message,
  MessageKind,
  TombstoneCollect,
  TombstoneConfirm,
} from '../../shared/protocol/messages.js'
import type { Token } from '../../shared/ring/description.js'
import type { Arc, Ring } from '../../shared/ring/ring.js'
import {
  collectPeriodMs,
  handoffBatchBytes,
  tombstoneMarksMax,
  tombstonesAtOnceMax,
} from '../../shared/runtime/limits.js'
import type { Cursor, Engine, Entry, Mark, Range } from '../../shared/runtime/ports.js'
import type { Address, CancelTimer } from '../../shared/runtime/runtime.js'
import type { Department } from '../department.js'
import type { Desk } from '../desk.js'
import { answer } from '../reply.js'
import { Burial } from './burial.js'
import type { Pace } from './pace.js'

export interface CollectorOptions {
  readonly desk: Desk
  /** Where this node keeps writes for others. */
  readonly hints: Engine
  readonly pace: Pace
}

/** One walk through the ranges that this node is the first owner of. */
interface Round {
  readonly arcs: readonly Arc[]
  found: Mark[]
}

export class Collector implements Department {
  readonly takes: readonly MessageKind[] = ['tombstone.confirm', 'tombstone.collect']
  readonly isBusy = false
  readonly stats = {}
  private readonly options: CollectorOptions
  private readonly desk: Desk
  private ring: Ring | undefined
  private round: Round | undefined
  private readonly burials = new Set<Burial>()
  /** On their way out, each with whether the owners drop it already. */
  private readonly underWay = new Map<string, boolean>()
  private cancelNext: CancelTimer = () => {}

  constructor(options: CollectorOptions) {
    this.options = options
    this.desk = options.desk
  }

  /** Merkle leaves are made without it: some owners have dropped it already, the others will. */
  isLeftOut({ token, key, record }: Entry): boolean {
    if (record.value !== null || this.underWay.size === 0) return false
    return this.underWay.get(nameOf({ token, key, version: record.version })) === true
  }

  start(): void {
    this.nextRound()
  }

  stop(): void {
    this.forgetAll()
    this.cancelNext()
  }

  opened(): void {}

  closed(): void {}

  /** What was answered under the ring before counts for nothing. */
  ringChanged(): void {
    const wasWalking = this.round !== undefined
    this.forgetAll()
    this.ring = this.desk.ring
    if (wasWalking) this.nextRound()
  }

  received(from: Address, message: Message): void {
    if (message.kind === 'tombstone.confirm') this.confirm(from, message)
    else if (message.kind === 'tombstone.collect') this.collect(from, message)
  }

  // --- As an owner ---

  private confirm(from: Address, { id, epoch, marks }: TombstoneConfirm): void {
    const held: number[] = []
    let open = marks.length
    const tellAtLast = () => {
      if (open === 0) answer(this.desk, from, epoch, { kind: 'tombstone.confirm.ok', id, held })
    }
    tellAtLast()
    for (const [index, { token, key, version }] of marks.entries()) {
      this.desk.engine.read(token, key, (error, record) => {
        if (error !== undefined) return this.desk.storageFailed(error)
        if (isTombstone(record, version)) held.push(index)
        open--
        tellAtLast()
      })
    }
  }

  private collect(from: Address, { id, epoch, marks }: TombstoneCollect): void {
    this.desk.engine.discard(marks, (error) => {
      if (error !== undefined) return this.desk.storageFailed(error)
      answer(this.desk, from, epoch, { kind: 'tombstone.collect.ok', id })
    })
  }

  // --- As the first owner ---

  private nextRound(): void {
    this.cancelNext()
    const delay = collectPeriodMs * (0.5 + this.desk.runtime.random())
    this.cancelNext = this.desk.runtime.after(delay, 'tombstones', () => this.beginRound())
  }

  private beginRound(): void {
    const { ring } = this
    if (ring === undefined || ring.description.change !== undefined) return this.nextRound()
    const { self } = this.desk
    this.round = { arcs: ring.arcs.filter(({ owners }) => owners[0] === self), found: [] }
    this.walk(this.round, 0, undefined)
  }

  /** Goes on in the arc of that index, after the cursor. */
  private walk(round: Round, index: number, cursor: Cursor | undefined): void {
    if (this.round !== round) return
    const arc = round.arcs[index]
    if (arc === undefined || this.underWay.size >= tombstonesAtOnceMax) {
      if (arc !== undefined) this.bury(round, arc)
      this.round = undefined
      return this.nextRound()
    }
    this.desk.engine.scan(arc, cursor, handoffBatchBytes, (error, page) => {
      if (this.round !== round) return
      if (page === undefined) {
        return this.desk.storageFailed(error ?? new Error('the scan gave no page'))
      }
      for (const entry of page.entries) this.meet(round, arc, entry)
      const { next } = page
      if (next === undefined) this.bury(round, arc)
      this.options.pace.afterPage(() =>
        this.walk(round, next === undefined ? index + 1 : index, next),
      )
    })
  }

  private meet(round: Round, arc: Arc, { token, key, record }: Entry): void {
    if (record.value !== null || this.underWay.size >= tombstonesAtOnceMax) return
    const mark = { token, key: Uint8Array.from(key), version: record.version }
    const name = nameOf(mark)
    if (this.underWay.has(name)) return
    this.underWay.set(name, false)
    round.found.push(mark)
    if (round.found.length === tombstoneMarksMax) this.bury(round, arc)
  }

  private bury(round: Round, { from, to, owners }: Arc): void {
    const marks = round.found
    if (marks.length === 0) return
    round.found = []
    const burial = new Burial({
      desk: this.desk,
      hasNoHints: (range, told) => this.hasNoHints(range, told),
      range: { from, to },
      owners,
      marks,
      released: (each) => {
        for (const mark of each) this.underWay.delete(nameOf(mark))
      },
      ended: () => this.burials.delete(burial),
      collecting: (each) => {
        for (const mark of each) this.underWay.set(nameOf(mark), true)
      },
    })
    this.burials.add(burial)
    burial.begin()
  }

  private hasNoHints(range: Range, told: (hasNone: boolean) => void): void {
    this.options.hints.scan(range, undefined, 1, (error, page) => {
      if (page === undefined) {
        return this.desk.storageFailed(error ?? new Error('the scan gave no page'))
      }
      told(page.entries.length === 0)
    })
  }

  private forgetAll(): void {
    this.round = undefined
    for (const burial of this.burials) burial.drop()
    this.burials.clear()
    this.underWay.clear()
  }
}

function isTombstone(record: StoredRecord | undefined, version: Version): boolean {
  if (record === undefined || record.value !== null) return false
  return compareVersions(record.version, version) === 0
}

function nameOf({
  token,
  key,
  version,
}: {
  token: Token
  key: Uint8Array
  version: Version
}): string {
  return `${token} ${keyText(key)} ${formatVersion(version)}`
}
