/** How long calls take: wraps a client whose calls are to be timed. */
import type { Client } from '../client/index.js'

export interface TimedClient {
  put(key: string, value: string): Promise<{ version: string }>
  get(key: string): Promise<{ value: string } | undefined>
}

export class Latencies {
  readonly #ms: number[] = []

  timed(client: Client): TimedClient {
    return {
      put: (key, value) => this.#time(client.put(key, value)),
      get: (key) => this.#time(client.get(key)),
    }
  }

  clear(): void {
    this.#ms.length = 0
  }

  get count(): number {
    return this.#ms.length
  }

  /** The time within which this share of the calls had ended. */
  percentile(share: number): number {
    const sorted = Float64Array.from(this.#ms).sort()
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  }

  async #time<T>(call: Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await call
    } finally {
      this.#ms.push(performance.now() - began)
    }
  }
}
