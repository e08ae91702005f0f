/**
 * Makes two owners hold a range alike: both sides are read in order, page by page, and walked side by
 * side. What only the peer has, or has newer, is merged here; what it lacks, or has older, is pushed to
 * it. Of siblings each may have some that the other lacks: then both happens. Tombstones are records
 * like others. Both sides merge what they get, so that nothing is undone by a write that comes in between.
 *
 * What travels has an age: a page that took longer than maxFlightMs since it was asked for is dropped,
 * and a push says when its entries were read, so that the peer can refuse it. Otherwise a process that
 * slept could bring back what was deleted and collected meanwhile.
 */
import type { StoredRecord } from '../../shared/data/record.js'
import type { Micros } from '../../shared/data/version.js'
import type { NodeId } from '../../shared/ring/description.js'
import { tokenSpace } from '../../shared/ring/token.js'
import { handoffBatchBytes, maxFlightMs, repairAnswerMs } from '../../shared/runtime/limits.js'
import type { Cursor, Entry, Range, ScanPage } from '../../shared/runtime/ports.js'
import { ask } from '../ask.js'
import type { RepairContext } from './leaves.js'

/** What an entry takes besides key and value: version and token. */
const entryOverheadBytes = 64

export interface Moved {
  readonly received: number
  readonly given: number
}

export interface MendingOptions {
  readonly context: RepairContext
  readonly range: Range
  readonly peer: NodeId
  /** Told of what has moved durably. */
  readonly moved: (moved: Moved) => void
  readonly isOver: () => boolean
  /** False: the peer was lost, or one of the two cannot take more. */
  readonly done: (complete: boolean) => void
}

/** One of the two that are walked: a page of it, and where it goes on. */
class Side {
  private entries: readonly Entry[] = []
  private at = 0
  private hasEnded = false
  cursor: Cursor | undefined
  /** When the page was asked for. */
  readAt: Micros = 0

  get head(): Entry | undefined {
    return this.entries[this.at]
  }

  get needsPage(): boolean {
    return this.head === undefined && !this.hasEnded
  }

  take({ entries, next }: ScanPage, readAt: Micros): void {
    this.entries = entries
    this.at = 0
    this.cursor = next
    this.hasEnded = next === undefined
    this.readAt = readAt
  }

  skip(): void {
    this.at++
  }
}

export class Mending {
  private readonly options: MendingOptions
  private readonly ours = new Side()
  private readonly theirs = new Side()
  /** What the peer lacks, not yet pushed, and when the oldest of it was read. */
  private given: Entry[] = []
  private givenBytes = 0
  private givenReadAt: Micros = 0

  constructor(options: MendingOptions) {
    this.options = options
  }

  /** Walks on as far as the pages reach. */
  begin(): void {
    const { context, isOver, done } = this.options
    if (isOver()) return
    const { runtime, disk } = context.desk
    const isLate = runtime.hostMicros() - this.theirs.readAt > maxFlightMs * 1000
    if (disk.isLow() || (this.theirs.head !== undefined && isLate)) return done(false)
    const received = this.walk()
    if (received.length === 0) return this.goOn()
    context.desk.engine.applyBatch(received, {}, (error) => {
      if (error !== undefined) return context.desk.storageFailed(error)
      if (isOver()) return
      this.options.moved({ received: received.length, given: 0 })
      this.goOn()
    })
  }

  /** Until a side needs a page or a push is full; returns what is to be merged here. */
  private walk(): Entry[] {
    const received: Entry[] = []
    const { ours, theirs } = this
    while (!ours.needsPage && !theirs.needsPage && this.givenBytes < handoffBatchBytes) {
      const { head: mine } = ours
      const { head: other } = theirs
      if (mine === undefined && other === undefined) break
      const order = this.order(mine, other)
      if (order <= 0 && mine !== undefined) {
        const held = order === 0 ? other?.record : undefined
        if (this.adds(mine.record, held) && !this.give(mine)) break
        ours.skip()
      }
      if (order >= 0 && other !== undefined) {
        const held = order === 0 ? mine?.record : undefined
        if (this.adds(other.record, held)) received.push(other)
        theirs.skip()
      }
    }
    return received
  }

