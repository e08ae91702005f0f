/** From a wish to a plan: the next placement, its transfers, and whether these can be done now. */
import { type ClaimSettings, type MembershipDelta, planPlacement } from '../shared/ring/claim.js'
import type {
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
}

/** Sorted by number: everything that several nodes are told is told in this order. */
export function distinctNodes(...groups: readonly (readonly NodeId[])[]): NodeId[] {
  return [...new Set(groups.flat())].sort(compareNodes)
}

export function planChange(
  { placement: current }: Pick<RingDescription, 'placement'>,
  delta: MembershipDelta,
  settings: ClaimSettings,
  { helps, isGivenUp }: Parties,
): Plan {
  const next = planPlacement(current, delta, settings)
  const transfers = planTransfers(current, next, helps, isGivenUp)
  return obstacle(transfers, helps) ?? { next, transfers }
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

export function gainersOf(change: Change): NodeId[] {
  return distinctNodes(change.transfers.map((transfer) => transfer.gainer))
}

/** The members that a change adds. */
export function joinersOf(current: Placement, change: Change): NodeId[] {
  return distinctNodes(change.next.nodes).filter((node) => !current.nodes.includes(node))
}

/** The members that a change removes. */
export function leaversOf(current: Placement, change: Change): NodeId[] {
  return distinctNodes(current.nodes).filter((node) => !change.next.nodes.includes(node))
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
  return distinctNodes(placement.nodes).every((node) => leave.includes(node))
}
