/**
 * Finds out whether a LevelDB database lost entries in a way that opening it does not tell.
 *
 * A process or host that dies leaves at most a torn end of the log: a part of what was being written,
 * some of its pages perhaps zeros. That was never acknowledged; LevelDB drops it without a word, and
 * rightly so. But it also goes on where the middle of a log does not match its checksums, and
 * classic-level has no option to make that an error. So the logs are read before the database is opened:
 * broken is one where a further write begins behind what does not match. And a database whose `CURRENT`
 * is gone would be made anew over its files.
 *
 * What stays unseen is a log that was cut short or removed from outside, and damage to its last write.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { GTStoreError } from '../protocol/errors.js'
import type { LevelOptions } from './level.js'

/** A database that lost entries: it must not be used as if it were whole. */
export class DamagedError extends GTStoreError {
  constructor({ path, what, remedy }: LevelOptions, reason: string, cause?: unknown) {
    super('STORAGE_FAILED', `the ${what} in ${path} is damaged: ${reason}; ${remedy}`, { cause })
  }
}

/**
 * Of LevelDB's log format (doc/log_format.md): blocks of records, none across two blocks; a record is
 * 4 bytes of checksum, 2 of length, 1 of type, and data. A write is one `full` record or several.
 */
const blockBytes = 32 * 1024
const headerBytes = 7
const full = 1
const first = 2
const last = 4

/** What is known to be missing, in words; undefined where nothing is. */
export function damageIn(path: string): string | undefined {
  // Of what is no directory the opening tells.
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined
  const names = readdirSync(path)
  if (!existsSync(join(path, 'CURRENT'))) {
    const file = names.find((name) => /^\d+\.(log|ldb|sst)$/.test(name))
    return file === undefined ? undefined : `${file} is there, but CURRENT is missing`
  }
  for (const name of names.filter((each) => /^\d+\.log$/.test(each))) {
    const at = brokenAt(readFileSync(join(path, name)))
    if (at !== undefined) return `${name} does not match its checksums at byte ${at}, and goes on`
  }
  return undefined
}

/** Where the log stops matching its checksums, if a further write begins behind that. */
function brokenAt(log: Buffer): number | undefined {
  let broken: number | undefined
  for (let start = 0; start < log.length; start += blockBytes) {
    const block = log.subarray(start, start + blockBytes)
    for (let at = 0; at + headerBytes <= block.length; ) {
      const type = typeOf(block, at)
      if (type === undefined) {
        broken ??= start + at
        // Its length may be wrong, too: the next record may begin anywhere.
        at++
      } else if (broken !== undefined && (type === full || type === first)) {
        return broken
      } else {
        at += headerBytes + block.readUInt16LE(at + 4)
      }
    }
  }
  return undefined
}

/** Of the record that begins there; undefined where none does that matches its checksum. */
function typeOf(block: Buffer, at: number): number | undefined {
  const type = block[at + 6] as number
  const end = at + headerBytes + block.readUInt16LE(at + 4)
  if (type < full || type > last || end > block.length) return undefined
  const isMatch = masked(crc32c(block.subarray(at + 6, end))) === block.readUInt32LE(at)
  return isMatch ? type : undefined
}

/** LevelDB stores checksums so, since a log may hold what holds checksums itself. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  return crc
})

/** Castagnoli's; node:zlib has another one. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] as number)
  return ~crc >>> 0
}
