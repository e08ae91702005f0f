/**
 * One walk through the hints, handing each to all current owners of its key; it goes from here once all
 * of them acknowledged it under one epoch. Page by page, one page at a time: that is the window.
 *
 * Two phases a page: first to owners that an earlier walk could not reach, and only what these take to
 * the others. So a walk that finds a dead owner still dead costs one message and not one per owner.
 * Hints with an owner that cannot be reached stay and cost nothing but their reading.
 *
 * A node that has left cannot wait for every owner: a hint that W of them hold may go.
 */
import type { Micros } from '../../shared/data/version.js'
import type { NodeId } from '../../shared/ring/description.js'
import type { Ring } from '../../shared/ring/ring.js'
import { handoffBatchBytes, handoffRetryMs, hintPauseMs } from '../../shared/runtime/limits.js'
import type { Cursor, Entry, Range } from '../../shared/runtime/ports.js'
import { Quorum } from '../../shared/runtime/quorum.js'
import { ask } from '../ask.js'
import { everyOwner } from '../coordination.js'
import type { Desk } from '../desk.js'
import { flightRefusal } from '../replica.js'
import type { HintPage, HintStore } from './hint-store.js'

const wholeRing: Range = { from: 0, to: 0 }

export interface DrainOptions {
  readonly store: HintStore
  /** Owners that an earlier walk could not reach. */
  readonly wary: ReadonlySet<NodeId>
  /** Walk on even if none of the wary ones answers. */
  readonly isThorough: boolean
  /** The node has left: W owners suffice. */
  readonly isLeaving: boolean
  /** How old what is read now will count as. */
  born(): Micros
  /** Called once, unless the walk was stopped. */
  ended(unreachable: ReadonlySet<NodeId>): void
}

interface Parcel {
  readonly entry: Entry
  readonly owners: readonly NodeId[]
  readonly acknowledged: Quorum
  missing: number
}

export class Drain {
  private readonly desk: Desk
  private readonly options: DrainOptions
  private readonly ring: Ring
  private readonly unreachable = new Set<NodeId>()
  private isStopped = false

  constructor(desk: Desk, options: DrainOptions) {
    this.desk = desk
    this.options = options
    this.ring = desk.ring
  }

  begin(): void {
    this.readOn(undefined)
  }

  /** Whatever is still under way has no effect any more. */
  stop(): void {
    this.isStopped = true
  }

  private get isOver(): boolean {
    return this.isStopped || this.desk.ring !== this.ring
  }

  private readOn(after: Cursor | undefined): void {
    if (this.isOver) return
    const born = this.options.born()
    this.options.store.scan(wholeRing, after, handoffBatchBytes, (error, page) => {
      if (this.isOver) return
      if (page !== undefined) this.handOver(page, born)
      else if (error !== undefined) this.desk.storageFailed(error)
    })
  }

  private handOver(page: HintPage, born: Micros): void {
    const parcels = page.entries.flatMap((entry) => this.parcelOf(entry))
    const { wary } = this.options
    const isWary = (owner: NodeId) => wary.has(owner)
    this.deliver(parcels, isWary, born, () => {
      const willing = parcels.filter((parcel) => this.isDeliverable(parcel))
      const isOther = (owner: NodeId) => !wary.has(owner)
      this.deliver(willing, isOther, born, () => this.discard(page, willing))
    })
  }

  private parcelOf(entry: Entry): Parcel[] {
    const arc = this.ring.arcOf(entry.token)
    const owners = everyOwner(arc)
    for (const owner of owners) {
      const canBeReached = this.isSelf(owner) || this.isReachable(owner)
      if (!canBeReached) this.unreachable.add(owner)
    }
    const parcel = {
      entry,
      owners,
      acknowledged: Quorum.ofWrite(arc, 0),
      missing: owners.length,
    }
    return owners.length > 0 && this.isDeliverable(parcel) ? [parcel] : []
  }

  /** Another life of this node is somebody else, with a store of its own. */
  private isSelf(owner: NodeId): boolean {
    return owner === this.desk.self && this.desk.isNamed
  }

