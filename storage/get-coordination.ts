/**
 * Coordinating a get: ask R owners, take the newest record (of siblings the merged one), and answer
 * once that version is known on W owners (of both sides while the ring changes). Replies that hold it
 * count; a write-back supplies the rest (read repair). With R + W > N every key is then a linearizable register: whoever reads
 * later meets this version or a newer one (Attiya, Bar-Noy, Dolev, "Sharing memory robustly in
 * message-passing systems", the read's second phase). The usual case, R agreeing replies with
 * R >= W, costs nothing. A key that no asked owner has is known to be absent everywhere it matters:
 * absence is the lowest version. An owner whose reply shows less than was answered gets it written too,
 * after the answer: nobody waits for that, and it counts as nothing.
 *
 * A read with R + W <= N is outside that promise: it gets the newest of what it read (weak-reads.ts).
 */
import type { StoredRecord } from '../shared/data/record.js'
import { compareVersions } from '../shared/data/version.js'
import type { Message, ReplicaGetOk } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { readHedgeMs, sweepIntervalMs } from '../shared/runtime/limits.js'
import { Quorum } from '../shared/runtime/quorum.js'
import type { Millis } from '../shared/runtime/runtime.js'
import { Coordination, everyOwner } from './coordination.js'
import type { Desk } from './desk.js'
import { hasValue, recordOf } from './replica.js'
import { type GetRequest, replyGet } from './request.js'
import { isWeakRead, readQuorumOf, spread } from './weak-reads.js'

/**
 * A node that was held up for most of readHedgeMs has seen fewer sweeps: the answers may lie in its own
 * sockets unread, and it holds nobody for late.
 */
const sureSweeps = Math.ceil(readHedgeMs / sweepIntervalMs / 2)

export class GetCoordination extends Coordination<GetRequest> {
  private readonly quorum: Quorum
  /** Outside the promise: no write-back, and nobody is asked but for the read quorum. */
  private readonly isWeak: boolean
  /** Owners in the order of asking; those before `asked` were asked. */
  private readonly candidates: readonly NodeId[]
  private asked = 0
  /** What each candidate holds; null until it answers. */
  private readonly replies: (StoredRecord | undefined | null)[]
  private answers = 0
  /** Of the values read. */
  private bytes = 0
  private failures = 0
  /** Candidates that failed, by their index, as bits. */
  private lost = 0
  private lastAsked: Millis
  /** Since the last one was asked. */
  private sweeps = 0
  /** Set once the write-back began: who is known to hold the newest record. */
  private known: Quorum | undefined
  /** Of what was read; of siblings what all of it makes together. */
  private newest: StoredRecord | undefined

  constructor(desk: Desk, request: GetRequest) {
    super(desk, request)
    this.quorum = Quorum.ofRead(this.arc, request.r)
    this.isWeak = isWeakRead(this.arc, request.r)
    this.candidates = candidatesOf(
      desk,
      this.isWeak ? spread(desk, this.arc.owners) : everyOwner(this.arc),
    )
    this.replies = this.candidates.map(() => null)
    this.lastAsked = desk.runtime.now()
  }

  begin(): void {
    const first = this.firstAsked()
    while (this.asked < first && this.isOpen()) this.askNext()
  }

  protected override answered(node: NodeId, reply: Message): void {
    if (reply.kind === 'replica.get.ok') this.heard(node, heldOf(reply))
    else if (reply.kind === 'replica.put.ok') this.wroteBack(node)
  }

  protected override failed(node: NodeId): void {
    if (!this.isOpen()) return
    if (this.known !== undefined) {
      if (this.known.fail(node) === 'lost') this.refuseQuorum('write back to')
      return
    }
    const index = this.candidates.indexOf(node)
    if (index < 0 || index >= this.asked || this.replies[index] !== null) return
    if ((this.lost >> index) & 1) return
    this.lost |= 1 << index
    this.failures++
    if (this.quorum.fail(node) === 'lost') return this.refuseQuorum('read from')
    if (this.asked < this.candidates.length) this.askNext()
    else this.weigh(true)
  }

  protected override end(): void {
    super.end()
    this.desk.readBytes.giveBack(this.bytes)
    this.bytes = 0
  }

  protected override reply(): void {
    this.deliver(this.newest)
    if (this.isWeak || this.known !== undefined || this.newest === undefined) return
    this.mend(this.newest)
  }

  /** To whoever asked. */
  protected deliver(record: StoredRecord | undefined): void {
    const { runtime, self, mode } = this.desk
    replyGet(runtime, mode, this.request, record, self)
  }

  /** Too few owners were known to hold what was read. */
  protected get hasWrittenBack(): boolean {
    return this.known !== undefined
  }

  protected override succeeded(): void {
    this.desk.operations.got('coordinated', this.request.key, hasValue(this.newest), this)
  }

  protected override acknowledged(): readonly NodeId[] {
    return this.candidates.filter((_, index) => this.replies[index] !== null)
  }

  /** The deadline bounds the age of what was read, as the owners do with `born`. */
  private mend(record: StoredRecord): void {
    if (this.desk.runtime.hostMicros() > this.request.deadline) return
    for (const [index, owner] of this.candidates.entries()) {
      if (this.replies[index] === null || this.holdsNewest(index)) continue
      if (owner === this.desk.self) this.writeOwn(record, () => {})
      else this.writeTo(owner, record, this.request.born)
    }
  }

