/**
 * Bringing a record to its owners, whoever made it: it goes to all of them, and the answer follows after
 * W durable acknowledgements (of both sides while the ring changes). Fewer than W in time is an
 * indefinite error without rollback: what was written stays.
 *
 * For each owner that cannot be reached, fails or is late, the next fallback keeps the record as a hint.
 * It goes out in the same turn, and nothing waits for it: in a strict swarm only owners count. In a
 * sloppy one a durable hint counts for the one owner that it was sent for. After its answer the write
 * stays until each owner acknowledged or has a fallback, at most peerPatienceMs: the owner that dies
 * with the record unread is the one whose copy must not be missed.
 */
import type { StoredRecord } from '../shared/data/record.js'
import type { Micros } from '../shared/data/version.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { peerPatienceMs } from '../shared/runtime/limits.js'
import { Quorum, type QuorumState } from '../shared/runtime/quorum.js'
import type { Millis } from '../shared/runtime/runtime.js'
import { Coordination, everyOwner, type Refusal } from './coordination.js'
import type { Desk } from './desk.js'
import type { PutRequest, WriteRequest } from './request.js'

/** A fallback that was asked to keep the record for an owner. */
interface StandIn {
  readonly owner: NodeId
  readonly fallback: NodeId
  state: 'asked' | 'kept' | 'failed'
}

export abstract class QuorumWrite<R extends PutRequest | WriteRequest> extends Coordination<R> {
  private readonly quorum: Quorum
  private readonly owners: readonly NodeId[]
  private readonly begunAt: Millis
  /** When the request set out: bounds how long its record may be under way. */
  private readonly born: Micros
  private record: StoredRecord | undefined
  /** Whether an earlier attempt of the request may have written something. */
  private readonly wasBegun: boolean
  /** Owners by their index, as bits: who holds the record, will not, and was given a fallback. */
  private acked = 0
  private lost = 0
  private hinted = 0
  /** Of those lost: because their disks are full. */
  private full = 0
  private standIns: StandIn[] | undefined
  /** Writes that were asked for and not answered, the own one left out. */
  private outstanding = 0
  /** Somebody may have written it. */
  protected isTouched = false
  private hasAnswered = false

  constructor(desk: Desk, request: R, born: Micros) {
    super(desk, request)
    this.born = born
    this.quorum = Quorum.ofWrite(this.arc, request.w)
    this.owners = everyOwner(this.arc)
    this.begunAt = desk.runtime.now()
    this.wasBegun = request.begun
  }

  /** What is to be written; undefined: it was refused. Called once, when W owners can be reached. */
  protected abstract make(): StoredRecord | undefined

  begin(): void {
    const { ring, peers, self, disk } = this.desk
    const { owners } = this
    let doubtful = 0
    for (let index = 0; index < owners.length; index++) {
      const owner = owners[index] as NodeId
      const address = ring.address(owner)
      if (owner === self) {
        if (disk.isLow()) this.lose(index, this.ownDiskFull(this.request.value))
      } else if (!peers.mayAnswer(address)) this.lose(index)
      else if (!peers.isReachable(address)) doubtful |= 1 << index
    }
    if (this.countLost() === 'lost') return this.refuseQuorum()
    this.record = this.make()
    if (this.record === undefined) return
    this.request.begun = true
    const missing = this.lost
    this.writeToOwners(this.record)
    this.standInForAll(missing)
    this.standInForAll(doubtful)
  }

  override release(): void {
    if (this.over || this.hasAnswered) return
    this.hasAnswered = true
    this.reply()
    this.succeeded()
    this.endIfSettled()
  }

  override ringChanged(): void {
    if (this.hasAnswered) this.end()
    else super.ringChanged()
  }

  override sweep(now: Millis): void {
    if (this.hasAnswered) this.sweepOpen(now)
    else super.sweep(now)
  }

  protected override acknowledged(): readonly NodeId[] {
    return this.owners.filter((_, index) => (this.acked >> index) & 1)
  }

