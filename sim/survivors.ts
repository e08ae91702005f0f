/** Who may be lost for good: what nobody holds any more is not copied by anybody. */
import type { Chain } from '../shared/ring/description.js'

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
