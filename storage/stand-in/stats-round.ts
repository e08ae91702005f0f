/**
 * What every member says of itself, this node included: for a `status` in the manager's place. A
 * member that does not answer in time is left out, since a paused one must not hold up the report
 * that shows it.
 */
import type { Message } from '../../shared/protocol/messages.js'
import { statusWaitMs } from '../../shared/runtime/limits.js'
import type { Address, Millis } from '../../shared/runtime/runtime.js'
import type { Desk, Exchange } from '../desk.js'
import type { OwnStats } from '../stats.js'

export type Answers = ReadonlyMap<Address, OwnStats>

export class StatsRound implements Exchange {
  private readonly desk: Desk
  private readonly done: (answers: Answers) => void
  private readonly began: Millis
  /** Whom each open request went to. */
  private readonly open = new Map<number, Address>()
  private readonly answers = new Map<Address, OwnStats>()
  private isOwnMissing = true
  private isOver = false

  constructor(desk: Desk, done: (answers: Answers) => void) {
    this.desk = desk
    this.done = done
    this.began = desk.runtime.now()
  }

  begin(self: Address, others: readonly Address[]): void {
    const { inFlight, runtime } = this.desk
    for (const address of others) {
      const id = inFlight.add(this)
      if (runtime.send(address, { kind: 'node.stats', id })) this.open.set(id, address)
      else inFlight.delete(id)
    }
    this.desk.ownStats((stats) => {
      this.answers.set(self, stats)
      this.isOwnMissing = false
      this.finishIfAnswered()
    })
  }

  received(from: Address, reply: Message): void {
    if (!('id' in reply) || this.open.get(reply.id) !== from) return
    if (reply.kind === 'node.stats.ok') this.answers.set(from, reply)
    this.close(reply.id)
    this.finishIfAnswered()
  }

  closed(peer: Address): void {
    for (const [id, address] of [...this.open]) if (address === peer) this.close(id)
    this.finishIfAnswered()
  }

  ringChanged(): void {}

  sweep(now: Millis): void {
    if (now - this.began >= statusWaitMs) this.finish()
  }

  private close(id: number): void {
    this.open.delete(id)
    this.desk.inFlight.delete(id)
  }

  private finishIfAnswered(): void {
    if (this.open.size === 0 && !this.isOwnMissing) this.finish()
  }

  private finish(): void {
    if (this.isOver) return
    this.isOver = true
    for (const id of [...this.open.keys()]) this.close(id)
    this.done(this.answers)
  }
}
