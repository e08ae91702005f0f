/** Looks after the requests in flight every sweepIntervalMs, while there are any. */
import type { InFlight } from '../shared/runtime/in-flight.js'
import { sweepIntervalMs } from '../shared/runtime/limits.js'
import type { Runtime } from '../shared/runtime/runtime.js'
import type { Exchange } from './desk.js'

export class Sweeper {
  private readonly runtime: Runtime
  private isSweeping = false
  private isStopped = false

  constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  /** There are some. */
  soon(inFlight: InFlight<Exchange>): void {
    if (this.isSweeping) return
    this.isSweeping = true
    this.runtime.after(sweepIntervalMs, 'sweep', () => this.sweep(inFlight))
  }

  stop(): void {
    this.isStopped = true
  }

  private sweep(inFlight: InFlight<Exchange>): void {
    this.isSweeping = false
    if (this.isStopped) return
    const now = this.runtime.now()
    for (const exchange of inFlight.all()) exchange.sweep(now)
    if (inFlight.size > 0) this.soon(inFlight)
  }
}
