/**
 * Bytes on their way out and in, for cbor.ts: gathered without copies of what is large, read with every
 * length checked.
 */

/** The peer's mistake, with what was wrong. Ends its connection, nothing else. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}

/** What is read; undefined where it is malformed. */
export function unlessMalformed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

/** Output is gathered in slabs that start small, for a peer that is told little, and double. */
const slabBytesMin = 1024
const slabBytesMax = 64 * 1024

/** Gathers output; `take` hands over what was written, to be sent and never touched again. */
export class Writer {
  bytes: Uint8Array = new Uint8Array(0)
  /** Where the next byte goes. */
  at = 0
  #start = 0
  #pieces: Uint8Array[] = []
  #pieceBytes = 0
  #slabBytes = slabBytesMin

  /** Bytes written and not taken yet. */
  get pending(): number {
    return this.#pieceBytes + this.at - this.#start
  }

  /** Makes room for `count` contiguous bytes at `at`. */
  reserve(count: number): void {
    if (this.at + count > this.bytes.length) this.#grow(count)
  }

  /** Appends without a copy. */
  reference(bytes: Uint8Array): void {
    this.#cut()
    this.#pieces.push(bytes)
    this.#pieceBytes += bytes.length
  }

  take(): Uint8Array[] {
    this.#cut()
    const pieces = this.#pieces
    this.#pieces = []
    this.#pieceBytes = 0
    return pieces
  }

  #cut(): void {
    if (this.at === this.#start) return
    this.#pieces.push(this.bytes.subarray(this.#start, this.at))
    this.#pieceBytes += this.at - this.#start
    this.#start = this.at
  }

  #grow(count: number): void {
    this.#cut()
    this.bytes = Buffer.allocUnsafeSlow(Math.max(this.#slabBytes, count))
    this.#slabBytes = Math.min(this.#slabBytes * 2, slabBytesMax)
    this.#start = 0
    this.at = 0
  }
}

/** Reads bytes [at, end). Reading past `end` is found at the latest by `finish`. */
export class Reader {
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  end = 0

  reset(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  /** A length or count that the rest of the input can hold. */
  bounded(count: number): number {
    if (!(count <= this.end - this.at)) throw new Malformed('cut short')
    return count
  }

  finish(): void {
    if (this.at < this.end) throw new Malformed('more bytes than fields')
    if (this.at > this.end) throw new Malformed('cut short')
  }
}
