/**
 * The ring as data: what stands in a `ring.<epoch>` file and in a `ring.publish` message.
 *
 * A ring is immutable; every change is a new one with a higher epoch. While a change copies data
 * (`change` is present) writes need a quorum of the current placement *and* of the next one, so that
 * the quorums of any two consecutive rings intersect.
 */

/** `n1`, `n2`, ...: never reused within a swarm. */
export type NodeId = string
/** A position in the hash space: an unsigned 32-bit integer. */
export type Token = number

/** One life of a node: its id and the number of the life. Its socket is named after both. */
export interface Member {
  readonly id: NodeId
  readonly incarnation: number
  readonly pid: number
  /** Start time of the process in clock ticks since boot, from /proc: tells a reused pid. */
  readonly startTime: string
}

/** Who owns what, and by which quorums. */
export interface Placement {
  /** N, R and W as configured. A placement with fewer than N nodes is forming. */
  readonly replicas: number
  readonly readQuorum: number
  readonly writeQuorum: number
  /** Ascending, unique. */
  readonly tokens: readonly Token[]
  /** `nodes[i]` owns the vnode at `tokens[i]`, that is the range (tokens[i-1], tokens[i]]. */
  readonly nodes: readonly NodeId[]
}

/** A range that moves: the gainer merges it from at least `needed` of the sources. */
export interface Transfer {
  /** The range (from, to], wrapping; from === to is the whole ring. */
  readonly from: Token
  readonly to: Token
  readonly gainer: NodeId
  /** Old owners that may be read. Never holds the gainer, whose own copy counts when it owned it. */
  readonly sources: readonly NodeId[]
  /** How many of the sources must be read completely. */
  readonly needed: number
  /** The gainer did not own the range before: it wipes what it still holds of it first. */
  readonly wipe: boolean
}

/** The change that a ring with `step: 'copying'` is in the middle of. */
export interface Change {
  /** Numbers plans; a gainer wipes and copies once per plan. */
  readonly plan: number
  readonly next: Placement
  readonly transfers: readonly Transfer[]
  /** Of a chain: everything is copied, the last joiner reads. Absent: false. */
  readonly switching?: boolean
}

/**
 * Chain replication: who holds one arc, in which order. Puts enter at the head and pass through all; the
 * last one answers them. A member that is dead leaves at once, so that a chain may be shorter than N.
 */
export interface Chain {
  /** The range (from, to], wrapping; from === to is the whole ring. */
  readonly from: Token
  readonly to: Token
  /** The head first; by seniority: who joined later stands behind. */
  readonly members: readonly NodeId[]
  /** The first so many hold everything; the others are being copied to. */
  readonly full: number
  /** Who answers gets; empty where no member is left. */
  readonly reader: NodeId | ''
}

export interface RingDescription {
  readonly epoch: number
  /** Random id of the swarm: a node refuses the rings of another. */
  readonly swarm: string
  readonly boot: number
  /** Every process that takes part: the nodes of the placement and of the next one. */
  readonly members: readonly Member[]
  readonly placement: Placement
  readonly change?: Change
  /** Of a swarm in chain mode: all arcs, ascending by `to`. */
  readonly chains?: readonly Chain[]
}

/** The address of a member: the name of its socket, without the suffix. */
export function addressOf(member: { id: NodeId; incarnation: number }): string {
  return `${member.id}.${member.incarnation}`
}
