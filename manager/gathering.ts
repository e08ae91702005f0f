/**
 * A short wait before a ring is planned: what arrives within a moment goes into one ring. The first
 * ring waits for quiet, longer where the supervisor announced more nodes; it starts at once when they
 * are all there. Later joins and returns wait once, from the first of them, so that a steady trickle
 * cannot put a change off for ever.
 */
import { foundingQuietMs, joinBatchMs } from '../shared/runtime/limits.js'
import type { CancelTimer, Runtime } from '../shared/runtime/runtime.js'

export class Gathering {
  readonly #runtime: Runtime
  readonly #onOver: () => void
  #cancel: CancelTimer | undefined
  /** Nodes that the supervisor starts by itself. */
  #announced = 0

  constructor(runtime: Runtime, onOver: () => void) {
    this.#runtime = runtime
    this.#onOver = onOver
  }

  get isOpen(): boolean {
    return this.#cancel !== undefined
  }

  announce(nodes: number): void {
    this.#announced = nodes
  }

  /** Another join, before there is a ring. */
  founding(joined: number): void {
    this.stop()
    if (this.#announced === 0) this.#wait(joinBatchMs)
    else if (joined < this.#announced) this.#wait(foundingQuietMs)
  }

  /** A join or a return, when there is one. */
  arrived(): void {
    if (!this.isOpen) this.#wait(joinBatchMs)
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #wait(ms: number): void {
    this.#cancel = this.#runtime.after(ms, 'manager gathering', () => {
      this.#cancel = undefined
      this.#onOver()
    })
  }
}
