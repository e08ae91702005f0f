/**
 * Repair waits for everybody else: after each page it pauses, so that requests that came meanwhile go
 * first, and after what it sent or received so long that the node keeps to its rate of handoffs.
 */
import { repairPauseMs } from '../../shared/runtime/limits.js'
import type { Runtime } from '../../shared/runtime/runtime.js'
import type { Throttle } from '../throttle.js'

export class Pace {
  private readonly runtime: Pick<Runtime, 'after'>
  private readonly rate: Throttle

  constructor(runtime: Pick<Runtime, 'after'>, rate: Throttle) {
    this.runtime = runtime
    this.rate = rate
  }

  /** Goes on after a page that did not leave this node. */
  afterPage(go: () => void): void {
    this.runtime.after(repairPauseMs, 'repair', go)
  }

  /** Goes on when so many bytes more may travel. */
  afterTravel(bytes: number, go: () => void): void {
    this.runtime.after(Math.max(repairPauseMs, this.rate.spend(bytes)), 'repair', go)
  }
}
