/** From a wish to a plan: the next placement, its transfers, and whether these can be done now. */

import { aborted, type ChainObstacle, copying, drop } from '../shared/ring/chains.js'
import { type ClaimSettings, type MembershipDelta, planPlacement } from '../shared/ring/claim.js'
import type {
  Chain,
  Change,
  NodeId,
  Placement,
  RingDescription,
  Transfer,
} from '../shared/ring/description.js'
import { compareNodes } from '../shared/ring/ring.js'
import { planTransfers } from '../shared/ring/transfers.js'

export interface PlannedChange {
  readonly next: Placement
  readonly transfers: readonly Transfer[]
  /** In chain mode. */
  readonly chains?: readonly Chain[] | undefined
}

export type Plan = PlannedChange | Obstacle

export interface Obstacle {
  /** Why it cannot be done while things are as they are. */
  readonly blocked: string
  /** Too few owners of a range are up: what they acknowledged may be on nobody else. */
  readonly starved: boolean
}

/** Who takes part in a change. */
export interface Parties {
  /** It can be copied from and to. */
  readonly helps: (node: NodeId) => boolean
  /** What only it may hold is given up. */
  readonly isGivenUp: (node: NodeId) => boolean
  /** The dead members of the chain may be about to come back. */
  readonly isReturning?: (chain: Chain) => boolean
}

/** Sorted by number: everything that several nodes are told is told in this order. */
export function distinctNodes(...groups: readonly (readonly NodeId[])[]): NodeId[] {
  return [...new Set(groups.flat())].sort(compareNodes)
}

const known = new WeakMap<Placement['nodes'], readonly NodeId[]>()

/** Those of a placement, which is looked at many times while it stays what it is. */
export function nodesOf({ nodes }: Placement): readonly NodeId[] {
  const distinct = known.get(nodes) ?? distinctNodes(nodes)
  known.set(nodes, distinct)
  return distinct
}

export function planChange(
  { placement: current, chains }: Pick<RingDescription, 'placement' | 'chains'>,
  delta: MembershipDelta,
  settings: ClaimSettings,
  parties: Parties,
): Plan {
  const next = planPlacement(current, delta, settings)
  if (chains !== undefined) return planChains(current, chains, next, parties)
  const transfers = planTransfers(current, next, parties.helps, parties.isGivenUp)
  return obstacle(transfers, parties.helps) ?? { next, transfers }
}

/** From one placement to the next, or to the same one: then those are copied to that miss in chains. */
export function planChains(
  current: Placement,
  chains: readonly Chain[],
  next: Placement,
  { helps, isGivenUp, isReturning }: Parties,
): Plan {
  const joiners = joinersOf(current, { next })
  const absent = joiners.filter((node) => !helps(node))
  if (absent.length > 0) return chainObstacle({ kind: 'absent', nodes: absent })
  const left = drop(aborted(chains), helps, isReturning)
  const { obstacle, ...planned } = copying(left, next, helps, isGivenUp)
  return obstacle === undefined ? { next, ...planned } : chainObstacle(obstacle)
}

/** In words. */
export function chainObstacle({ kind, nodes }: ChainObstacle): Obstacle {
  const [first] = nodes
  const one = nodes.length === 1 ? `${first}` : `one of ${nodes.join(', ')}`
  if (kind === 'unread') {
    return { blocked: `${one} must be up: nobody else has all of a range`, starved: true }
  }
  const blocked = `${nodes.join(', ')}: down, and data is to be copied there`
  return { blocked, starved: false }
}

/** Why these transfers cannot be completed; undefined if they can. */
export function obstacle(
  transfers: readonly Transfer[],
  helps: (node: NodeId) => boolean,
): Obstacle | undefined {
  let absent: Obstacle | undefined
  for (const { gainer, sources, needed } of transfers) {
    const up = sources.filter(helps).length
    if (up < needed) {
      const blocked =
        `${needed} of the nodes that hold a range must be up to copy it to ${gainer}, ` +
        `${up} are`
      return { blocked, starved: true }
    }
    if (!helps(gainer)) {
      absent ??= { blocked: `${gainer} is down, and data is to be copied to it`, starved: false }
    }
  }
  return absent
}

export function gainersOf(change: Pick<Change, 'transfers'>): NodeId[] {
  return distinctNodes(change.transfers.map((transfer) => transfer.gainer))
}

/** The members that a change adds. */
export function joinersOf(current: Placement, { next }: Pick<Change, 'next'>): NodeId[] {
  return nodesOf(next).filter((node) => !current.nodes.includes(node))
}

/** The members that a change removes. */
export function leaversOf(current: Placement, change: Change): NodeId[] {
  return nodesOf(current).filter((node) => !change.next.nodes.includes(node))
}

/** The same answer throughout one planning, which asks often. */
export function remembered(ask: (node: NodeId) => boolean): (node: NodeId) => boolean {
  const answers = new Map<NodeId, boolean>()
  return (node) => {
    const answer = answers.get(node) ?? ask(node)
    answers.set(node, answer)
    return answer
  }
}

/** Nobody of the placement would stay. */
export function isEverybody({ leave }: MembershipDelta, placement: Placement): boolean {
  return nodesOf(placement).every((node) => leave.includes(node))
}
