/**
 * The ring files of one run directory, shared by all processes. Publishing is atomic, as link(2) is.
 * A ring is kept as text: whoever reads it gets a copy of its own, as from a file.
 */
import type { RingDescription } from '../shared/ring/description.js'
import type { RingFiles } from '../shared/runtime/ports.js'

export class SimRingFiles implements RingFiles {
  readonly #files = new Map<number, string>()
  readonly #published: RingDescription[] = []
  readonly #onPublish: (ring: RingDescription) => void

  constructor(onPublish: (ring: RingDescription) => void) {
    this.#onPublish = onPublish
  }

  /** Every ring that was ever published, in order. */
  get published(): readonly RingDescription[] {
    return this.#published
  }

  publish(ring: RingDescription): 'published' | 'exists' {
    if (this.#files.has(ring.epoch)) return 'exists'
    this.#files.set(ring.epoch, JSON.stringify(ring))
    this.#published.push(ring)
    this.#onPublish(ring)
    return 'published'
  }

  exists(epoch: number): boolean {
    return this.#files.has(epoch)
  }

  newest(): RingDescription | undefined {
    const text = this.#files.get(Math.max(...this.#files.keys()))
    return text === undefined ? undefined : (JSON.parse(text) as RingDescription)
  }

  /** The run directory is empty again. */
  clear(): void {
    this.#files.clear()
  }

  prune(keep: number): void {
    const epochs = [...this.#files.keys()].sort((a, b) => a - b)
    for (const epoch of epochs.slice(0, Math.max(0, epochs.length - keep))) {
      this.#files.delete(epoch)
    }
  }
}
