/**
 * What coordinating a put and a get have in common. One object is one attempt under one epoch: when
 * the ring changes it is dropped, and the request is routed anew with the same stamp. So nothing here
 * ever mixes answers of two rings.
 */
import type { StoredRecord } from '../shared/data/record.js'
import type { Micros } from '../shared/data/version.js'
import type { ErrorReply, Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Arc } from '../shared/ring/ring.js'
import type { Address, Millis } from '../shared/runtime/runtime.js'
import type { Desk, Exchange } from './desk.js'
import type { Answer } from './fence.js'
import { operationOf, type QuorumTold } from './operations.js'
import { diskNearlyFull } from './replica.js'
import { type Request, replyError } from './request.js'

type RefusalCode = 'TIMEOUT' | 'QUORUM_UNAVAILABLE' | 'DISK_FULL' | 'TOO_MANY_SIBLINGS' | 'STOPPING'
export type Refusal = Pick<ErrorReply, 'code' | 'definite'>

/** Of the own replica, as the others would say it. */
const diskFull: Refusal = { code: 'DISK_FULL', definite: true }

export abstract class Coordination<R extends Request> implements Exchange, Answer, QuorumTold {
  readonly epoch: number
  protected readonly desk: Desk
  protected readonly request: R
  protected readonly arc: Arc
  protected readonly id: number
  /** Answered, failed or dropped for a newer ring: whatever still arrives is too late. */
  protected over = false
  private answering = false

  constructor(desk: Desk, request: R) {
    this.desk = desk
    this.request = request
    this.epoch = desk.ring.epoch
    this.arc = desk.ring.arcOf(request.token)
    this.id = desk.inFlight.add(this)
  }

  /** Sends the first messages. Apart from the constructor, since it may finish at once. */
  abstract begin(): void

  /** An owner answered. */
  protected abstract answered(node: NodeId, reply: Message): void

  /** An owner will not answer, or refuses. */
  protected abstract failed(node: NodeId, refusal?: Refusal): void

  protected abstract reply(): void

  /** The owners whose acknowledgement or reply came so far. */
  protected abstract acknowledged(): readonly NodeId[]

  protected abstract sweepOpen(now: Millis): void

  received(from: Address, reply: Message): void {
    if (reply.kind === 'stale') {
      if (reply.epoch > this.epoch) this.desk.catchUp()
      return
    }
    const node = this.desk.nodeAt(from)
    if (node === undefined) return
    if (reply.kind === 'error') this.failed(node, reply)
    else this.answered(node, reply)
  }

  closed(peer: Address): void {
    const node = this.desk.nodeAt(peer)
    if (node !== undefined) this.failed(node)
  }

  ringChanged(): void {
    if (this.over) return
    this.end()
    this.desk.route(this.request)
  }

  sweep(now: Millis): void {
    if (this.desk.runtime.hostMicros() > this.request.deadline) {
      const counted = this.acknowledged()
      const silent = everyOwner(this.arc).filter((owner) => !counted.includes(owner))
      const who = `owners of the key answered: nothing from ${silent.join(', ')}`
      this.refuse('TIMEOUT', `the deadline passed before enough ${who}`)
    } else if (!this.answering) {
      this.sweepOpen(now)
    }
  }

  /** Called by the fence. */
  release(): void {
    if (this.over) return
    this.end()
    this.reply()
    this.succeeded()
  }

  /** For the log of operations. */
  get told(): object {
    const { request, epoch } = this
    const { n, r, w } = this.arc.quorums
    const asked = 'r' in request ? { n, r: request.r || r, w } : { n, r, w: request.w || w }
    return { epoch, ...asked, acknowledged: this.acknowledged() }
  }

  /** The answer went out: the one place where it is counted. */
  protected succeeded(): void {
    this.ended(undefined)
  }

  private ended(refusal: string | undefined): void {
    const { request } = this
    const operation = 'value' in request ? operationOf(request.value) : 'get'
    this.desk.operations.ended('coordinated', operation, request.key, refusal, this)
  }

  /** Everything the answer rests on is there: it goes if the epoch is still current. */
  protected answer(): void {
    if (this.answering || this.over) return
    this.answering = true
    this.desk.fence.release(this)
  }

  protected refuse(code: RefusalCode, message: string): void {
    if (this.over) return
    this.end()
    replyError(this.desk.runtime, this.request, code, message)
    this.ended(`${code}: ${message}`)
  }

  protected isOpen(): boolean {
    return !this.over && !this.answering
  }

  /** Merges into the own replica; `acknowledged` follows once that is durable, unless it is late. */
  protected writeOwn(record: StoredRecord, acknowledged: () => void): void {
    const { engine, self, disk, operations } = this.desk
    const { token, key } = this.request
    if (disk.isLow()) return this.failed(self, this.ownDiskFull(record.value))
    const operation = operationOf(record.value)
    engine.apply({ token, key, record }, (error) => {
      operations.ended('replicated', operation, key, error?.message)
      if (error !== undefined) {
        this.desk.storageFailed(error)
        this.failed(self)
      } else if (!this.over) {
        acknowledged()
      }
    })
  }

  /** The own replica refuses a write of this value. */
  protected ownDiskFull(value: Uint8Array | null): Refusal {
    const { operations } = this.desk
    operations.ended(
      'replicated',
      operationOf(value),
      this.request.key,
      `DISK_FULL: ${diskNearlyFull}`,
    )
    return diskFull
  }

  /** False: the owner cannot be reached now. */
  protected writeTo(
    owner: NodeId,
    { version, value, attached }: StoredRecord,
    born: Micros,
  ): boolean {
    const { ring, peers, runtime } = this.desk
    const address = ring.address(owner)
    if (!peers.mayAnswer(address)) return false
    const { id, epoch } = this
    const { token, key } = this.request
    return runtime.send(address, {
      kind: 'replica.put',
      id,
      epoch,
      token,
      key,
      value,
      version,
      attached: attached ?? null,
      born,
    })
  }

  /** Nothing more comes of this attempt. */
  protected end(): void {
    this.over = true
    this.desk.inFlight.delete(this.id)
  }
}

/** The current owners of an arc, then the next ones that are not among them. */
export function everyOwner(arc: Arc): readonly NodeId[] {
  if (arc.next === undefined) return arc.owners
  return [...arc.owners, ...arc.next.owners.filter((node) => !arc.owners.includes(node))]
}