  protected override answered(node: NodeId, reply: Message): void {
    if (this.over) return
    if (reply.kind === 'replica.put.ok') {
      const index = this.owners.indexOf(node)
      if (index >= 0) this.acknowledge(index)
    } else if (reply.kind === 'hint.put.ok') this.kept(node)
  }

  protected override failed(node: NodeId, refusal?: Refusal): void {
    if (this.over) return
    const index = this.owners.indexOf(node)
    if (index < 0) return this.fallbackFailed(node, refusal)
    if (((this.acked | this.lost) >> index) & 1) return
    this.outstanding--
    if (refusal?.definite !== true) this.isTouched = true
    this.lose(index, refusal)
    const isStrict = !this.desk.sloppy
    if (isStrict && this.quorum.fail(node) === 'lost' && !this.hasAnswered) return this.weighLoss()
    if (!this.hasStandIn(node)) this.standInFor(index)
    this.endIfSettled()
  }

  /** Whoever has not answered for so long is late: a fallback keeps the write for it, too. */
  protected override sweepOpen(now: Millis): void {
    if (now - this.begunAt < peerPatienceMs) return
    if (this.quorum.state === 'lost' && !this.hasAnswered) return this.refuseQuorum()
    const { ring, peers, self } = this.desk
    for (const [index, owner] of this.owners.entries()) {
      if (this.over) return
      if (((this.acked | this.lost | this.hinted) >> index) & 1) continue
      const address = owner === self ? undefined : ring.address(owner)
      if (address === undefined) continue
      peers.late(address)
      this.standInFor(index)
    }
    if (this.hasAnswered) this.end()
  }

  private writeToOwners(record: StoredRecord): void {
    const { self } = this.desk
    for (let index = 0; index < this.owners.length && !this.over; index++) {
      const owner = this.owners[index] as NodeId
      if (owner === self || (this.lost >> index) & 1) continue
      this.outstanding++
      if (!this.writeTo(owner, record, this.born)) this.failed(owner, notSent)
    }
    const own = this.owners.indexOf(self)
    if (this.over || own < 0 || (this.lost >> own) & 1) return
    this.isTouched = true
    this.writeOwn(record, () => this.acknowledge(own))
  }

  private acknowledge(index: number): void {
    const bit = 1 << index
    if ((this.acked & bit) !== 0) return
    const owner = this.owners[index] as NodeId
    if (owner !== this.desk.self && (this.lost & bit) === 0) this.outstanding--
    this.acked |= bit
    this.isTouched = true
    if (this.hasAnswered) this.endIfSettled()
    else this.count(owner)
  }

  private count(owner: NodeId): void {
    const state = this.quorum.ack(owner)
    if (state === 'met') this.answer()
    else if (state === 'lost') this.weighLoss()
  }

  private kept(fallback: NodeId): void {
    const standIn = this.standIns?.find((each) => each.fallback === fallback)
    if (standIn?.state !== 'asked') return
    standIn.state = 'kept'
    this.outstanding--
    this.isTouched = true
    if (this.desk.sloppy && !this.hasAnswered) this.count(standIn.owner)
    else if (this.quorum.state === 'lost') this.weighLoss()
  }

  private fallbackFailed(fallback: NodeId, refusal: Refusal | undefined): void {
    const standIn = this.standIns?.find((each) => each.fallback === fallback)
    if (standIn?.state !== 'asked') return
    standIn.state = 'failed'
    this.outstanding--
    if (refusal?.definite !== true) this.isTouched = true
    if (this.quorum.state === 'lost') this.weighLoss()
    else this.standInFor(this.owners.indexOf(standIn.owner))
  }

  private standInForAll(missing: number): void {
    for (let index = 0; missing >> index !== 0; index++) {
      if ((missing >> index) & 1) this.standInFor(index)
    }
  }

