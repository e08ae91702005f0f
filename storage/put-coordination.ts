/**
 * Coordinating a put: write the own replica, send to the other owners, answer after W durable
 * acknowledgements (of both sides while the ring changes). Fewer than W in time is an indefinite
 * error without rollback: what was written stays, and a retry with the same stamp completes it.
 */
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { Quorum } from '../shared/runtime/quorum.js'
import { Coordination, everyOwner } from './coordination.js'
import type { Desk } from './desk.js'
import { type PutRequest, replyPut } from './request.js'

export class PutCoordination extends Coordination<PutRequest> {
  private readonly quorum: Quorum

  constructor(desk: Desk, request: PutRequest) {
    super(desk, request)
    this.quorum = Quorum.ofWrite(this.arc, request.w)
  }

  begin(): void {
    const { ring, peers, self } = this.desk
    const { version, value } = this.request
    const record = { version, value }
    const owners = everyOwner(this.arc)
    for (const owner of owners) {
      if (owner !== self && !peers.isReachable(ring.address(owner))) this.quorum.fail(owner)
    }
    if (this.quorum.state === 'lost') return this.refuseQuorum()
    this.request.begun = true
    for (const owner of owners) {
      if (owner !== self && !this.writeTo(owner, record, version.micros)) this.failed(owner)
    }
    if (owners.includes(self)) this.writeOwn(record, () => this.acknowledge(self))
  }

  protected override answered(node: NodeId, reply: Message): void {
    if (reply.kind === 'replica.put.ok') this.acknowledge(node)
  }

  protected override failed(node: NodeId): void {
    if (this.quorum.fail(node) === 'lost' && this.isOpen()) this.refuseQuorum()
  }

  protected override reply(): void {
    replyPut(this.desk.runtime, this.request)
  }

  protected override sweepOpen(): void {}

  private acknowledge(node: NodeId): void {
    if (this.quorum.ack(node) === 'met') this.answer()
  }

  private refuseQuorum(): void {
    const needed = this.request.w === 0 ? this.arc.quorums.w : this.request.w
    this.refuse(
      'QUORUM_UNAVAILABLE',
      `fewer than ${needed} of the key's owners (${everyOwner(this.arc).join(', ')}) can be reached`,
    )
  }
}
