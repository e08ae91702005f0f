/**
 * How old the word of this node is. What a member reads from its store may be sent on from that moment,
 * since whoever collects tombstones asks every member for its hints first. A node that left is asked no
 * more: what it still has to hand over counts as sent when it last knew that it was a member. Owners
 * refuse that after maxFlightMs, and no tombstone is collected before.
 */
import type { Micros } from '../../shared/data/version.js'
import { maxFlightMs } from '../../shared/runtime/limits.js'
import type { RingFiles } from '../../shared/runtime/ports.js'
import type { Desk } from '../desk.js'

export class Membership {
  private readonly desk: Desk
  private readonly ringFiles: RingFiles
  private knownAt: Micros = 0

  constructor(desk: Desk, ringFiles: RingFiles) {
    this.desk = desk
    this.ringFiles = ringFiles
  }

  get isMember(): boolean {
    const { ring, self } = this.desk
    return ring.member(self) !== undefined
  }

  /** The clock is read first: the ring was still the newest then. */
  look(): void {
    const now = this.desk.runtime.hostMicros()
    if (this.isMember && !this.ringFiles.exists(this.desk.ring.epoch + 1)) this.knownAt = now
  }

  /** For what is read from the store from now on. */
  born(): Micros {
    return this.isMember ? this.desk.runtime.hostMicros() : this.knownAt
  }

  /** Nobody would take what is kept here any more. */
  get isOver(): boolean {
    if (this.isMember) return false
    return this.desk.runtime.hostMicros() - this.knownAt > maxFlightMs * 1000
  }
}
