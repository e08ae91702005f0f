/**
 * Counting answers, apart from the flow that collects them. The same node counts once, however often
 * it answers; a node that failed and answers after all counts.
 *
 * While the ring changes, a write needs a quorum of the old owners and one of the new: two counts that
 * share their voters (Raft's joint consensus, section 6, uses the same rule for its configurations).
 */
import type { NodeId } from '../ring/description.js'
import type { Arc } from '../ring/ring.js'

export type QuorumState = 'pending' | 'met' | 'lost'

/** Bits of an integer hold the voters. */
const votersMax = 30

class Count {
  private readonly voters: readonly NodeId[]
  private readonly needed: number
  private acked = 0
  private failed = 0

  constructor(voters: readonly NodeId[], needed: number) {
    if (voters.length > votersMax) throw new Error(`more than ${votersMax} voters`)
    this.voters = voters
    this.needed = needed
  }

  ack(node: NodeId): void {
    const index = this.voters.indexOf(node)
    if (index < 0) return
    this.acked |= 1 << index
    this.failed &= ~(1 << index)
  }

  fail(node: NodeId): void {
    const index = this.voters.indexOf(node)
    if (index < 0) return
    this.failed |= (1 << index) & ~this.acked
  }

  get state(): QuorumState {
    if (bits(this.acked) >= this.needed) return 'met'
    return this.voters.length - bits(this.failed) < this.needed ? 'lost' : 'pending'
  }
}

function bits(mask: number): number {
  let count = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++
  return count
}

/** Of the current owners of an arc, and of the next owners too while they differ. */
export class Quorum {
  private readonly current: Count
  private readonly next: Count | undefined

  private constructor(current: Count, next: Count | undefined) {
    this.current = current
    this.next = next
  }

  /** Write quorums of both sides; `w` other than 0 replaces each side's own, up to its N. */
  static ofWrite(arc: Arc, w: number): Quorum {
    const current = new Count(arc.owners, sized(w, arc.quorums.w, arc.quorums.n))
    if (arc.next === undefined) return new Quorum(current, undefined)
    const needed = sized(w, arc.next.quorums.w, arc.next.quorums.n)
    return new Quorum(current, new Count(arc.next.owners, needed))
  }

  /** Reads use the current owners alone. */
  static ofRead(arc: Arc, r: number): Quorum {
    return new Quorum(new Count(arc.owners, sized(r, arc.quorums.r, arc.quorums.n)), undefined)
  }

  ack(node: NodeId): QuorumState {
    this.current.ack(node)
    this.next?.ack(node)
    return this.state
  }

  fail(node: NodeId): QuorumState {
    this.current.fail(node)
    this.next?.fail(node)
    return this.state
  }

  get state(): QuorumState {
    const current = this.current.state
    if (this.next === undefined) return current
    const next = this.next.state
    if (current === 'lost' || next === 'lost') return 'lost'
    return current === 'met' && next === 'met' ? 'met' : 'pending'
  }
}

function sized(asked: number, usual: number, n: number): number {
  return Math.min(asked === 0 ? usual : asked, n)
}
