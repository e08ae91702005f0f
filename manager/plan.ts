/** From a wish to a plan: the next placement, its transfers, and whether these can be done now. */
import { type ClaimSettings, type MembershipDelta, planPlacement } from '../shared/ring/claim.js'
import type { Change, NodeId, Placement, Transfer } from '../shared/ring/description.js'
import { compareNodes } from '../shared/ring/ring.js'
import { planTransfers } from '../shared/ring/transfers.js'

export type Plan =
  | { readonly next: Placement; readonly transfers: readonly Transfer[] }
  /** Why it cannot be done while things are as they are. */
  | { readonly blocked: string }

/** Sorted by number: everything that several nodes are told is told in this order. */
export function distinctNodes(...groups: readonly (readonly NodeId[])[]): NodeId[] {
  return [...new Set(groups.flat())].sort(compareNodes)
}

export function planChange(
  current: Placement,
  delta: MembershipDelta,
  settings: ClaimSettings,
  isAlive: (node: NodeId) => boolean,
): Plan {
  const next = planPlacement(current, delta, settings)
  const transfers = planTransfers(current, next, isAlive)
  const blocked = obstacle(transfers, isAlive)
  return blocked === undefined ? { next, transfers } : { blocked }
}

/** Why these transfers cannot be completed; undefined if they can. */
export function obstacle(
  transfers: readonly Transfer[],
  isAlive: (node: NodeId) => boolean,
): string | undefined {
  for (const { gainer, sources, needed } of transfers) {
    if (!isAlive(gainer)) return `${gainer} is down, and data is to be copied to it`
    const alive = sources.filter(isAlive).length
    if (alive < needed) {
      return `${needed} of the nodes that hold a range must be up to copy it to ${gainer}, ${alive} are`
    }
  }
  return undefined
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
