/**
 * A write is stamped once, when it is called, with the host's clock; its retries carry the same
 * stamp. The clock counts whole microseconds, so two writes called within one take the next number:
 * no writer gives out a stamp twice. Such a stamp lies ahead of the clock by a moment, and whoever
 * sends it waits for that moment: receivers refuse what comes from the future.
 */
import type { Micros, Version } from '../shared/data/version.js'

export class Stamps {
  private readonly writer: string
  private last: Micros = 0

  /** `writer`: 16 hexadecimal digits, random for each client instance. */
  constructor(writer: string) {
    this.writer = writer
  }

  /** `now` is the host's clock; the result is above every earlier one of this writer. */
  next(boot: number, now: Micros): Version {
    this.last = now > this.last ? now : this.last + 1
    return { boot, micros: this.last, writer: this.writer }
  }
}
