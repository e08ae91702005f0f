/**
 * The fence: no answer leaves unless its epoch is still the current one.
 *
 * The manager publishes epoch e+1 by creating the file `ring.<e+1>`, before anybody acts by it. At
 * the end of each turn, after all the replies, reads and syncs that its answers rest on, a
 * coordinator looks first whether `ring.<e+1>` is absent, then whether `ring.<e>` is still there (in
 * this order, since old files are deleted, ascending). If both hold, everything the answers rest on
 * happened while e was current, however long the process slept in between; otherwise the requests
 * start again under the newest ring. Two stat calls a turn, some 3 us, stand in for leases.
 */
import type { RingFiles } from '../shared/runtime/ports.js'
import type { Runtime } from '../shared/runtime/runtime.js'

/** An answer that waits for the end of the turn. */
export interface Answer {
  readonly epoch: number
  /** Lets the answer go; called at most once. */
  release(): void
}

export class Fence {
  private readonly runtime: Runtime
  private readonly ringFiles: RingFiles
  private readonly passed: () => void
  private waiting: Answer[] = []

  /** `passed` is called when the epoch has passed: the node adopts the newest ring, and with it
   * every request in flight starts again, the waiting ones among them. */
  constructor(runtime: Runtime, ringFiles: RingFiles, passed: () => void) {
    this.runtime = runtime
    this.ringFiles = ringFiles
    this.passed = passed
  }

  /** The answer goes at the end of this turn if its epoch is still current then. */
  release(answer: Answer): void {
    if (this.waiting.push(answer) === 1) this.runtime.after(0, 'fence', () => this.check())
  }

  private check(): void {
    const answers = this.waiting
    this.waiting = []
    const verdicts = new Map<number, boolean>()
    let passed = false
    for (const answer of answers) {
      let current = verdicts.get(answer.epoch)
      if (current === undefined) {
        current = this.isCurrent(answer.epoch)
        verdicts.set(answer.epoch, current)
      }
      if (current) answer.release()
      else passed = true
    }
    if (passed) this.passed()
  }

  private isCurrent(epoch: number): boolean {
    return !this.ringFiles.exists(epoch + 1) && this.ringFiles.exists(epoch)
  }
}
