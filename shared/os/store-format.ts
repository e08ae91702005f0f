/**
 * How a node's records lie in an ordered byte store.
 *
 * Key: `d`, the token (4 bytes, big endian), the key: any range of the ring is one contiguous scan,
 * or two where it wraps. Meta values lie under `m` and their name. Value: flags, boot, micros and
 * writer of the version, then the bytes. `storeFormat` is raised with every incompatible change.
 */

import { readUint32, writeUint32 } from '../data/cbor.js'
import type { StoredRecord } from '../data/record.js'
import type { Version } from '../data/version.js'
import type { Token } from '../ring/description.js'
import type { Cursor, Range } from '../runtime/ports.js'

export const storeFormat = 1

const dataPrefix = 'd'.charCodeAt(0)
const metaPrefix = 'm'
const keyHeadBytes = 5
const tombstoneFlag = 1
/** The value is preceded by what is attached: its length (4 bytes), its bytes. */
const attachedFlag = 2
/** Flags, boot, micros (high and low half), length of the writer. */
const versionHeadBytes = 1 + 4 + 8 + 1
const attachedHeadBytes = 4
const uint32Range = 2 ** 32

export function storeKey(token: Token, key: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(keyHeadBytes + key.length)
  stored[0] = dataPrefix
  writeUint32(stored, 1, token)
  stored.set(key, keyHeadBytes)
  return stored
}

export function tokenOfStoreKey(stored: Uint8Array): Token {
  return readUint32(stored, 1)
}

export function keyOfStoreKey(stored: Uint8Array): Uint8Array {
  return stored.subarray(keyHeadBytes)
}

export function metaKey(name: string): Buffer {
  return Buffer.from(metaPrefix + name)
}

export function nameOfMetaKey(stored: Uint8Array): string {
  return Buffer.from(stored).toString('utf8').slice(metaPrefix.length)
}

/** Bounds of an iteration, as abstract-level takes them. */
export interface Bounds {
  readonly gt?: Buffer
  readonly gte?: Buffer
  readonly lt: Buffer
}

export const metaBounds: Bounds = { gte: Buffer.from('m'), lt: Buffer.from('n') }

/** The range in scan order: from its start, wrapping, or from behind the cursor. */
export function boundsOf(range: Range, after: Cursor | undefined): Bounds[] {
  const { from, to } = range
  const wraps = from >= to
  if (after === undefined) {
    if (!wraps) return [{ gte: tokenStart(from + 1), lt: tokenStart(to + 1) }]
    const low = { gte: tokenStart(0), lt: tokenStart(to + 1) }
    return from + 1 === uint32Range
      ? [low]
      : [{ gte: tokenStart(from + 1), lt: tokenStart(uint32Range) }, low]
  }
  const gt = storeKey(after.token, after.key)
  if (!wraps) return [{ gt, lt: tokenStart(to + 1) }]
  if (after.token <= to) return [{ gt, lt: tokenStart(to + 1) }]
  return [
    { gt, lt: tokenStart(uint32Range) },
    { gte: tokenStart(0), lt: tokenStart(to + 1) },
  ]
}

/** The first store key of a token; of 2^32 what follows the last one. */
function tokenStart(token: number): Buffer {
  return token === uint32Range ? Buffer.from([dataPrefix + 1]) : storeKey(token, new Uint8Array(0))
}

/** A copy: nothing of the record's memory is kept. */
export function encodeRecord({ version, value, attached }: StoredRecord): Buffer {
  const { boot, micros, writer } = version
  const writerBytes = Buffer.byteLength(writer)
  if (writerBytes > 255 || boot >= uint32Range) throw new RangeError('not a version')
  const attachedBytes = attached === undefined ? 0 : attachedHeadBytes + attached.length
  const attachedAt = versionHeadBytes + writerBytes
  const valueAt = attachedAt + attachedBytes
  const stored = Buffer.allocUnsafe(valueAt + (value?.length ?? 0))
  stored[0] = (value === null ? tombstoneFlag : 0) | (attached === undefined ? 0 : attachedFlag)
  writeUint32(stored, 1, boot)
  writeUint32(stored, 5, Math.floor(micros / uint32Range))
  writeUint32(stored, 9, micros >>> 0)
  stored[13] = writerBytes
  stored.write(writer, versionHeadBytes, 'utf8')
  if (attached !== undefined) stored.set(attached, writeUint32(stored, attachedAt, attached.length))
  if (value !== null) stored.set(value, valueAt)
  return stored
}

/** Value and what is attached alias `stored`. */
export function decodeRecord(stored: Buffer): StoredRecord {
  const flags = stored[0] as number
  const attachedAt = versionHeadBytes + (stored[13] as number)
  const version: Version = {
    boot: readUint32(stored, 1),
    micros: readUint32(stored, 5) * uint32Range + readUint32(stored, 9),
    writer: stored.toString('utf8', versionHeadBytes, attachedAt),
  }
  const isTombstone = (flags & tombstoneFlag) !== 0
  if ((flags & attachedFlag) === 0) {
    return { version, value: isTombstone ? null : stored.subarray(attachedAt) }
  }
  const start = attachedAt + attachedHeadBytes
  const valueAt = start + readUint32(stored, attachedAt)
  const attached = stored.subarray(start, valueAt)
  return { version, value: isTombstone ? null : stored.subarray(valueAt), attached }
}
