/**
 * A write is stamped once, when it is called (in a chain when it is sent first), with the host's clock;
 * its retries carry the same stamp. The clock counts whole microseconds and a busy client calls several
 * writes in one: the next one waits, reading the clock, until that has moved on. Where it does not move
 * (a simulated clock stands still while code runs), the stamp takes the next number and lies ahead of the
 * clock. Whoever sends it must then wait for the clock: receivers refuse what comes from the future.
 */
import type { Micros, Version } from '../shared/data/version.js'
import type { Runtime } from '../shared/runtime/runtime.js'

/** A reading takes 50 ns and more: so many last longer than the microsecond that is waited for. */
const readingsMax = 64

export class Stamps {
  private readonly clock: Pick<Runtime, 'hostMicros'>
  private readonly writer: string
  private last: Micros = 0

  /** `writer`: 16 hexadecimal digits, random for each client instance. */
  constructor(clock: Pick<Runtime, 'hostMicros'>, writer: string) {
    this.clock = clock
    this.writer = writer
  }

  /** Above every earlier stamp of this writer. */
  next(boot: number): Version {
    let now = this.clock.hostMicros()
    for (let i = 0; i < readingsMax && now <= this.last; i++) now = this.clock.hostMicros()
    this.last = now > this.last ? now : this.last + 1
    return { boot, micros: this.last, writer: this.writer }
  }
}
