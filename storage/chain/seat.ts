/** A node's places in the chains of one ring: before whom and behind whom it stands, arc by arc. */
import type { NodeId } from '../../shared/ring/description.js'
import type { Arc, Ring } from '../../shared/ring/ring.js'
import type { Address } from '../../shared/runtime/runtime.js'
import type { QuorumTold } from '../operations.js'

/** What reaches the end of the arc, all of its members have: so it is told in the log of operations. */
export interface Seat extends QuorumTold {
  readonly arc: Arc
  readonly epoch: number
  readonly isHead: boolean
  readonly isReader: boolean
  /** Undefined: it is the head. */
  readonly predecessor: Address | undefined
  /** Undefined: it is the end. */
  readonly successor: Address | undefined
  /** The arc's mark of this epoch has come: what the chain owed before it is here. */
  hasMark: boolean
  /** All that came before the mark is durable here and was passed on. */
  isClear: boolean
  /** What is not committed was sent down once more, in this epoch and on this connection. */
  isResent: boolean
  /** Numbers the attempts at that, so that an earlier one ends unheard. */
  round: number
  /** Gets that came before the mark. */
  waiting: (() => void)[]
}

export function seatsOf(ring: Ring, self: NodeId): readonly Seat[] {
  const seats: Seat[] = []
  for (const arc of ring.arcs) {
    const index = arc.owners.indexOf(self)
    if (arc.chain === undefined || index < 0) continue
    const addressAt = (place: number): Address | undefined => {
      const node = arc.owners[place]
      // Nobody listens there: who is no member is waited for, and never passed over.
      return node === undefined ? undefined : (ring.address(node) ?? `${node}.0`)
    }
    seats.push({
      arc,
      epoch: ring.epoch,
      isHead: index === 0,
      isReader: arc.chain.reader === self,
      predecessor: index === 0 ? undefined : addressAt(index - 1),
      successor: addressAt(index + 1),
      hasMark: index === 0,
      isClear: false,
      isResent: false,
      round: 0,
      waiting: [],
      told: { epoch: ring.epoch, n: arc.quorums.n, acknowledged: arc.owners },
    })
  }
  return seats
}
