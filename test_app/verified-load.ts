/**
 * Background traffic that knows what every answer must be.
 *
 * Each worker has keys of its own and does one thing at a time, so for each key there is exactly one
 * right answer at any moment: the last value that was acknowledged. Every put goes through one client
 * and every get through another, which never saw the write.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '../client/index.js'
import type { TimedClient } from './latencies.js'

export interface VerifiedLoadOptions {
  readonly writer: Client | TimedClient
  readonly reader: Client | TimedClient
  readonly keys: number
  readonly inFlight: number
  /** Between two calls of a worker; none, unless given. */
  readonly restMs?: number
  readonly keyPrefix?: string
}

export interface LoadVerdict {
  readonly operations: number
  /** Calls that ended in an error. */
  readonly failed: number
  /** Answers that were another value than the last one acknowledged. */
  readonly wrong: number
  /** Keys that were written and not found. */
  readonly missing: number
  /** The first of each, in words. */
  readonly examples: readonly string[]
}

const examplesMax = 5

export class VerifiedLoad {
  readonly #options: VerifiedLoadOptions
  /** How often each key was written; the number is part of the value. */
  readonly #written: Uint32Array
  readonly #examples: string[] = []
  #workers: Promise<unknown> = Promise.resolve()
  #stopping = false
  #operations = 0
  #failed = 0
  #wrong = 0
  #missing = 0

  constructor(options: VerifiedLoadOptions) {
    this.#options = options
    this.#written = new Uint32Array(options.keys)
  }

  get verdict(): LoadVerdict {
    return {
      operations: this.#operations,
      failed: this.#failed,
      wrong: this.#wrong,
      missing: this.#missing,
      examples: this.#examples,
    }
  }

  /** Writes every key once. */
  preload(): Promise<unknown> {
    return this.#each((index) => this.#put(index))
  }

  start(): void {
    this.#workers = Promise.all(
      Array.from({ length: this.#options.inFlight }, (_, worker) => this.#work(worker)),
    )
  }

  /** Ends the traffic once every call in flight has. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#workers
    this.#stopping = false
  }

  /** Reads every key. */
  verify(): Promise<unknown> {
    return this.#each((index) => this.#get(index))
  }

  /** Puts and gets in turn, walking through the worker's own keys. */
  async #work(worker: number): Promise<void> {
    const { keys, inFlight, restMs } = this.#options
    for (let step = 0; !this.#stopping; step++) {
      const index = (worker + Math.floor(step / 2) * inFlight) % (keys - (keys % inFlight))
      await (step % 2 === 0 ? this.#put(index) : this.#get(index))
      if (restMs !== undefined) await pause(restMs)
    }
  }

  #each(operate: (index: number) => Promise<void>): Promise<unknown> {
    const { keys, inFlight } = this.#options
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < keys) await operate(next++)
    }
    return Promise.all(Array.from({ length: inFlight }, worker))
  }

  async #put(index: number): Promise<void> {
    const count = (this.#written[index] ?? 0) + 1
    await this.#attempt(async () => {
      await this.#options.writer.put(this.#key(index), `${index}=${count}`)
      this.#written[index] = count
    })
  }

  async #get(index: number): Promise<void> {
    await this.#attempt(async () => {
      const found = await this.#options.reader.get(this.#key(index))
      const count = this.#written[index]
      const expected = count === 0 ? undefined : `${index}=${count}`
      if (found?.value === expected) return
      if (found === undefined) this.#missing += 1
      else this.#wrong += 1
      this.#example(`${this.#key(index)} is ${found?.value}, acknowledged was ${expected}`)
    })
  }

  async #attempt(operate: () => Promise<void>): Promise<void> {
    this.#operations += 1
    try {
      await operate()
    } catch (error) {
      this.#failed += 1
      this.#example(String(error))
    }
  }

  #example(text: string): void {
    if (this.#examples.length < examplesMax) this.#examples.push(text)
  }

  #key(index: number): string {
    return `${this.#options.keyPrefix ?? 'load/'}${index}`
  }
}
