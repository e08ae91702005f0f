/**
 * The trace: one line for everything that happens, and a running hash over the same facts. Two runs
 * are the same run if their hashes are equal. The hash is always kept, since it is cheap; the lines
 * are built only when someone reads them.
 */
import { hashText } from './random.js'

export type TraceSink = (line: string) => void

export class Trace {
  readonly #sink: TraceSink | undefined
  readonly #words = new Map<string, number>()
  #high = 0x243f6a88
  #low = 0x13198a2e
  #lines = 0

  constructor(sink?: TraceSink) {
    this.#sink = sink
  }

  /** What happened: when (microseconds of the run), where, what, and one number that tells it apart. */
  event(micros: number, where: string, what: string, number: number): void {
    this.#lines++
    this.#mix(micros)
    this.#mix(this.#word(where))
    this.#mix(this.#word(what))
    this.#mix(number)
    this.#sink?.(`${(micros / 1000).toFixed(3).padStart(12)} ${where} ${what} ${number}`)
  }

  /** A message that moves from one process to another. */
  message(micros: number, from: string, to: string, what: string, id: number): void {
    this.#lines++
    this.#mix(micros)
    this.#mix(this.#word(from))
    this.#mix(this.#word(to))
    this.#mix(this.#word(what))
    this.#mix(id)
    this.#sink?.(`${(micros / 1000).toFixed(3).padStart(12)} ${from} > ${to} ${what} ${id}`)
  }

  /** For readers only: not part of the hash, so a log line may be reworded. */
  remark(micros: number, text: () => string): void {
    this.#sink?.(`${(micros / 1000).toFixed(3).padStart(12)} # ${text()}`)
  }

  get lines(): number {
    return this.#lines
  }

  /** 16 hexadecimal digits. */
  hash(): string {
    const half = (bits: number) => (bits >>> 0).toString(16).padStart(8, '0')
    return half(this.#high) + half(this.#low)
  }

  #word(text: string): number {
    let hash = this.#words.get(text)
    if (hash === undefined) {
      hash = hashText(text)
      this.#words.set(text, hash)
    }
    return hash
  }

  #mix(number: number): void {
    this.#low = Math.imul(this.#low ^ (number | 0), 0x01000193)
    this.#high = Math.imul(this.#high ^ this.#low ^ (number / 2 ** 32), 0x85ebca6b)
    this.#high ^= this.#high >>> 13
  }
}
