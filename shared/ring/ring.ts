/**
 * A ring as processes use it: which owners and quorums does a token have?
 *
 * The description is unfolded once into arcs with their owners; a lookup is then one binary search in
 * a typed array, since every request of every process makes one. While a change is under way the arcs
 * are those of both placements laid over each other, and an arc whose owners or quorums differ names
 * both sides.
 */
import type { Range } from '../runtime/ports.js'
import type { Address } from '../runtime/runtime.js'
import { type SharedArc, sharedArcs } from './arcs.js'
import {
  addressOf,
  type Chain,
  type Member,
  type NodeId,
  type Placement,
  type RingDescription,
  type Token,
} from './description.js'
import { preferenceLists } from './preference.js'

/** N, R and W as they hold: no more than there are nodes. */
export interface Quorums {
  readonly n: number
  readonly r: number
  readonly w: number
}

/** One side of an arc: who owns it, the primary first, and by which quorums. */
export interface Ownership {
  readonly owners: readonly NodeId[]
  readonly quorums: Quorums
}

/** The range (from, to], wrapping; from === to is the whole ring. */
export interface Arc extends Range, Ownership {
  /** Only while a change is under way, and only where it changes owners or quorums. */
  readonly next?: Ownership
  /** In chain mode: then `owners` are its members, the head first. */
  readonly chain?: Chain
}

/** The configured numbers, each limited by the nodes that the placement has. */
export function effectiveQuorums(placement: Placement): Quorums {
  const nodes = new Set(placement.nodes).size
  return {
    n: Math.min(placement.replicas, nodes),
    r: Math.min(placement.readQuorum, nodes),
    w: Math.min(placement.writeQuorum, nodes),
  }
}

/**
 * Among any so many owners of a range one has every acknowledged write: a write may be missing on N - W of
 * them.
 */
export function coveringOwners({ n, w }: Pick<Quorums, 'n' | 'w'>): number {
  return n - w + 1
}

export class Ring {
  readonly description: RingDescription
  readonly epoch: number
  /** The nodes of the placement, in order of their numbers. */
  readonly nodes: readonly NodeId[]
  /** The placement has fewer nodes than replicas: requests are refused. */
  readonly forming: boolean
  /** Ascending by `to`. */
  readonly arcs: readonly Arc[]
  /** `to` of each arc, for the search. */
  readonly #ends: Uint32Array
  readonly #members: ReadonlyMap<NodeId, Member>
  readonly #addresses: ReadonlyMap<NodeId, Address>
  /** Found when first asked for. */
  readonly #fallbacks = new Map<Arc, readonly NodeId[]>()

  constructor(description: RingDescription) {
    const { placement, change, members } = description
    this.description = description
    this.epoch = description.epoch
    this.nodes = [...new Set(placement.nodes)].sort(compareNodes)
    this.forming = this.nodes.length < placement.replicas
    this.arcs = description.chains
      ? description.chains.map(arcOfChain)
      : arcsOf(placement, change?.next ?? placement)
    this.#ends = Uint32Array.from(this.arcs, (arc) => arc.to)
    this.#members = new Map(members.map((member) => [member.id, member]))
    this.#addresses = new Map(members.map((member) => [member.id, addressOf(member)]))
  }

  /** The arc that holds the token. */
  arcOf(token: Token): Arc {
    const ends = this.#ends
    let low = 0
    let high = ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ends[middle] as number) < token) low = middle + 1
      else high = middle
    }
    return this.arcs[low === ends.length ? 0 : low] as Arc
  }

  member(id: NodeId): Member | undefined {
    return this.#members.get(id)
  }

  /** Where the member listens; undefined for a node that is not a member. */
  address(id: NodeId): Address | undefined {
    return this.#addresses.get(id)
  }

  /**
   * Who can stand in for the arc's owners: the distinct nodes that follow them, clockwise. Joiners do
   * not, since an aborted change would leave them with what they keep for others; leavers come last.
   */
  fallbacksOf(arc: Arc): readonly NodeId[] {
    let fallbacks = this.#fallbacks.get(arc)
    if (fallbacks === undefined) {
      fallbacks = fallbacksOf(arc, this.description)
      this.#fallbacks.set(arc, fallbacks)
    }
    return fallbacks
  }

  /** What the node owns in the placement or in the next one, as few ranges as possible. */
  ownedRanges(id: NodeId): Range[] {
    const owned = this.arcs.filter(
      (arc) => arc.owners.includes(id) || arc.next?.owners.includes(id) === true,
    )
    return joinRanges(owned)
  }
}

/** Orders `n2` before `n10`. */
export function compareNodes(a: NodeId, b: NodeId): number {
  if (a.length !== b.length) return a.length - b.length
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** All members confirm a write, one answers a read. */
function arcOfChain(chain: Chain): Arc {
  const { from, to, members } = chain
  const n = members.length
  return { from, to, owners: members, quorums: { n, r: Math.min(1, n), w: n }, chain }
}

function arcsOf(placement: Placement, next: Placement): Arc[] {
  const quorums = effectiveQuorums(placement)
  const nextQuorums = effectiveQuorums(next)
  const lists = preferenceLists(placement)
  const nextLists = preferenceLists(next)
  const shared = sharedArcs(placement, next)
  // A ring without vnodes still answers: everything lies in one arc that nobody owns.
  if (shared.length === 0) return [{ from: 0, to: 0, owners: [], quorums }]
  return shared.map((arc: SharedArc) => {
    const range = { from: arc.from, to: arc.to }
    const owners = lists[arc.index] ?? []
    const nextOwners = nextLists[arc.nextIndex] ?? []
    if (sameOwners(owners, nextOwners) && sameQuorums(quorums, nextQuorums)) {
      return { ...range, owners, quorums }
    }
    return { ...range, owners, quorums, next: { owners: nextOwners, quorums: nextQuorums } }
  })
}

function fallbacksOf(arc: Arc, { placement, change }: RingDescription): readonly NodeId[] {
  const { tokens, nodes } = placement
  const after = Math.max(
    0,
    tokens.findIndex((token) => token > arc.to),
  )
  const clockwise = new Set([...nodes.slice(after), ...nodes.slice(0, after)])
  const others = [...clockwise].filter(
    (node) => !arc.owners.includes(node) && arc.next?.owners.includes(node) !== true,
  )
  if (change === undefined) return others
  const staying = new Set(change.next.nodes)
  return [
    ...others.filter((node) => staying.has(node)),
    ...others.filter((node) => !staying.has(node)),
  ]
}

/** Their order does not matter: the coordinator is an owner, whichever. */
function sameOwners(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node) => b.includes(node))
}

function sameQuorums(a: Quorums, b: Quorums): boolean {
  return a.n === b.n && a.r === b.r && a.w === b.w
}

/** Joins ranges, ascending and disjoint, where one ends as the next begins, wrap-around included. */
function joinRanges(ranges: readonly Range[]): Range[] {
  const joined: { from: Token; to: Token }[] = []
  for (const range of ranges) {
    const last = joined.at(-1)
    if (last !== undefined && last.to === range.from) last.to = range.to
    else joined.push({ from: range.from, to: range.to })
  }
  const first = joined[0]
  const last = joined.at(-1)
  if (joined.length > 1 && first !== undefined && last !== undefined && last.to === first.from) {
    first.from = last.from
    joined.pop()
  }
  return joined
}
