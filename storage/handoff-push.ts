/**
 * The owner's side of a delivery: merges what another node kept for it, or found that it lacks, and says
 * so once all of it is durable, under the epoch of the delivery. The entries may be of any age; the
 * delivery may not: a message that lay somewhere for longer than maxFlightMs could bring back what was
 * deleted and collected meanwhile.
 */
import type { HandoffPush, Message } from '../shared/protocol/messages.js'
import type { Address } from '../shared/runtime/runtime.js'
import { everyOwner } from './coordination.js'
import type { Department } from './department.js'
import type { Desk } from './desk.js'
import { flightRefusal } from './replica.js'
import { answer, refuse, refuseFailed } from './reply.js'

export class PushReceiver implements Department {
  readonly takes = ['handoff.push'] as const
  readonly isBusy = false
  readonly stats = {}
  private readonly desk: Desk

  constructor(desk: Desk) {
    this.desk = desk
  }

  start(): void {}

  stop(): void {}

  opened(): void {}

  closed(): void {}

  ringChanged(): void {}

  received(from: Address, message: Message): void {
    if (message.kind === 'handoff.push') this.merge(from, message)
  }

  private merge(from: Address, { id, epoch, entries, born }: HandoffPush): void {
    const { desk } = this
    if (desk.disk.isLow()) return refuse(desk, from, id, 'DISK_FULL', 'the disk is nearly full')
    const refusal = flightRefusal(desk.runtime, born)
    if (refusal !== undefined) return refuse(desk, from, id, 'EXPIRED', refusal)
    const { ring, self } = desk
    if (!entries.every(({ token }) => everyOwner(ring.arcOf(token)).includes(self))) {
      return refuse(desk, from, id, 'INVALID_ARGUMENT', `${self} does not own all of the entries`)
    }
    desk.engine.applyBatch(entries, {}, (error) => {
      if (error !== undefined) refuseFailed(desk, from, id, error)
      else answer(desk, from, epoch, { kind: 'handoff.push.ok', id })
    })
  }
}
