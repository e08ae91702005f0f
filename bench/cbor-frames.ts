/**
 * Frames as anybody would write them: a 4-byte length, then a value that cbor-x encodes. The yardstick
 * is made of these and not of our own codec, so that it stays where it is when ours changes; what our
 * codec gains over the library counts for the store. The bytes on the wire are the same.
 */
import { Encoder } from 'cbor-x'

const headBytes = 4
const codec = new Encoder({ useRecords: false, variableMapSize: true, mapsAsObjects: true })

/** Gathers the frames of a turn for one write. */
export class CborFrameWriter {
  #frames: Uint8Array[] = []

  push(message: readonly unknown[]): void {
    const body = codec.encode(message)
    const head = Buffer.allocUnsafe(headBytes)
    head.writeUInt32BE(body.length)
    this.#frames.push(head, body)
  }

  take(): Buffer {
    const frames = this.#frames
    this.#frames = []
    return Buffer.concat(frames)
  }
}

/** Hands on every message that the chunks complete. */
export class CborFrameReader {
  #rest: Buffer = Buffer.alloc(0)

  read(chunk: Buffer, received: (message: unknown[]) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= headBytes) {
      const end = at + headBytes + bytes.readUInt32BE(at)
      if (end > bytes.length) break
      received(codec.decode(bytes.subarray(at + headBytes, end)))
      at = end
    }
    this.#rest = bytes.subarray(at)
  }
}