  /** Asks the next fallback; where there is none, the owner is given up. */
  private standInFor(index: number): void {
    if (this.over) return
    const bit = 1 << index
    const owner = this.owners[index] as NodeId
    this.hinted |= bit
    for (const fallback of this.desk.ring.fallbacksOf(this.arc)) {
      if (!this.isFree(fallback)) continue
      this.standIns ??= []
      const standIn: StandIn = { owner, fallback, state: 'asked' }
      this.standIns.push(standIn)
      if (this.sendHint(fallback)) {
        this.outstanding++
        return
      }
      standIn.state = 'failed'
    }
    if (!this.desk.sloppy || (this.lost & bit) === 0 || this.hasAnswered) return
    if (this.quorum.fail(owner) === 'lost') this.weighLoss()
  }

  private hasStandIn(owner: NodeId): boolean {
    return this.standIns?.some((each) => each.owner === owner && each.state !== 'failed') === true
  }

  /** Each keeps the write once, for one owner; a coordinator that is no owner any more keeps none. */
  private isFree(fallback: NodeId): boolean {
    const { ring, peers, self } = this.desk
    if (fallback === self || !peers.isReachable(ring.address(fallback))) return false
    return this.standIns?.some((each) => each.fallback === fallback) !== true
  }

  private sendHint(fallback: NodeId): boolean {
    const { ring, runtime } = this.desk
    const { id, epoch, born, record } = this
    const { token, key } = this.request
    const address = ring.address(fallback)
    if (address === undefined || record === undefined) return false
    const { version, value, attached = null } = record
    const message = {
      kind: 'hint.put',
      id,
      epoch,
      token,
      key,
      value,
      version,
      attached,
      born,
    } as const
    return runtime.send(address, message)
  }

  private lose(index: number, refusal?: Refusal): void {
    this.lost |= 1 << index
    if (refusal?.code === 'DISK_FULL') this.full |= 1 << index
  }

  /** At the beginning: in a sloppy swarm as many owners may be missing as fallbacks can be asked. */
  private countLost(): QuorumState {
    if (this.lost === 0) return 'pending'
    const { ring, sloppy } = this.desk
    let spare = sloppy ? ring.fallbacksOf(this.arc).filter((node) => this.isFree(node)).length : 0
    for (const [index, owner] of this.owners.entries()) {
      if ((this.lost >> index) & 1 && spare-- <= 0) this.quorum.fail(owner)
    }
    return this.quorum.state
  }

  /** Full disks refuse before they begin: if all do, waiting for the last makes the error definite. */
  private weighLoss(): void {
    if (!this.isOpen()) return
    const mayBeDefinite = this.full !== 0 && !this.isTouched && this.outstanding > 0
    if (!mayBeDefinite) this.refuseQuorum()
  }

  private refuseQuorum(): void {
    if (!this.isTouched && this.outstanding === 0) this.request.begun = this.wasBegun
    const needed = this.request.w === 0 ? this.arc.quorums.w : this.request.w
    const owners = this.owners.join(', ')
    if (this.isLostByFullDisks()) {
      const message = `fewer than ${needed} of the key's owners (${owners}) have room on their disks`
      return this.refuse('DISK_FULL', `${message}; reads go on`)
    }
    const message = `fewer than ${needed} of the key's owners (${owners}) can be reached`
    this.refuse('QUORUM_UNAVAILABLE', message)
  }

  /** With room on those disks, the others that are missing would not have mattered. */
  private isLostByFullDisks(): boolean {
    if (this.full === 0) return false
    const quorum = Quorum.ofWrite(this.arc, this.request.w)
    for (const [index, owner] of this.owners.entries()) {
      if (((this.lost & ~this.full) >> index) & 1) quorum.fail(owner)
    }
    return quorum.state !== 'lost'
  }

  private endIfSettled(): void {
    if (!this.hasAnswered || this.over) return
    const settled = this.acked | this.lost | this.hinted
    if (settled === 2 ** this.owners.length - 1) this.end()
  }
}

/** The peer's queue is full: it was not sent. */
const notSent: Refusal = { code: 'OVERLOADED', definite: true }
