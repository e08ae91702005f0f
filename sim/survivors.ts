/** Who may be lost for good: what nobody holds any more is not copied by anybody. */
import type { Chain } from '../shared/ring/description.js'
import type { Ownership, Ring } from '../shared/ring/ring.js'

/**
 * Enough old owners of every range remain without those that are gone: more than may lack a write; of
 * a chain one that holds everything.
 */
export function canBeCopied(ring: Ring, gone: readonly string[]): boolean {
  const hasSources = ({ owners, quorums: { n, w } }: Ownership) =>
    owners.filter((owner) => !gone.includes(owner)).length > n - w
  const hasHolder = (chain: Chain) => holdersOf(chain).some((member) => !gone.includes(member))
  return ring.arcs.every((arc) => {
    if (arc.chain !== undefined) return hasHolder(arc.chain)
    return hasSources(arc) && (arc.next === undefined || hasSources(arc.next))
  })
}

/** All who hold everything of some chain are gone, the node among them: one of them must come back. */
export function isNeeded(
  chains: readonly Chain[],
  node: string,
  isGone: (node: string) => boolean,
): boolean {
  return chains.some((chain) => {
    const holders = holdersOf(chain)
    return holders.includes(node) && holders.every(isGone)
  })
}

function holdersOf({ members, full }: Chain): readonly string[] {
  return members.slice(0, full)
}
