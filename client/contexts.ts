/**
 * Causal contexts as users hold them: text that a get gives and a put takes back. It names the key that
 * it is of, since a context says of each writer up to which of its writes it has seen: of another key it
 * would cover, and so supersede, what nobody has seen.
 */
import { unlessMalformed } from '../shared/data/byte-stream.js'
import { parseContext } from '../shared/data/siblings.js'
import { tokenOf } from '../shared/ring/token.js'
import { invalid } from './refusals.js'

/** The key's token, big endian: at the end, since a text that begins with `-` would look like an option. */
const tokenBytes = 4

export function contextText(key: Uint8Array, context: Uint8Array): string {
  const bytes = Buffer.allocUnsafe(context.length + tokenBytes)
  bytes.set(context)
  bytes.writeUInt32BE(tokenOf(key), context.length)
  return bytes.toString('base64url')
}

/** Throws INVALID_ARGUMENT. */
export function contextBytes(key: Uint8Array, text: string): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64url') : undefined
  if (bytes === undefined || bytes.toString('base64url') !== text || bytes.length < tokenBytes) {
    throw invalid(notOurs)
  }
  const context = bytes.subarray(0, -tokenBytes)
  if (unlessMalformed(() => parseContext(context)) === undefined) throw invalid(notOurs)
  if (bytes.readUInt32BE(context.length) === tokenOf(key)) return context
  throw invalid('the context is of another key: get the one that is written')
}

const notOurs = 'the context is not one that a get gave'
