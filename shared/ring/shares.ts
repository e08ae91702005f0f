/** How evenly a placement spreads the ring over its nodes. All shares are fractions of the ring. */
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
