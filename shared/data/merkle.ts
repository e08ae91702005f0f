/**
 * Which parts of a range do two copies hold differently? The range is cut into equal parts, the leaves;
 * each gets one hash over what lies in it. Two owners exchange the hashes, and only the leaves whose
 * hashes differ are looked at again, cut finer. Children are computed when they are asked for: the tree
 * is never kept, so that writes have none to keep up to date.
 *
 * A hash covers token, key and version of each entry, in the order of a scan. The value is left out: a
 * version names one write, so equal versions mean equal values.
 *
 * Source: Merkle, "A digital signature based on a conventional encryption function", 1987; its use
 * between replicas: DeCandia and others, "Dynamo", SOSP 2007, section 4.7.
 */
import { createHash, type Hash } from 'node:crypto'
import type { Version } from './version.js'

/** (from, to], wrapping, on a circle of 2^32 points; from === to is all of it. */
interface Part {
  readonly from: number
  readonly to: number
}

interface Leafed {
  readonly token: number
  readonly key: Uint8Array
  readonly record: { readonly version: Version }
}

const circle = 2 ** 32
/** Token, length of the key, boot, micros; the writer's length ends it. */
const fixedBytes = 4 + 4 + 8 + 8

/**
 * So many leaves that each holds about one entry, within the limits: a power of two, so that both
 * counts grow and shrink seldom.
 */
export function leavesFor(entries: number, range: Part, leavesMax: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, entries)))
  return Math.min(wanted, leavesMax, widthOf(range))
}

/** The number of the leaf that a token of the range lies in. */
export function leafOf(token: number, range: Part, leaves: number): number {
  const offset = (token - range.from - 1 + circle) % circle
  return Math.floor((offset * leaves) / widthOf(range))
}

/** The part of the range that leaf `index` covers; there are no more leaves than points. */
export function leafRange(range: Part, leaves: number, index: number): Part {
  const width = widthOf(range)
  const edge = (leaf: number) => (range.from + Math.ceil((leaf * width) / leaves)) % circle
  return { from: edge(index), to: edge(index + 1) }
}

/** Hashes the entries of a range, which must come in the order of a scan. */
export class MerkleLeaves {
  /** Entries of each leaf. */
  readonly counts: readonly number[]
  private readonly range: Part
  private readonly hashBytes: number
  private readonly hashes: Uint8Array
  private readonly added: number[]
  /** The leaf that is being filled, and its hash so far. */
  private leaf = 0
  private hash: Hash | undefined

  constructor(range: Part, leaves: number, hashBytes: number) {
    this.range = range
    this.hashBytes = hashBytes
    this.hashes = new Uint8Array(leaves * hashBytes)
    this.added = new Array<number>(leaves).fill(0)
    this.counts = this.added
  }

  add({ token, key, record }: Leafed): void {
    const leaf = leafOf(token, this.range, this.added.length)
    if (leaf < this.leaf) throw new Error('entries must be added in the order of a scan')
    if (leaf > this.leaf) this.closeLeaf()
    this.leaf = leaf
    this.hash ??= createHash('md5')
    this.hash.update(encoded(token, key, record.version))
    this.added[leaf] = (this.added[leaf] ?? 0) + 1
  }

  /** The hash of each leaf, one after the other; zeros where it is empty. Ends the adding. */
  finish(): Uint8Array {
    this.closeLeaf()
    return this.hashes
  }

  private closeLeaf(): void {
    if (this.hash === undefined) return
    const digest = this.hash.digest().subarray(0, this.hashBytes)
    this.hashes.set(digest, this.leaf * this.hashBytes)
    this.hash = undefined
  }
}

/** The numbers of the leaves that two sides of a range do not hold alike. */
export function differingLeaves(a: Uint8Array, b: Uint8Array, hashBytes: number): number[] {
  if (a.length !== b.length) throw new Error('the two sides have different numbers of leaves')
  const differing: number[] = []
  for (let leaf = 0; leaf * hashBytes < a.length; leaf++) {
    const start = leaf * hashBytes
    const end = start + hashBytes
    if (Buffer.compare(a.subarray(start, end), b.subarray(start, end)) !== 0) differing.push(leaf)
  }
  return differing
}

/** True if that side holds nothing in the leaf. */
export function isEmptyLeaf(hashes: Uint8Array, leaf: number, hashBytes: number): boolean {
  return hashes.subarray(leaf * hashBytes, (leaf + 1) * hashBytes).every((byte) => byte === 0)
}

function widthOf({ from, to }: Part): number {
  return to > from ? to - from : to - from + circle
}

/** Each part either has a fixed length or is preceded by it: no two entries look alike. */
function encoded(token: number, key: Uint8Array, version: Version): Buffer {
  const bytes = Buffer.allocUnsafe(fixedBytes + key.length + 1 + version.writer.length)
  let at = bytes.writeUInt32BE(token, 0)
  at = bytes.writeUInt32BE(key.length, at)
  bytes.set(key, at)
  at = bytes.writeDoubleBE(version.boot, at + key.length)
  at = bytes.writeDoubleBE(version.micros, at)
  at = bytes.writeUInt8(version.writer.length, at)
  bytes.write(version.writer, at, 'latin1')
  return bytes
}
