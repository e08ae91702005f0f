/**
 * The requests of one key that a member of its chain follows: those that are open, and those that are
 * committed and may still be asked for. A key may have hundreds, and each write of it looks at them all:
 * they are kept by ascending stamps, as they are beside the key, so that both lists are gone through
 * together.
 */
import { type DecidedRequest, positionOf, select } from '../../shared/data/chain-record.js'
import type { Micros, Version } from '../../shared/data/version.js'
import type { Token } from '../../shared/ring/description.js'
import type { Millis } from '../../shared/runtime/runtime.js'

export interface Followed {
  readonly stamp: Version
  /** By the present clock. */
  readonly deadline: Micros
  /** False while it is on its way to the disk. */
  isDurable: boolean
  isCommitted: boolean
}

export class FollowedKey {
  readonly token: Token
  readonly key: Uint8Array
  /** When the oldest of the open ones was noted, or all were sent again last. */
  since: Millis
  private requests: Followed[] = []
  private openCount = 0

  constructor(token: Token, key: Uint8Array, since: Millis) {
    this.token = token
    this.key = key
    this.since = since
  }

  /** Requests that are not known to be committed. */
  get open(): number {
    return this.openCount
  }

  get committed(): number {
    return this.requests.length - this.openCount
  }

  /** It is durable here. */
  holds(stamp: Version): boolean {
    return this.requests[positionOf(this.requests, stamp)]?.isDurable === true
  }

  isCommitted(stamp: Version): boolean {
    return this.requests[positionOf(this.requests, stamp)]?.isCommitted === true
  }

  /** Those of the requests that are not followed. */
  unknown(requests: readonly DecidedRequest[]): readonly DecidedRequest[] {
    return select(requests, this.requests, (followed) => followed === undefined)
  }

  /** Those of the requests that are not known to be committed. */
  openOf(requests: readonly DecidedRequest[]): readonly DecidedRequest[] {
    if (this.committed === 0) return requests
    return select(requests, this.requests, (followed) => followed?.isCommitted !== true)
  }

  /** Those of the requests that are not both committed and past their deadlines. */
  notOver(requests: readonly DecidedRequest[], now: Micros): readonly DecidedRequest[] {
    return select(requests, this.requests, (followed) => !isOver(followed, now))
  }

  /** One that was not known; it is open. */
  add(stamp: Version, deadline: Micros): Followed {
    const followed = { stamp, deadline, isDurable: false, isCommitted: false }
    this.requests.splice(~positionOf(this.requests, stamp), 0, followed)
    this.openCount++
    return followed
  }

  /** Its deadline; undefined: it was not open. */
  commit(stamp: Version): Micros | undefined {
    const followed = this.requests[positionOf(this.requests, stamp)]
    if (followed === undefined || followed.isCommitted) return undefined
    followed.isCommitted = true
    this.openCount--
    return followed.deadline
  }

  /** No more of the open ones than are among these. */
  keepOpen(requests: readonly DecidedRequest[]): void {
    const beside = new Set(select(this.requests, requests, (request) => request !== undefined))
    this.keep((followed) => followed.isCommitted || beside.has(followed))
  }

  /** All are committed and past their deadlines. */
  isOver(now: Micros): boolean {
    return this.requests.every((followed) => isOver(followed, now))
  }

  /** Without what is committed and past its deadline. */
  expire(now: Micros): void {
    this.keep((followed) => !isOver(followed, now))
  }

  clear(): void {
    this.keep(() => false)
  }

  private keep(test: (followed: Followed) => boolean): void {
    this.requests = this.requests.filter(test)
    this.openCount = this.requests.filter(({ isCommitted }) => !isCommitted).length
  }
}

function isOver(followed: Followed | undefined, now: Micros): boolean {
  return followed?.isCommitted === true && followed.deadline < now
}
