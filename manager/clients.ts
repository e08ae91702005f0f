/**
 * Clients: unique ids, and which node each one talks to.
 *
 * Ids are granted in blocks, so that a registration costs an fsync only once a block; a restarted
 * manager skips what is left of the last one. Forwarders are given out in turn.
 */
import { addressOf, type Member } from '../shared/ring/description.js'
import { clientIdBlock } from '../shared/runtime/limits.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { Ledger } from './ledger.js'

export class Clients {
  readonly #ledger: Ledger
  #last: number
  /** The last id that is durably granted. */
  #granted: number
  #turn = 0
  readonly #waiting: { id: number; done: (id: number) => void }[] = []

  constructor(ledger: Ledger) {
    this.#ledger = ledger
    this.#last = ledger.state.clients
    this.#granted = ledger.state.clients
  }

  /** A new id, once it can never be given out again. */
  identify(done: (id: number) => void): void {
    const id = ++this.#last
    if (id <= this.#granted) return done(id)
    this.#waiting.push({ id, done })
    if (id > this.#ledger.state.clients) this.#grant(this.#ledger.state.clients + clientIdBlock)
  }

  /** The next in turn first, and the others after it in the same order. */
  forwarders(members: readonly Member[]): Address[] {
    if (members.length === 0) return []
    const first = this.#turn++ % members.length
    return [...members.slice(first), ...members.slice(0, first)].map(addressOf)
  }

  #grant(upTo: number): void {
    this.#ledger.commit({ step: 'clients.granted', upTo }, () => {
      this.#granted = upTo
      while (this.#waiting[0] !== undefined && this.#waiting[0].id <= upTo) {
        const { id, done } = this.#waiting.shift() as { id: number; done: (id: number) => void }
        done(id)
      }
    })
  }
}
