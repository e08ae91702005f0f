/** One delivery of entries to an owner, until it has them durably or will not. */
import type { Micros } from '../../shared/data/version.js'
import type { Message } from '../../shared/protocol/messages.js'
import type { NodeId } from '../../shared/ring/description.js'
import { handoffRetryMs } from '../../shared/runtime/limits.js'
import type { Entry } from '../../shared/runtime/ports.js'
import type { Address, Millis } from '../../shared/runtime/runtime.js'
import type { Desk, Exchange } from '../desk.js'

export class Push implements Exchange {
  private readonly desk: Desk
  private readonly owner: Address | undefined
  private readonly settled: (isDelivered: boolean) => void
  private readonly sentAt: Millis
  private id = 0

  /** `settled` is called once, perhaps within `begin`. */
  constructor(desk: Desk, owner: NodeId, settled: (isDelivered: boolean) => void) {
    this.desk = desk
    this.owner = desk.ring.address(owner)
    this.settled = settled
    this.sentAt = desk.runtime.now()
  }

  /** `born`: when the entries were read from the store. */
  begin(entries: readonly Entry[], born: Micros): void {
    const { inFlight, ring, runtime } = this.desk
    this.id = inFlight.add(this)
    const { id, owner } = this
    const { epoch } = ring
    const reason = 'hinted'
    const sent =
      owner !== undefined &&
      runtime.send(owner, { kind: 'handoff.push', id, epoch, reason, entries, born })
    if (!sent) this.settle(false)
  }

  received(from: Address, reply: Message): void {
    if (from !== this.owner) return
    this.settle(reply.kind === 'handoff.push.ok')
    if (reply.kind === 'stale' && reply.epoch > this.desk.ring.epoch) this.desk.catchUp()
  }

  closed(peer: Address): void {
    if (peer === this.owner) this.settle(false)
  }

  /** Only what all owners of one ring have counts as delivered. */
  ringChanged(): void {
    this.settle(false)
  }

  sweep(now: Millis): void {
    if (now - this.sentAt > handoffRetryMs) this.settle(false)
  }

  private settle(isDelivered: boolean): void {
    if (this.desk.inFlight.delete(this.id)) this.settled(isDelivered)
  }
}
