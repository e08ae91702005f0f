/**
 * Reads that are eventual by choice: with R + W <= N a read need not meet the newest write, whatever it
 * does, so it is given what it was lowered for. It asks R owners and no more, writes nothing back, and
 * the reads of a key are spread over its owners: all of them carry a hot key, not only the first.
 *
 * Each goes to an owner by chance. Taking turns would need a turn for each key, and a client that reads
 * two keys one after the other would meet the same owners for ever.
 */
import type { NodeId } from '../shared/ring/description.js'
import type { Arc } from '../shared/ring/ring.js'
import type { Desk } from './desk.js'

/** The read quorum of a call: its own, up to N, or where it names none the swarm's. */
export function readQuorumOf({ quorums }: Arc, r: number): number {
  return r === 0 ? quorums.r : Math.min(r, quorums.n)
}

/** `r` of the call, 0 for the swarm's. W is the swarm's: the get cannot know that of each write. */
export function isWeakRead(arc: Arc, r: number): boolean {
  return readQuorumOf(arc, r) + arc.quorums.w <= arc.quorums.n
}

/** The owner whose turn it is; oneself counts as reachable. undefined: none can be reached. */
export function turnOf(desk: Desk, arc: Arc): NodeId | undefined {
  const { runtime, ring, peers, self, isNamed } = desk
  const reachable = arc.owners.filter((owner) =>
    owner === self && isNamed ? true : peers.isReachable(ring.address(owner)),
  )
  return reachable[Math.floor(runtime.random() * reachable.length)]
}

/** The owners, from any of them on. */
export function spread({ runtime }: Desk, owners: readonly NodeId[]): readonly NodeId[] {
  const first = Math.floor(runtime.random() * owners.length)
  return [...owners.slice(first), ...owners.slice(0, first)]
}
