/**
 * Positions in the hash space, a circle of 2^32 points.
 *
 * MD5 is used for its even spread, not for secrecy; its first four bytes are enough, since a swarm
 * has tens of vnodes, not millions.
 */
import { hash } from 'node:crypto'
import type { Range } from '../runtime/ports.js'
import type { Token } from './description.js'

/** Points of the hash space. */
export const tokenSpace = 2 ** 32

/** The token of a key: the first 4 bytes, big endian, of the MD5 of its bytes. */
export function tokenOf(key: Uint8Array): Token {
  return Number.parseInt(hash('md5', key).slice(0, 8), 16)
}

/** True if `token` lies in (from, to], wrapping; from === to is the whole ring. */
export function inRange(token: Token, range: Range): boolean {
  const { from, to } = range
  if (from < to) return token > from && token <= to
  return token > from || token <= to
}

/** Points in the range: 1 to 2^32. */
export function rangeWidth(range: Range): number {
  const width = range.to - range.from
  return width > 0 ? width : width + tokenSpace
}
