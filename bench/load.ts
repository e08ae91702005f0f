/**
 * Load on a swarm: a fixed number of operations with a fixed number in flight, as fast as they go.
 *
 * Closed loop: each of `inFlight` workers calls again when its call has ended, so the latencies are
 * those of that concurrency and not of a queue. Puts walk through the keys, gets pick a key at random
 * among those that were put before.
 */
import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks'
import type { Client } from '../client/index.js'
import { seededRandom } from './random.js'

/** What is put under load: a client, or anything that answers like one. */
export interface LoadClient {
  put(key: string, value: Uint8Array): Promise<unknown>
  get(key: string): Promise<unknown>
}

/** Of siblings, puts that have seen nothing would pile up: a put is one after a get, and both are timed. */
export function userOf(client: Client<Uint8Array, Buffer>): LoadClient {
  if (client.mode !== 'siblings') return client
  return {
    get: (key) => client.get(key),
    put: async (key, value) => {
      const found = await client.get(key)
      return await client.put(key, value, { context: found?.context })
    },
  }
}

export interface LoadOptions {
  readonly client: LoadClient
  readonly operations: number
  readonly inFlight: number
  readonly valueBytes: number
  /** Share of puts among the operations, from 0 to 1. */
  readonly putShare: number
  /** Different keys, by default up to 10,000. */
  readonly keys?: number
  /** How many of these keys an earlier run put already. */
  readonly keysHeld?: number
  readonly keyPrefix?: string
  readonly seed?: number
  /** Ends the run early; what is in flight is awaited. */
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number) => void
}

/** Microseconds. */
export interface Latency {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export interface LoadReport {
  /** Operations that succeeded. */
  readonly ops: number
  readonly errors: number
  /** The first few distinct error messages. */
  readonly errorMessages: readonly string[]
  readonly seconds: number
  readonly opsPerSecond: number
  readonly latency: { readonly put: Latency; readonly get: Latency }
}

export const keysDefault = 10_000
const errorMessagesMax = 5
/** Longest latency that is told from a longer one: ten minutes, in nanoseconds. */
const latencyNanosMax = 600e9

function createLatencies(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: latencyNanosMax, figures: 3 })
}

/** Records the time since `startedMs`, a reading of performance.now(). */
function recordSince(latencies: RecordableHistogram, startedMs: number): void {
  latencies.record(Math.max(1, Math.round((performance.now() - startedMs) * 1e6)))
}

function summarize(latencies: RecordableHistogram): Latency {
  if (latencies.count === 0) return { count: 0, p50: 0, p90: 0, p99: 0, max: 0 }
  const micros = (percentile: number) => latencies.percentile(percentile) / 1000
  return {
    count: latencies.count,
    p50: micros(50),
    p90: micros(90),
    p99: micros(99),
    max: latencies.max / 1000,
  }
}

class Load {
  readonly #options: LoadOptions
  readonly #random: () => number
  readonly #value: Uint8Array
  readonly #keys: number
  readonly #puts = createLatencies()
  readonly #gets = createLatencies()
  readonly #messages = new Set<string>()
  #begun = 0
  #ended = 0
  #errors = 0
  #putsBegun = 0
  #held: number

  constructor(options: LoadOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed ?? 1)
    this.#value = Uint8Array.from({ length: options.valueBytes }, () => 256 * this.#random())
    this.#keys = Math.max(1, options.keys ?? Math.min(options.operations, keysDefault))
    this.#held = Math.min(options.keysHeld ?? 0, this.#keys)
  }

  async run(): Promise<LoadReport> {
    const started = performance.now()
    const workers = Math.min(this.#options.inFlight, this.#options.operations)
    await Promise.all(Array.from({ length: workers }, () => this.#work()))
    const seconds = (performance.now() - started) / 1000
    const ops = this.#ended - this.#errors
    return {
      ops,
      errors: this.#errors,
      errorMessages: [...this.#messages],
      seconds,
      opsPerSecond: seconds === 0 ? 0 : ops / seconds,
      latency: { put: summarize(this.#puts), get: summarize(this.#gets) },
    }
  }

  async #work(): Promise<void> {
    const { operations, signal, onProgress } = this.#options
    while (this.#begun < operations && signal?.aborted !== true) {
      this.#begun += 1
      try {
        await this.#operate()
      } catch (error) {
        this.#errors += 1
        if (this.#messages.size < errorMessagesMax) this.#messages.add(String(error))
      }
      this.#ended += 1
      onProgress?.(this.#ended)
    }
  }

  /** A get while there is nothing to get is a put. */
  async #operate(): Promise<void> {
    const { client, putShare } = this.#options
    const isPut = putShare === 1 || (putShare > 0 && this.#random() < putShare)
    if (isPut || (putShare > 0 && this.#held === 0)) {
      const index = this.#putsBegun++ % this.#keys
      const started = performance.now()
      await client.put(this.#key(index), this.#value)
      recordSince(this.#puts, started)
      this.#held = Math.max(this.#held, index + 1)
    } else {
      const index = Math.floor(this.#random() * Math.max(1, this.#held))
      const started = performance.now()
      await client.get(this.#key(index))
      recordSince(this.#gets, started)
    }
  }

  #key(index: number): string {
    return `${this.#options.keyPrefix ?? 'bench/'}${index}`
  }
}

export function runLoad(options: LoadOptions): Promise<LoadReport> {
  return new Load(options).run()
}
