/**
 * Chain mode: how the chains of the ring go on.
 *
 * The dead leave their chains first of all, at any step of a change and outside of one; then a change
 * under way is looked at: copying, switching, settled, or given up. As with quorums (progress.ts) all
 * of it follows from the journaled ring and from who is up.
 */
import {
  aborted,
  copying,
  deserted,
  drop,
  forsaken,
  joined,
  newReaders,
  settled,
  switching,
} from '../shared/ring/chains.js'
import type { Chain, Change, NodeId, RingDescription } from '../shared/ring/description.js'
import { chainObstacle } from './plan.js'
import type { Facts, Progress } from './progress.js'

export interface ChainFacts extends Facts {
  /** Its dead members may be about to come back, as the living ones just did. */
  readonly isReturning: (chain: Chain) => boolean
  /** What only the node may hold is given up. */
  readonly isGivenUp: (node: NodeId) => boolean
  /** As the reader of its arcs it has their marks in this epoch. */
  readonly isReady: (node: NodeId, epoch: number) => boolean
  readonly nextPlan: number
}

/** The next ring of a swarm in chain mode; undefined while there is something to wait for. */
export function nextChains(
  ring: RingDescription,
  chains: readonly Chain[],
  facts: ChainFacts,
): Progress | undefined {
  const { placement, change } = ring
  const left = drop(chains, facts.helps, facts.isReturning)
  const dropped = left === chains ? undefined : 'members that are down leave their chains'
  if (change === undefined) {
    return dropped === undefined ? undefined : { placement, chains: joined(left), reason: dropped }
  }
  const abort = (reason: string): Progress => {
    return { placement, chains: joined(aborted(left)), event: 'change.aborted', reason }
  }
  const reason = facts.giveUp ?? hindrance(left, change, facts)
  if (reason !== undefined) return abort(reason)
  if (lostSource(left, change, facts)) {
    const { obstacle, ...fresh } = copying(aborted(left), change.next, facts.helps, facts.isGivenUp)
    if (obstacle !== undefined) return abort(chainObstacle(obstacle).blocked)
    const { transfers } = fresh
    const again: Change = { plan: facts.nextPlan, next: change.next, transfers }
    return { placement, change: again, chains: fresh.chains, reason: 'a source is down' }
  }
  if (dropped !== undefined) return { placement, change, chains: left, reason: dropped }
  if (facts.isOutdated) return { placement, change, chains }
  return facts.hasNewLife ? undefined : nextStep(ring, chains, change, facts)
}

/** Copying, switching, settled. */
function nextStep(
  { placement, epoch }: RingDescription,
  chains: readonly Chain[],
  change: Change,
  { open, isReady }: ChainFacts,
): Progress | undefined {
  const { next, transfers } = change
  const settle = { placement: next, chains: settled(chains, next) }
  if (change.switching === true) {
    const isSwitched = newReaders(chains).every((node) => isReady(node, epoch))
    return isSwitched ? { ...settle, event: 'change.switched' } : undefined
  }
  if (open(change).length > 0) return undefined
  const switched = switching(chains, transfers)
  if (newReaders(switched).length === 0) return { ...settle, event: 'change.copied' }
  return { placement, change: { ...change, switching: true }, chains: switched }
}

/** Why the change cannot be brought to an end; `left`: its chains without the dead. */
function hindrance(left: readonly Chain[], change: Change, facts: ChainFacts): string | undefined {
  const { transfers, next } = change
  const absent = transfers.find(({ gainer }) => !facts.helps(gainer))
  if (absent !== undefined) return `${absent.gainer} is down, and data is copied to it`
  const begun = new Set(transfers.filter(({ sources }) => sources.length > 0).map(({ to }) => to))
  for (const { to, members, full } of left) {
    const nodes = members.slice(0, full)
    const isUnread = begun.has(to) && !nodes.some(facts.helps)
    if (isUnread) return chainObstacle({ kind: 'unread', nodes }).blocked
  }
  const last = deserted(left, next, facts.helps, facts.isGivenUp)
  if (last !== undefined) return chainObstacle({ kind: 'unread', nodes: last }).blocked
  const nodes = forsaken(left, next)
  return nodes && chainObstacle({ kind: 'absent', nodes }).blocked
}

/** Something is still to be copied from a member that left its chain: everybody begins again. */
function lostSource(left: readonly Chain[], change: Change, { open }: ChainFacts): boolean {
  if (change.switching === true) return false
  const members = new Map(left.map((chain) => [chain.to, chain.members]))
  return open(change).some(({ to, sources }) =>
    sources.some((node) => members.get(to)?.includes(node) !== true),
  )
}
