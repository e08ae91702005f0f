/**
 * The end of a turn of the event loop: what was put off to it runs once everything that arrived
 * together has been handled, and then what the turn produced is written.
 *
 * Node polls all sockets that have input before it runs immediates, so one immediate is exactly that
 * point. Callbacks that are added while others run belong to the same turn, up to a few rounds: a
 * reply that waits for a check that waits for a read still leaves with this turn's write, and a
 * callback that always adds another cannot keep the loop from its sockets.
 */
import type { CancelTimer } from '../runtime/runtime.js'

const roundsMax = 8

interface Waiting {
  fire: (() => void) | undefined
}

export class TurnEnd {
  readonly #flush: () => void
  #waiting: Waiting[] = []
  #scheduled: NodeJS.Immediate | undefined

  constructor(flush: () => void) {
    this.#flush = flush
  }

  /** Runs `fire` at the end of this turn. */
  add(fire: () => void): CancelTimer {
    const waiting: Waiting = { fire }
    this.#waiting.push(waiting)
    this.schedule()
    return () => {
      waiting.fire = undefined
    }
  }

  /** Flushes at the end of this turn. */
  schedule(): void {
    this.#scheduled ??= setImmediate(() => this.#run())
  }

  /** Nothing runs any more. */
  close(): void {
    clearImmediate(this.#scheduled)
    this.#waiting = []
  }

  #run(): void {
    for (let round = 0; round < roundsMax && this.#waiting.length > 0; round++) {
      const waiting = this.#waiting
      this.#waiting = []
      for (const each of waiting) each.fire?.()
    }
    this.#scheduled = undefined
    this.#flush()
    if (this.#waiting.length > 0) this.schedule()
  }
}
