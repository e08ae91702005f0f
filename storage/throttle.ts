/**
 * Keeps to a rate of bytes over time: what is asked for is booked at its largest size, each booking
 * begins when the ones before it are paid off, and what did not come is given back. So what is asked
 * for is spread evenly, whoever asks, and never more than one booking ahead of the rate. What has
 * travelled already is paid off before its sender goes on.
 */
import type { Millis, Runtime } from '../shared/runtime/runtime.js'

export class Throttle {
  private readonly runtime: Pick<Runtime, 'now'>
  private readonly bytesPerSecond: number
  /** When everything booked so far is paid off. */
  private paidAt: Millis = 0

  /** 0: no limit. */
  constructor(runtime: Pick<Runtime, 'now'>, bytesPerSecond: number) {
    this.runtime = runtime
    this.bytesPerSecond = bytesPerSecond
  }

  /** How long to wait before asking for so many bytes. */
  book(bytes: number): Millis {
    const now = this.runtime.now()
    const begin = Math.max(now, this.paidAt)
    this.paidAt = begin + this.costOf(bytes)
    return Math.ceil(begin - now)
  }

  /** How long to wait after so many bytes that have travelled. */
  spend(bytes: number): Millis {
    const now = this.runtime.now()
    this.paidAt = Math.max(now, this.paidAt) + this.costOf(bytes)
    return Math.ceil(this.paidAt - now)
  }

  /** Bytes that were booked and did not come. */
  giveBack(bytes: number): void {
    this.paidAt -= this.costOf(bytes)
  }

  private costOf(bytes: number): Millis {
    return this.bytesPerSecond === 0 ? 0 : (bytes * 1000) / this.bytesPerSecond
  }
}
