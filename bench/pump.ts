/** Both ends of the bare echo read a chunk the same way. */
import type { FrameReader } from '../shared/protocol/frame.js'
import type { Message } from '../shared/protocol/messages.js'

/** Hands on every message that the chunk completes. */
export function pumpFrames(
  reader: FrameReader,
  chunk: Uint8Array,
  received: (message: Message) => void,
): void {
  reader.push(chunk)
  for (let message = reader.next(); message !== undefined; message = reader.next()) {
    if (message instanceof Error) throw message
    received(message)
  }
}
