/**
 * Whose data is needed: members that are down and without whom too few have a range.
 *
 * What was acknowledged there may be on nobody else, so no change gets round them: none of them can be
 * taken out, and a node that is added has nobody to copy from. With quorums a range needs as many owners
 * as one copies from (shared/ring/transfers.ts); in chain mode one full member. What is given up is not
 * needed any more.
 */
import { aborted } from '../shared/ring/chains.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import { preferenceLists } from '../shared/ring/preference.js'
import { coveringOwners, effectiveQuorums } from '../shared/ring/ring.js'
import { distinctNodes, type Parties } from './plan.js'

/** Of each such range all of them, though the first that is back may be enough. In order. */
export function neededNodes(
  { placement, chains }: Pick<RingDescription, 'placement' | 'chains'>,
  { helps, isGivenUp }: Parties,
): NodeId[] {
  const holders =
    chains === undefined ? preferenceLists(placement) : aborted(chains).map((it) => it.members)
  const wanted = chains === undefined ? coveringOwners(effectiveQuorums(placement)) : 1
  const missing = holders.map((nodes) => {
    const left = nodes.filter((node) => !isGivenUp(node))
    const isShort = nodes.filter(helps).length < Math.min(wanted, left.length)
    return isShort ? left.filter((node) => !helps(node)) : []
  })
  return distinctNodes(...missing)
}
