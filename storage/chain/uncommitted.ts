/**
 * Which requests of which keys this node follows: those that have not reached the end of their chain, as
 * far as it knows, and those that have but may still be asked for, since their deadlines have not passed.
 *
 * It is kept in memory alone: after a restart everything that is found beside the keys counts as
 * uncommitted and goes down its chain once more, which costs a message and changes nothing. What is not
 * followed here counts as uncommitted, too: that is always the safe side.
 */
import type { DecidedRequest } from '../../shared/data/chain-record.js'
import { keyText } from '../../shared/data/key-text.js'
import type { Micros, Version } from '../../shared/data/version.js'
import type { Token } from '../../shared/ring/description.js'
import type { Millis } from '../../shared/runtime/runtime.js'
import { type Followed, FollowedKey } from './followed-key.js'

/** What one call of `note` began to follow. */
export type Noted = readonly Followed[]

/** Keys are looked through again by the second in which a deadline of theirs passes. */
const bucketMicros = 1_000_000

export class Uncommitted {
  private readonly followed = new Map<string, FollowedKey>()
  /** Of these: with open requests. */
  private readonly withOpen = new Map<string, FollowedKey>()
  private readonly due = new Map<number, Set<FollowedKey>>()
  private openRequests = 0
  private readonly boot: number
  private readonly becameBusy: () => void

  /** `boot`: the present life of the host; `becameBusy` is called whenever the first key is followed. */
  constructor(boot: number, becameBusy: () => void) {
    this.boot = boot
    this.becameBusy = becameBusy
  }

  /** Keys. */
  get size(): number {
    return this.followed.size
  }

  /** Requests that are not known to be committed. */
  get uncommitted(): number {
    return this.openRequests
  }

  /**
   * These stand beside the key. Those not heard of before are open, and returned: the caller says when
   * they are durable.
   */
  note(token: Token, key: Uint8Array, requests: readonly DecidedRequest[], now: Millis): Noted {
    if (requests.length === 0) return []
    const name = keyText(key)
    const each = this.followed.get(name) ?? this.follow(name, token, key, now)
    const unknown = each.unknown(requests)
    if (unknown.length === 0) return []
    if (each.open === 0) {
      each.since = now
      this.withOpen.set(name, each)
    }
    this.openRequests += unknown.length
    return unknown.map(({ stamp, deadline }) => {
      // By the clock of an earlier life of the host, from which nobody is left to send it again.
      return each.add(stamp, stamp.boot < this.boot ? 0 : deadline)
    })
  }

  areDurable(noted: Noted): void {
    for (const each of noted) each.isDurable = true
  }

  isCommitted(key: Uint8Array, stamp: Version): boolean {
    return this.followed.get(keyText(key))?.isCommitted(stamp) === true
  }

  /** It came here, by the chain or by a copy, and is durable. */
  holds(key: Uint8Array, stamp: Version): boolean {
    return this.followed.get(keyText(key))?.holds(stamp) === true
  }

  /** Those of the requests that are not known to be committed. */
  openOf(key: Uint8Array, requests: readonly DecidedRequest[]): readonly DecidedRequest[] {
    return this.followed.get(keyText(key))?.openOf(requests) ?? requests
  }

  commit(key: Uint8Array, stamps: readonly Version[]): void {
    const name = keyText(key)
    const each = this.followed.get(name)
    if (each === undefined) return
    for (const stamp of stamps) {
      const deadline = each.commit(stamp)
      if (deadline === undefined) continue
      this.openRequests--
      this.lookAgain(each, deadline)
    }
    if (each.open === 0) this.withOpen.delete(name)
  }

  /** No others stand beside the key: what else was open went with a wipe, and nobody will commit it. */
  keepBeside(key: Uint8Array, requests: readonly DecidedRequest[]): void {
    const name = keyText(key)
    const each = this.withOpen.get(name)
    if (each === undefined) return
    this.openRequests -= each.open
    each.keepOpen(requests)
    this.openRequests += each.open
    if (each.open > 0) return
    this.withOpen.delete(name)
    if (each.committed === 0) this.followed.delete(name)
  }

  /** Keys with open requests. */
  openWhere(test: (key: FollowedKey) => boolean): readonly FollowedKey[] {
    return [...this.withOpen.values()].filter(test)
  }

  /** Up to `max` keys of which a deadline has passed; each is to be given back by `expire`. */
  takeDue(now: Micros, max: number): readonly FollowedKey[] {
    const taken = new Set<FollowedKey>()
    for (const [bucket, keys] of this.due) {
      if (bucket * bucketMicros > now) continue
      for (const each of keys) {
        if (taken.size >= max) return [...taken]
        keys.delete(each)
        taken.add(each)
      }
      this.due.delete(bucket)
    }
    return [...taken]
  }

  get hasDue(): boolean {
    return this.due.size > 0
  }

  /** Its committed requests past their deadlines are gone. */
  expire(each: FollowedKey, now: Micros): void {
    each.expire(now)
    if (each.open > 0 || each.committed > 0) return
    const name = keyText(each.key)
    if (this.followed.get(name) === each) this.followed.delete(name)
  }

  /** It cannot be cleared up yet. */
  postpone(each: FollowedKey, now: Micros): void {
    this.lookAgain(each, now)
  }

  /** The keys that this is false for are no longer this node's. */
  keepOnly(test: (token: Token) => boolean): void {
    for (const [name, each] of this.followed) if (!test(each.token)) this.forget(name, each)
  }

  /** The store has nothing of it any more. */
  gone(key: Uint8Array): void {
    const name = keyText(key)
    const each = this.followed.get(name)
    if (each !== undefined) this.forget(name, each)
  }

  private follow(name: string, token: Token, key: Uint8Array, now: Millis): FollowedKey {
    // A key arrives within a network buffer that is much larger than it is.
    const own = Uint8Array.from(key)
    const each = new FollowedKey(token, own, now)
    if (this.followed.size === 0) this.becameBusy()
    this.followed.set(name, each)
    return each
  }

  private forget(name: string, each: FollowedKey): void {
    this.openRequests -= each.open
    each.clear()
    this.followed.delete(name)
    this.withOpen.delete(name)
  }

  private lookAgain(each: FollowedKey, at: Micros): void {
    const bucket = Math.floor(at / bucketMicros) + 1
    const keys = this.due.get(bucket)
    if (keys === undefined) this.due.set(bucket, new Set([each]))
    else keys.add(each)
  }
}
