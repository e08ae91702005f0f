/**
 * Clients: unique ids, and which node each one talks to.
 *
 * Ids are granted in blocks, so that a registration costs an fsync only once a block; a restarted
 * manager skips what is left of the last one. Nodes get blocks of their own, for clients that come while
 * the manager is down. Forwarders are given out in turn.
 */
import { addressOf, type Member } from '../shared/ring/description.js'
import { clientIdBlock, nodeClientIdBlock } from '../shared/runtime/limits.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { Ledger } from './ledger.js'

export class Clients {
  readonly #ledger: Ledger
  /** What is left of the manager's own block. */
  #next = 1
  #upTo = 0
  #turn = 0
  #waiting: ((id: number) => void)[] = []

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** A new id, once it can never be given out again. */
  identify(done: (id: number) => void): void {
    if (this.#next <= this.#upTo) return done(this.#next++)
    this.#waiting.push(done)
    if (this.#waiting.length === 1) this.#refill()
  }

  /** A block of ids for a node to give out. */
  grant(done: (from: number, upTo: number) => void): void {
    this.#reserve(nodeClientIdBlock, done)
  }

  /** The next in turn first, and the others after it in the same order. */
  forwarders(members: readonly Member[]): Address[] {
    if (members.length === 0) return []
    const first = this.#turn++ % members.length
    return [...members.slice(first), ...members.slice(0, first)].map(addressOf)
  }

  #refill(): void {
    this.#reserve(clientIdBlock, (from, upTo) => {
      this.#next = from
      this.#upTo = upTo
      const served = this.#waiting.slice(0, upTo - from + 1)
      this.#waiting = this.#waiting.slice(served.length)
      for (const done of served) done(this.#next++)
      if (this.#waiting.length > 0) this.#refill()
    })
  }

  #reserve(count: number, done: (from: number, upTo: number) => void): void {
    const from = this.#ledger.state.clients + 1
    const upTo = this.#ledger.state.clients + count
    this.#ledger.commit({ step: 'clients.granted', upTo }, () => done(from, upTo))
  }
}