  private adds(incoming: StoredRecord, held: StoredRecord | undefined): boolean {
    return this.options.context.desk.merge(held, incoming) !== held
  }

  /** Negative: `mine` stands before `other`, which the peer therefore lacks. */
  private order(mine: Entry | undefined, other: Entry | undefined): number {
    if (mine === undefined) return 1
    if (other === undefined) return -1
    const distance = (token: number) =>
      (token - this.options.range.from - 1 + tokenSpace) % tokenSpace
    return distance(mine.token) - distance(other.token) || Buffer.compare(mine.key, other.key)
  }

  /** False: no room for it in this push. */
  private give(entry: Entry): boolean {
    if (this.options.context.isLeftOut(entry)) return true
    const bytes = bytesOf(entry)
    if (this.given.length > 0 && this.givenBytes + bytes > handoffBatchBytes) return false
    if (this.given.length === 0) this.givenReadAt = this.ours.readAt
    this.given.push(entry)
    this.givenBytes += bytes
    return true
  }

  /** Pushes what is full or the last of it, else reads on, else ends. */
  private goOn(): void {
    const { ours, theirs } = this
    const mustRead = ours.needsPage || theirs.needsPage
    if (this.given.length > 0 && (!mustRead || this.givenBytes >= handoffBatchBytes)) this.push()
    else if (ours.needsPage) this.readOwn()
    else if (theirs.needsPage) this.pull()
    else this.options.done(true)
  }

  private readOwn(): void {
    const { context, range, isOver } = this.options
    const { engine, runtime } = context.desk
    const readAt = runtime.hostMicros()
    engine.scan(range, this.ours.cursor, handoffBatchBytes, (error, page) => {
      if (isOver()) return
      if (page === undefined) {
        return context.desk.storageFailed(error ?? new Error('the scan gave no page'))
      }
      this.ours.take(page, readAt)
      context.pace.afterPage(() => this.begin())
    })
  }

  private pull(): void {
    const { context, range, peer, done } = this.options
    const readAt = context.desk.runtime.hostMicros()
    const cursor = this.theirs.cursor ?? null
    const limitBytes = handoffBatchBytes
    const question = (id: number, epoch: number) =>
      ({
        kind: 'handoff.pull',
        id,
        epoch,
        plan: 0,
        reason: 'repair',
        ...{ from: range.from, to: range.to },
        cursor,
        limitBytes,
      }) as const
    ask(context.desk, peer, repairAnswerMs, question, (reply) => {
      if (reply?.kind !== 'handoff.batch') return done(false)
      const { entries, next } = reply
      this.theirs.take({ entries, next: next ?? undefined }, readAt)
      context.pace.afterTravel(sum(entries), () => this.begin())
    })
  }

  private push(): void {
    const { context, peer, done, moved } = this.options
    const { given: entries, givenBytes: bytes, givenReadAt: born } = this
    this.given = []
    this.givenBytes = 0
    const question = (id: number, epoch: number) =>
      ({ kind: 'handoff.push', id, epoch, reason: 'repair', entries, born }) as const
    ask(context.desk, peer, repairAnswerMs, question, (reply) => {
      if (reply?.kind !== 'handoff.push.ok') return done(false)
      moved({ received: 0, given: entries.length })
      context.pace.afterTravel(bytes, () => this.begin())
    })
  }
}

function bytesOf({ key, record }: Entry): number {
  const { value, attached } = record
  return entryOverheadBytes + key.length + (value?.length ?? 0) + (attached?.length ?? 0)
}

function sum(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += bytesOf(entry)
  return bytes
}
