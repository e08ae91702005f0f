/**
 * The owner's side of a delivery: merges what another node kept for it, or found that it lacks, and says
 * so once all of it is durable, under the epoch of the delivery. The entries may be of any age; the
 * delivery may not: a message that lay somewhere for longer than maxFlightMs could bring back what was
 * deleted and collected meanwhile.
 */
import type { ErrorCode } from '../shared/protocol/errors.js'
import type { HandoffPush, Message } from '../shared/protocol/messages.js'
import type { Address } from '../shared/runtime/runtime.js'
import { everyOwner } from './coordination.js'
import type { Department } from './department.js'
import type { Desk } from './desk.js'
import { flightRefusal } from './replica.js'

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
    if (desk.disk.isLow()) return this.refuse(from, id, 'DISK_FULL', 'the disk is nearly full')
    const refusal = flightRefusal(desk.runtime, born)
    if (refusal !== undefined) return this.refuse(from, id, 'EXPIRED', refusal)
    const { ring, self } = desk
    if (!entries.every(({ token }) => everyOwner(ring.arcOf(token)).includes(self))) {
      return this.refuse(from, id, 'INVALID_ARGUMENT', `${self} does not own all of the entries`)
    }
    desk.engine.applyBatch(entries, {}, (error) => {
      if (error !== undefined) {
        desk.storageFailed(error)
        this.refuse(from, id, 'STORAGE_FAILED', error.message)
      } else if (desk.ring.epoch === epoch) {
        desk.runtime.send(from, { kind: 'handoff.push.ok', id })
      } else {
        desk.runtime.send(from, { kind: 'stale', id, epoch: desk.ring.epoch })
      }
    })
  }

  /** Definite unless the store had begun with it. */
  private refuse(from: Address, id: number, code: ErrorCode, message: string): void {
    const definite = code !== 'STORAGE_FAILED'
    this.desk.runtime.send(from, { kind: 'error', id, code, definite, message })
  }
}
