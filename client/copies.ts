/**
 * Where the copies of every key are, and whether they are where they belong. The nodes' stores are
 * read side by side, all in the order of the ring, so one walk meets all copies of a key at once and
 * holds no more than one page of each store.
 *
 * A key that was deleted leaves tombstones, and these go in the end, on one owner a moment before
 * another: an owner that lacks one lacks nothing, unless another owner still holds an older value, which
 * would come back.
 */
import { compareVersions, type Version } from '../shared/data/version.js'
import type { NodeId, Token } from '../shared/ring/description.js'
import type { Arc } from '../shared/ring/ring.js'
import type { Entry } from '../shared/runtime/ports.js'

/** What one node holds of a key. */
export interface Copy {
  readonly node: NodeId
  readonly version: Version
  readonly isTombstone: boolean
}

export interface HeldKey<C = Copy> {
  readonly token: Token
  readonly key: Uint8Array
  /** At most one of each node, at least one. */
  readonly copies: readonly C[]
}

/** What is wrong with the copies of one key. */
export interface Faults {
  /** Owners that hold nothing of it. */
  readonly missing: readonly NodeId[]
  /** Nodes that hold it and do not own it. */
  readonly misplaced: readonly NodeId[]
  /** Owners that hold another version than the newest there is. */
  readonly divergent: readonly NodeId[]
  /** Copies above as many as there should be. */
  readonly beyond: number
}

/**
 * `unread`: nodes whose store could not be read; nothing is said of their copies. While a change is
 * under way the next owners may hold the key and need not.
 */
export function judge(held: HeldKey, arc: Arc, unread: ReadonlySet<NodeId>): Faults {
  const newest = newestOf(held)
  const own = arc.owners.filter((node) => !unread.has(node))
  const allowed = new Set([...arc.owners, ...(arc.next?.owners ?? [])])
  const byNode = new Map(held.copies.map((copy) => [copy.node, copy]))
  const divergent = own.filter((node) => {
    const copy = byNode.get(node)
    return copy !== undefined && compareVersions(copy.version, newest.version) !== 0
  })
  const isGone = newest.isTombstone && divergent.every((node) => byNode.get(node)?.isTombstone)
  return {
    missing: isGone ? [] : own.filter((node) => !byNode.has(node)),
    misplaced: held.copies.flatMap(({ node }) => (allowed.has(node) ? [] : [node])),
    divergent,
    beyond: Math.max(0, held.copies.length - allowed.size),
  }
}

export function isFaultless({ missing, misplaced, divergent, beyond }: Faults): boolean {
  return missing.length + misplaced.length + divergent.length + beyond === 0
}

export function newestOf({ copies }: HeldKey): Copy {
  return copies.reduce((a, b) => (compareVersions(b.version, a.version) > 0 ? b : a))
}

/** One node's store, as far as it was read. */
interface Stream {
  readonly node: NodeId
  entries: readonly Entry[]
  next: number
  ended: boolean
}

/**
 * Merges what the nodes hold; each is fed its entries in the order in which a dump gives them, and
 * `copyOf` says what is kept of each.
 */
export class CopyMerge<C> {
  private readonly streams: readonly Stream[]
  private readonly copyOf: (node: NodeId, entry: Entry) => C

  constructor(nodes: readonly NodeId[], copyOf: (node: NodeId, entry: Entry) => C) {
    this.copyOf = copyOf
    this.streams = nodes.map((node) => ({ node, entries: [], next: 0, ended: false }))
  }

  /** Those whose next entries must be known before the merge can go on. */
  get hungry(): readonly NodeId[] {
    return this.streams.filter(isHungry).map(({ node }) => node)
  }

  /** The next entries of a node that is hungry; `last`: none will follow. */
  feed(node: NodeId, entries: readonly Entry[], last: boolean): void {
    const stream = this.streams.find((candidate) => candidate.node === node)
    if (stream === undefined || !isHungry(stream)) throw new Error(`${node} is not hungry`)
    stream.entries = entries
    stream.next = 0
    stream.ended = last
  }

  /** The next key with all its copies; undefined while somebody is hungry, and at the end. */
  next(): HeldKey<C> | undefined {
    if (this.streams.some(isHungry)) return undefined
    const first = this.first()
    if (first === undefined) return undefined
    const copies: C[] = []
    for (const stream of this.streams) {
      const entry = stream.entries[stream.next]
      if (entry === undefined || compareEntries(entry, first) !== 0) continue
      copies.push(this.copyOf(stream.node, entry))
      stream.next++
    }
    return { token: first.token, key: first.key, copies }
  }

  private first(): Entry | undefined {
    let first: Entry | undefined
    for (const { entries, next } of this.streams) {
      const entry = entries[next]
      if (entry === undefined) continue
      if (first === undefined || compareEntries(entry, first) < 0) first = entry
    }
    return first
  }
}

function isHungry({ entries, next, ended }: Stream): boolean {
  return !ended && next === entries.length
}

export function copyOf(node: NodeId, { record: { version, value } }: Entry): Copy {
  return { node, version, isTombstone: value === null }
}

type Place = Pick<Entry, 'token' | 'key'>

/** The order of a dump: it walks the ring (0, 0], so that token 0 comes last. */
export function compareEntries(a: Place, b: Place): number {
  return ringOrder(a.token) - ringOrder(b.token) || Buffer.compare(a.key, b.key)
}

function ringOrder(token: Token): number {
  return (token - 1) >>> 0
}
