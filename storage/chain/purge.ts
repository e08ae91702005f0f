/**
 * Clears up what nobody can ask for any more: requests that are committed and past their deadlines, and
 * tombstones that have nothing left beside them. Every member does it for itself, by the same clock.
 *
 * A key that is still written is left alone: each write of it drops what is over, and once it rests, its
 * last request is due.
 *
 * A tombstone that is committed is held by all members, so nothing older is left to come back. Only a
 * handoff under way may still carry the value before it: while the ring changes, tombstones stay. They
 * stay also while the clock is behind their versions, which a head that orders several writes within one
 * microsecond draws ahead of it: the next version of a forgotten key is the clock's.
 */
import { requestsOf, withRequests } from '../../shared/data/chain-record.js'
import type { StoredRecord } from '../../shared/data/record.js'
import type { Micros, Version } from '../../shared/data/version.js'
import { chainPurgeKeysMax, chainPurgeRequestsMax } from '../../shared/runtime/limits.js'
import type { Desk } from '../desk.js'
import type { FollowedKey } from './followed-key.js'
import type { Uncommitted } from './uncommitted.js'

export class Purge {
  private readonly desk: Desk
  private readonly boot: number
  private readonly index: Uncommitted

  constructor(desk: Desk, boot: number, index: Uncommitted) {
    this.desk = desk
    this.boot = boot
    this.index = index
  }

  /** Clears up some of what is due. */
  run(): void {
    if (!this.index.hasDue) return
    const now = this.desk.runtime.hostMicros()
    for (const each of this.index.takeDue(now, chainPurgeKeysMax)) this.clearUp(each, now)
  }

  private clearUp(each: FollowedKey, now: Micros): void {
    // Otherwise one of its requests is still to become due.
    if (!each.isOver(now) && each.committed < chainPurgeRequestsMax) return
    const { engine } = this.desk
    const { token, key } = each
    let forgotten: Version | undefined
    let mustWait = false
    const change = (held: StoredRecord | undefined): StoredRecord | undefined => {
      const requests = requestsOf(held)
      const kept = each.notOver(requests, now)
      if (held === undefined || kept.length === requests.length) return undefined
      if (held.value !== null || kept.length > 0) return withRequests(held, kept)
      if (this.mayForget(held.version, now)) forgotten = held.version
      else mustWait = true
      return undefined
    }
    const failed = (error: Error | undefined) => {
      if (error !== undefined) this.desk.storageFailed(error)
    }
    engine.update(token, key, change, failed)
    // In the same turn: nothing has come beside the key since.
    if (forgotten !== undefined) engine.discard([{ token, key, version: forgotten }], failed)
    if (mustWait) this.index.postpone(each, now)
    else this.index.expire(each, now)
  }

  private mayForget({ boot, micros }: Version, now: Micros): boolean {
    const { description } = this.desk.ring
    return description.change === undefined && (boot < this.boot || micros < now)
  }
}
