/**
 * How evenly a placement spreads the ring over its nodes, and how much of it a change moves. All
 * shares are fractions of the ring.
 */
import { sharedArcs } from './arcs.js'
import type { NodeId, Placement, Token } from './description.js'
import { preferenceLists } from './preference.js'
import { rangeWidth, tokenSpace } from './token.js'

/** Each node's share of the ring as primary; they add up to 1. */
export function primaryShares(placement: Placement): Map<NodeId, number> {
  return sharesOf(placement, (index) => [placement.nodes[index] as NodeId])
}

/** Each node's share of the ring as any owner; they add up to N, or to the nodes if these are fewer. */
export function copyShares(placement: Placement): Map<NodeId, number> {
  const lists = preferenceLists(placement)
  return sharesOf(placement, (index) => lists[index] as readonly NodeId[])
}

function sharesOf(
  placement: Placement,
  holders: (index: number) => readonly NodeId[],
): Map<NodeId, number> {
  const { tokens } = placement
  const shares = new Map<NodeId, number>()
  tokens.forEach((to: Token, index: number) => {
    const from = tokens.at(index - 1) as Token
    const share = rangeWidth({ from, to }) / tokenSpace
    for (const node of holders(index)) shares.set(node, (shares.get(node) ?? 0) + share)
  })
  return shares
}

/** How much of the ring gets another primary, and how much is copied to nodes that did not keep it. */
export function movedShares(
  current: Placement,
  next: Placement,
): { primary: number; copies: number } {
  const owners = preferenceLists(current)
  const nextOwners = preferenceLists(next)
  const moved = { primary: 0, copies: 0 }
  for (const arc of sharedArcs(current, next)) {
    const share = rangeWidth(arc) / tokenSpace
    const before = owners[arc.index] ?? []
    const after = nextOwners[arc.nextIndex] ?? []
    if (before[0] !== after[0]) moved.primary += share
    moved.copies += share * after.filter((node) => !before.includes(node)).length
  }
  return moved
}
