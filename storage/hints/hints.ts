/**
 * Hinted handoff: a node keeps writes for owners of their keys that missed them, and hands them over
 * when these can be reached again (DeCandia et al., "Dynamo", section 4.6). Unlike there a hint names no
 * owner: it is owed to all current owners of its key, whoever they are by then. So it survives an
 * eviction and any change of the ring, and while a hint exists, some owner may lack the write.
 *
 * A walk through the hints is worth its cost only if something changed: a hint came whose owners are
 * all there, the ring is another one, or an owner that was missing can be reached.
 */
import type { HintPut, HintQuery, Message, NodeStatsOk } from '../../shared/protocol/messages.js'
import type { NodeId, Token } from '../../shared/ring/description.js'
import { hintDrainMs } from '../../shared/runtime/limits.js'
import type { Address, CancelTimer } from '../../shared/runtime/runtime.js'
import { everyOwner } from '../coordination.js'
import type { Department } from '../department.js'
import type { Desk } from '../desk.js'
import type { StorageNodeOptions } from '../node.js'
import { recordOf, stampRefusal } from '../replica.js'
import { answer, refuse, refuseFailed } from '../reply.js'
import { Drain } from './drain.js'
import { HintStore } from './hint-store.js'
import { Membership } from './membership.js'

export type HintsOptions = Pick<StorageNodeOptions, 'hints' | 'boot' | 'ringFiles'>

export class Hints implements Department {
  readonly takes = ['hint.put', 'hint.query'] as const
  private readonly desk: Desk
  private readonly options: HintsOptions
  private readonly store: HintStore
  private readonly membership: Membership
  private drain: Drain | undefined
  /** Owners that a hint waits for. */
  private missing: ReadonlySet<NodeId> = new Set()
  /** Of these, for whom something came during the walk under way: it may have come too late for it. */
  private readonly missedByWalk = new Set<NodeId>()
  /** There may be hints that can be delivered at once. */
  private isDue = true
  private hasRing = false
  private isStopped = false
  private cancelTick: CancelTimer = () => {}

  constructor(desk: Desk, options: HintsOptions) {
    this.desk = desk
    this.options = options
    this.store = new HintStore(options.hints)
    this.membership = new Membership(desk, options.ringFiles)
  }

  get isBusy(): boolean {
    return !this.store.isEmpty
  }

  get stats(): Pick<NodeStatsOk, 'hints'> {
    return { hints: this.store.count }
  }

  start(): void {
    this.store.open((error) => {
      if (error !== undefined) this.desk.storageFailed(error)
      else this.tick()
    })
  }

  stop(): void {
    this.isStopped = true
    this.drain?.stop()
    this.cancelTick()
  }

  received(from: Address, message: Message): void {
    if (message.kind === 'hint.put') this.keep(from, message)
    else if (message.kind === 'hint.query') this.tell(from, message)
  }

  opened(peer: Address): void {
    const node = this.desk.nodeAt(peer)
    if (node !== undefined && this.missing.has(node)) this.handOver()
  }

  closed(): void {}

  /** The keys may have other owners now. */
  ringChanged(): void {
    this.hasRing = true
    this.membership.look()
    this.drain?.stop()
    this.drain = undefined
    this.isDue = true
    this.desk.runtime.after(0, 'hand over hints', () => this.handOver())
  }

  private keep(from: Address, message: HintPut): void {
    const { desk, store } = this
    const { id, epoch, token, key, version, born } = message
    const entry = { token, key, record: recordOf(message) }
    if (desk.disk.isLow()) return refuse(desk, from, id, 'DISK_FULL', 'the disk is nearly full')
    const refusal = stampRefusal(desk.runtime, this.options.boot, version, born)
    if (refusal !== undefined) return refuse(desk, from, id, 'EXPIRED', refusal)
    if (!store.hasRoomFor(entry)) {
      return refuse(desk, from, id, 'OVERLOADED', `${desk.self} keeps as many hints as it may`)
    }
    store.put(entry, (error) => {
      if (error !== undefined) return refuseFailed(desk, from, id, error)
      this.noteOwners(token)
      answer(desk, from, epoch, { kind: 'hint.put.ok', id })
    })
  }

  /** For whom it waits; if for nobody, it can be handed over. */
  private noteOwners(token: Token): void {
    const { ring, peers, self } = this.desk
    const waitsFor = everyOwner(ring.arcOf(token)).filter(
      (owner) =>
        this.missing.has(owner) || (owner !== self && !peers.isReachable(ring.address(owner))),
    )
    if (waitsFor.length === 0) this.isDue = true
    else if (this.drain !== undefined) for (const owner of waitsFor) this.missedByWalk.add(owner)
    else if (waitsFor.some((owner) => !this.missing.has(owner))) {
      this.missing = new Set([...this.missing, ...waitsFor])
    }
  }

  private tell(from: Address, { id, epoch, from: start, to }: HintQuery): void {
    const { desk } = this
    this.store.scan({ from: start, to }, undefined, 1, (error, page) => {
      if (page === undefined) {
        return refuseFailed(desk, from, id, error ?? new Error('the scan gave no page'))
      }
      const hasHints = page.entries.length > 0
      answer(desk, from, epoch, { kind: 'hint.query.ok', id, hasHints })
    })
  }

  private tick(): void {
    if (this.isStopped) return
    this.cancelTick = this.desk.runtime.after(hintDrainMs, 'hints', () => this.tick())
    if (!this.hasRing) return
    // Nobody tells a node that left of the owners of today.
    if (!this.membership.isMember) this.desk.catchUp()
    this.membership.look()
    if (this.membership.isOver) this.giveUp()
    else if (this.isDue || this.someMissingReturned()) this.handOver()
  }

  private someMissingReturned(): boolean {
    const { ring, peers } = this.desk
    return [...this.missing].some((node) => peers.isReachable(ring.address(node)))
  }

  private handOver(): void {
    if (this.isStopped || !this.hasRing || this.store.isEmpty) return
    if (this.drain !== undefined) {
      this.isDue = true
      return
    }
    const isThorough = this.isDue
    this.isDue = false
    this.missedByWalk.clear()
    this.drain = new Drain(this.desk, {
      store: this.store,
      wary: this.missing,
      isThorough,
      isLeaving: !this.membership.isMember,
      born: () => this.membership.born(),
      ended: (unreachable) => {
        this.drain = undefined
        this.missing = new Set([...unreachable, ...this.missedByWalk])
      },
    })
    this.drain.begin()
  }

  /** No owner takes from a node that left so long ago; repair finds what they miss. */
  private giveUp(): void {
    if (this.store.isEmpty || this.drain !== undefined) return
    const { keys } = this.store.count
    this.desk.log.warn({ keys }, 'dropped hints: this node has not been a member for too long')
    this.store.eraseAll((error) => {
      if (error !== undefined) this.desk.storageFailed(error)
    })
  }
}
