/**
 * Sends down once more what is not committed: on each new ring, in each new session of a link, and when
 * acknowledgements were lost. A few keys are read at once, so that requests go on beside it.
 *
 * It begins once all that an earlier life left is known; nothing was sent under a ring before that.
 */
import { requestsOf } from '../../shared/data/chain-record.js'
import type { StoredRecord } from '../../shared/data/record.js'
import type { Token } from '../../shared/ring/description.js'
import { inRange } from '../../shared/ring/token.js'
import { chainResendKeysMax } from '../../shared/runtime/limits.js'
import type { Desk } from '../desk.js'
import type { FollowedKey } from './followed-key.js'
import type { Seat } from './seat.js'
import type { Uncommitted } from './uncommitted.js'

export interface ResenderOptions {
  /** The seat is of the ring held. */
  isCurrent(seat: Seat): boolean
  /** What is sent arrives in its order. */
  isFlowing(seat: Seat): boolean
  pass(token: Token, key: Uint8Array, record: StoredRecord): void
  /** All of the seat is on its way. */
  ended(seat: Seat): void
}

export class Resender {
  private readonly desk: Pick<Desk, 'engine' | 'runtime' | 'storageFailed'>
  private readonly index: Uncommitted
  private readonly options: ResenderOptions
  private hasBegun = false

  constructor(desk: Desk, index: Uncommitted, options: ResenderOptions) {
    this.desk = desk
    this.index = index
    this.options = options
  }

  begin(seats: Iterable<Seat>): void {
    this.hasBegun = true
    for (const seat of seats) this.resend(seat)
  }

  resend(seat: Seat): void {
    seat.isResent = false
    const round = ++seat.round
    if (!this.hasBegun || !this.isUnderWay(seat, round)) return
    const keys = this.index.openWhere(({ token }) => inRange(token, seat.arc))
    this.resendFrom(seat, round, keys)
  }

  private resendFrom(seat: Seat, round: number, keys: readonly FollowedKey[]): void {
    const rest = keys.slice(chainResendKeysMax)
    let left = Math.min(keys.length, chainResendKeysMax)
    if (left === 0) return this.end(seat)
    for (const each of keys.slice(0, chainResendKeysMax)) {
      this.resendOne(seat, round, each, () => {
        if (--left > 0) return
        if (rest.length === 0) return this.end(seat)
        this.desk.runtime.after(0, 'resend', () => {
          if (this.isUnderWay(seat, round)) this.resendFrom(seat, round, rest)
        })
      })
    }
  }

  private resendOne(seat: Seat, round: number, each: FollowedKey, done: () => void): void {
    const { token, key } = each
    each.since = this.desk.runtime.now()
    const look = (held: StoredRecord | undefined) => {
      if (held === undefined) this.index.gone(key)
      else this.index.keepBeside(key, requestsOf(held))
      return undefined
    }
    this.desk.engine.update(token, key, look, (error, record) => {
      if (error !== undefined) return this.desk.storageFailed(error)
      if (!this.isUnderWay(seat, round)) return
      if (record !== undefined && each.open > 0) this.options.pass(token, key, record)
      if (this.isUnderWay(seat, round)) done()
    })
  }

  private end(seat: Seat): void {
    seat.isResent = true
    this.options.ended(seat)
  }

  /** This attempt is the newest one. */
  private isUnderWay(seat: Seat, round: number): boolean {
    return this.options.isCurrent(seat) && seat.round === round && this.options.isFlowing(seat)
  }
}