  /** An owner is slow: ask a further one, or stop waiting for those beyond the quorum. */
  protected override sweepOpen(now: Millis): void {
    this.sweeps++
    if (this.known !== undefined || now - this.lastAsked < readHedgeMs) return
    if (this.quorum.state === 'met') {
      this.tellLate(now)
      this.weigh(true)
    } else if (this.asked < this.candidates.length) {
      this.tellLate(now)
      this.askNext()
    }
  }

  /** So that the gets after this one need not wait too. Who answers others is busy, not silent. */
  private tellLate(now: Millis): void {
    if (this.sweeps < sureSweeps) return
    const { ring, peers, self } = this.desk
    for (let index = 0; index < this.asked; index++) {
      const owner = this.candidates[index] as NodeId
      const isSettled = this.replies[index] !== null || ((this.lost >> index) & 1) === 1
      const address = isSettled || owner === self ? undefined : ring.address(owner)
      if (address === undefined || now - peers.heardAt(address) < readHedgeMs) continue
      peers.late(address)
    }
  }

  private firstAsked(): number {
    const needed = readQuorumOf(this.arc, this.request.r)
    if (this.isWeak) return needed
    if (this.arc.next !== undefined) return this.candidates.length
    return Math.max(needed, this.arc.quorums.w)
  }

  private askNext(): void {
    const owner = this.candidates[this.asked]
    if (owner === undefined) return
    this.asked++
    this.sweeps = 0
    this.lastAsked = this.desk.runtime.now()
    if (owner === this.desk.self) this.readOwn()
    else if (!this.sendTo(owner)) this.failed(owner)
  }

  private sendTo(owner: NodeId): boolean {
    const { ring, runtime } = this.desk
    const address = ring.address(owner)
    if (address === undefined) return false
    const { token, key } = this.request
    return runtime.send(address, {
      kind: 'replica.get',
      id: this.id,
      epoch: this.epoch,
      token,
      key,
    })
  }

  private readOwn(): void {
    const { engine, self, operations } = this.desk
    const { token, key } = this.request
    engine.read(token, key, (error, record) => {
      if (error === undefined) operations.got('replicated', key, hasValue(record))
      else operations.ended('replicated', 'get', key, error.message)
      if (error !== undefined) {
        this.desk.storageFailed(error)
        this.failed(self)
      } else if (!this.over) {
        this.heard(self, record)
      }
    })
  }

  private heard(node: NodeId, record: StoredRecord | undefined): void {
    const index = this.candidates.indexOf(node)
    if (this.over || this.known !== undefined || this.replies[index] !== null) return
    if (!this.isOpen()) return this.heardLate(index, record)
    this.replies[index] = record
    this.answers++
    const bytes = record?.value?.length ?? 0
    this.bytes += bytes
    this.desk.readBytes.take(bytes)
    if (record !== undefined) this.newest = this.desk.merge(this.newest, record)
    if (this.quorum.ack(node) === 'met') this.weigh(false)
  }

  /** The answer stands already; whoever holds all of it needs nothing. */
  private heardLate(index: number, record: StoredRecord | undefined): void {
    const { newest } = this
    const holdsAll =
      record !== undefined && (newest === undefined || this.desk.merge(record, newest) === record)
    if (!holdsAll) this.replies[index] = record
  }

  /** With a read quorum: answer, wait for the others that were asked, or write back. */
  private weigh(waitNoLonger: boolean): void {
    if (this.quorum.state !== 'met') return
    if (this.newest === undefined || this.isWeak) return this.answer()
    const known = Quorum.ofWrite(this.arc, 0)
    for (const [index, node] of this.candidates.entries()) {
      if (this.holdsNewest(index)) known.ack(node)
    }
    if (known.state === 'met') return this.answer()
    if (waitNoLonger || this.answers + this.failures >= this.asked) {
      this.writeBack(known, this.newest)
    }
  }

  private holdsNewest(index: number): boolean {
    const record = this.replies[index]
    if (record === undefined || record === null || this.newest === undefined) return false
    return compareVersions(record.version, this.newest.version) === 0
  }

  private writeBack(known: Quorum, record: StoredRecord): void {
    if (this.desk.runtime.hostMicros() > this.request.deadline) {
      return this.refuse('TIMEOUT', 'the deadline passed before the value could be written back')
    }
    const { self } = this.desk
    this.known = known
    for (const owner of everyOwner(this.arc)) {
      if (!this.isOpen()) return
      if (this.holdsNewest(this.candidates.indexOf(owner))) continue
      if (owner === self) this.writeOwn(record, () => this.wroteBack(self))
      else if (!this.writeTo(owner, record, this.request.born)) this.failed(owner)
    }
  }

  private wroteBack(node: NodeId): void {
    if (this.known?.ack(node) === 'met') this.answer()
  }

  private refuseQuorum(what: string): void {
    const owners = everyOwner(this.arc).join(', ')
    this.refuse('QUORUM_UNAVAILABLE', `too few of the key's owners (${owners}) can be ${what}`)
  }
}

/** Oneself first (no message), then those that can be reached, each in the order given. */
function candidatesOf(desk: Desk, owners: readonly NodeId[]): readonly NodeId[] {
  const { self, peers, ring } = desk
  const candidates = owners.includes(self) ? [self] : []
  let unreachable: NodeId[] | undefined
  for (const owner of owners) {
    if (owner === self) continue
    if (peers.isReachable(ring.address(owner))) candidates.push(owner)
    else unreachable = [...(unreachable ?? []), owner]
  }
  return unreachable === undefined ? candidates : [...candidates, ...unreachable]
}

/** What an owner says that it holds. */
export function heldOf({ version, value, attached }: ReplicaGetOk): StoredRecord | undefined {
  return version === null ? undefined : recordOf({ version, value, attached })
}