  private isReachable(owner: NodeId): boolean {
    return this.desk.peers.isReachable(this.ring.address(owner))
  }

  private isDeliverable({ owners, acknowledged }: Parcel): boolean {
    for (const owner of owners) if (this.unreachable.has(owner)) acknowledged.fail(owner)
    if (this.options.isLeaving) return acknowledged.state !== 'lost'
    return !owners.some((owner) => this.unreachable.has(owner))
  }

  private deliver(
    parcels: readonly Parcel[],
    isAddressed: (owner: NodeId) => boolean,
    born: Micros,
    done: () => void,
  ): void {
    const byOwner = new Map<NodeId, Parcel[]>()
    for (const parcel of parcels) {
      for (const owner of parcel.owners) {
        if (!isAddressed(owner) || this.unreachable.has(owner)) continue
        const theirs = byOwner.get(owner)
        if (theirs === undefined) byOwner.set(owner, [parcel])
        else theirs.push(parcel)
      }
    }
    let waiting = byOwner.size
    if (waiting === 0) return done()
    for (const [owner, theirs] of byOwner) {
      this.give(owner, theirs, born, (isDelivered) => {
        if (this.isOver) return
        if (isDelivered) for (const parcel of theirs) acknowledge(parcel, owner)
        else this.unreachable.add(owner)
        waiting--
        if (waiting === 0) done()
      })
    }
  }

  private give(
    owner: NodeId,
    parcels: readonly Parcel[],
    born: Micros,
    settled: (isDelivered: boolean) => void,
  ): void {
    const entries = parcels.map(({ entry }) => entry)
    if (this.isSelf(owner)) return this.keep(entries, born, settled)
    const question = (id: number, epoch: number) =>
      ({ kind: 'handoff.push', id, epoch, reason: 'hinted', entries, born }) as const
    ask(this.desk, owner, handoffRetryMs, question, (reply) =>
      settled(reply?.kind === 'handoff.push.ok'),
    )
  }

  /** The node came to own the key. */
  private keep(
    entries: readonly Entry[],
    born: Micros,
    settled: (isDelivered: boolean) => void,
  ): void {
    const { disk, engine, runtime } = this.desk
    if (disk.isLow() || flightRefusal(runtime, born) !== undefined) return settled(false)
    engine.applyBatch(entries, {}, (error) => {
      if (error !== undefined) this.desk.storageFailed(error)
      else settled(true)
    })
  }

  private discard(page: HintPage, parcels: readonly Parcel[]): void {
    const delivered = parcels.filter(({ acknowledged, missing }) =>
      this.options.isLeaving ? acknowledged.state === 'met' : missing === 0,
    )
    if (delivered.length === 0) return this.goOn(page, bytesOf(parcels))
    const marks = delivered.map(({ entry: { token, key, record } }) => {
      return { token, key, version: record.version }
    })
    this.options.store.discard(marks, (error) => {
      if (error !== undefined) this.desk.storageFailed(error)
      else this.goOn(page, bytesOf(parcels))
    })
  }

  private goOn({ next }: HintPage, bytes: number): void {
    if (this.isOver) return
    const { runtime, handoffRate } = this.desk
    const pauseMs = Math.max(hintPauseMs, handoffRate.spend(bytes))
    const { wary, isThorough, ended } = this.options
    const isVain = !isThorough && [...wary].every((owner) => this.unreachable.has(owner))
    if (next === undefined || isVain) {
      if (isVain) for (const owner of wary) this.unreachable.add(owner)
      return ended(this.unreachable)
    }
    runtime.after(pauseMs, 'hand over further hints', () => this.readOn(next))
  }
}

function acknowledge(parcel: Parcel, owner: NodeId): void {
  parcel.acknowledged.ack(owner)
  parcel.missing--
}

function bytesOf(parcels: readonly Parcel[]): number {
  let bytes = 0
  for (const { entry, owners } of parcels) {
    bytes += owners.length * (entry.key.length + (entry.record.value?.length ?? 0))
  }
  return bytes
}
