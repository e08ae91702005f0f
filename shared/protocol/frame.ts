/**
 * Frames on a stream: a 4-byte big-endian length, then one message (see codec.ts).
 *
 * Writing gathers the frames of a turn so that they leave in one write; reading takes chunks as they
 * come, a byte at a time if need be. Frames that lie within a chunk are read in place. One that does
 * not is gathered in a buffer that doubles: linear time however small the chunks are, and memory in
 * proportion to what really came, not to the length that was announced.
 */
import { Malformed, Writer } from '../data/byte-stream.js'
import { readUint32, writeUint32 } from '../data/cbor.js'
import { readMessage, writeMessage } from './codec.js'
import type { Message } from './messages.js'

const headBytes = 4
/** First size of the buffer for a frame in pieces: most need no second. */
const partialBytesMin = 4096

/** Gathers messages as frames; `take` hands over the bytes. */
export class FrameWriter {
  readonly #out = new Writer()
  readonly #frameBytesMax: number

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax
  }

  /** Bytes gathered and not taken yet. */
  get pending(): number {
    return this.#out.pending
  }

  /** Large values are kept by reference: they must not change before they are sent. */
  push(message: Message): void {
    const out = this.#out
    out.reserve(headBytes)
    const head = out.bytes
    const at = out.at
    out.at += headBytes
    const before = out.pending
    writeMessage(out, message)
    const length = out.pending - before
    if (length > this.#frameBytesMax) {
      throw new RangeError(`a ${message.kind} of ${length} bytes is over the limit`)
    }
    writeUint32(head, at, length)
  }

  take(): Uint8Array[] {
    return this.#out.take()
  }
}

/**
 * Cuts a stream into messages. After `Malformed` the stream has no meaning any more: the reader
 * must not be used again.
 */
export class FrameReader {
  readonly #frameBytesMax: number
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0
  /** The beginning of a frame that no chunk held whole, head included. */
  #partial: Uint8Array | undefined
  #partialBytes = 0

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax
  }

  /** Takes the next bytes of the stream, once `next` has returned undefined for the last. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The next message; undefined when more bytes are needed. Its byte strings alias the chunk. */
  next(): Message | Malformed | undefined {
    if (this.#partial !== undefined) return this.#nextOfPartial(this.#partial)
    const chunk = this.#chunk
    const at = this.#at
    const left = chunk.length - at
    if (left >= headBytes) {
      const length = readUint32(chunk, at)
      const refusal = this.#refusal(length)
      if (refusal !== undefined) return refusal
      const end = at + headBytes + length
      if (end <= chunk.length) {
        this.#at = end
        return readMessage(chunk, at + headBytes, end)
      }
    }
    if (left > 0) this.#keep(Buffer.allocUnsafeSlow(Math.max(partialBytesMin, left)), left)
    return undefined
  }

  #nextOfPartial(partial: Uint8Array): Message | Malformed | undefined {
    if (this.#partialBytes < headBytes) {
      this.#keep(partial, headBytes - this.#partialBytes)
      if (this.#partialBytes < headBytes) return undefined
    }
    const length = readUint32(partial, 0)
    const refusal = this.#refusal(length)
    if (refusal !== undefined) return refusal
    const whole = headBytes + length
    const held = this.#keep(partial, whole - this.#partialBytes)
    if (this.#partialBytes < whole) return undefined
    this.#partial = undefined
    this.#partialBytes = 0
    return readMessage(held, headBytes, whole)
  }

  #refusal(length: number): Malformed | undefined {
    if (length > 0 && length <= this.#frameBytesMax) return undefined
    return new Malformed(
      length === 0
        ? 'an empty frame'
        : `a frame of ${length} bytes, over the limit of ${this.#frameBytesMax}`,
    )
  }

  /** Moves up to `wanted` bytes from the chunk behind those of the partial frame. */
  #keep(partial: Uint8Array, wanted: number): Uint8Array {
    const count = Math.min(wanted, this.#chunk.length - this.#at)
    const needed = this.#partialBytes + count
    let held = partial
    if (needed > held.length) {
      const size = Math.min(Math.max(needed, held.length * 2), headBytes + this.#frameBytesMax)
      held = Buffer.allocUnsafeSlow(size)
      held.set(partial.subarray(0, this.#partialBytes))
    }
    held.set(this.#chunk.subarray(this.#at, this.#at + count), this.#partialBytes)
    this.#partial = held
    this.#partialBytes = needed
    this.#at += count
    return held
  }
}
