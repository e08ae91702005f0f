/**
 * Repair waits for everybody else: after each page it pauses, so that requests that came meanwhile go
 * first, and after what it sent or received so long that it keeps to the rate of handoffs.
 */
import { repairPauseMs } from '../../shared/runtime/limits.js'
import type { Runtime } from '../../shared/runtime/runtime.js'

export class Pace {
  private readonly runtime: Pick<Runtime, 'after'>
  private readonly bytesPerSecond: number

  /** 0: no limit. */
  constructor(runtime: Pick<Runtime, 'after'>, bytesPerSecond: number) {
    this.runtime = runtime
    this.bytesPerSecond = bytesPerSecond
  }

  /** Goes on after a page that did not leave this node. */
  afterPage(go: () => void): void {
    this.runtime.after(repairPauseMs, 'repair', go)
  }

  /** Goes on when so many bytes more may travel. */
  afterTravel(bytes: number, go: () => void): void {
    const ms = this.bytesPerSecond === 0 ? 0 : Math.ceil((bytes * 1000) / this.bytesPerSecond)
    this.runtime.after(Math.max(repairPauseMs, ms), 'repair', go)
  }
}
