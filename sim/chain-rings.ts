/**
 * Does a ring's chain follow from the one before? Who holds everything held everything before, or was
 * copied to and has switched; survivors keep their order and joiners stand behind them; whoever reads
 * holds at least what the reader before had shown.
 */
import type { Chain, NodeId } from '../shared/ring/description.js'
import type { Ring } from '../shared/ring/ring.js'

/** What is wrong, in words; undefined if nothing is. */
export function chainsFollow(before: Ring, after: Ring): string | undefined {
  const ends = new Set([...before.arcs.map(({ to }) => to), ...after.arcs.map(({ to }) => to)])
  for (const token of ends) {
    const old = before.arcOf(token).chain
    const next = after.arcOf(token).chain
    if (old === undefined || next === undefined) return `up to ${token}: there is no chain`
    const problem = problemOf(old, next)
    if (problem === undefined) continue
    return (
      `up to ${token}: ${problem}: epoch ${before.epoch} has ${describe(old)}, ` +
      `epoch ${after.epoch} ${describe(next)}`
    )
  }
  return undefined
}

function problemOf(old: Chain, next: Chain): string | undefined {
  const { members, full, reader } = next
  if (new Set(members).size !== members.length) return 'a member stands twice in the chain'
  const isFounded = old.members.length > 0
  if (!isFounded) return undefined
  if (full === 0) return 'nobody holds the arc'
  if (!members.includes(reader as NodeId)) return 'the reader is no member'
  const holders = fullOf(old)
  const switched = hasSwitched(old) ? old.members.slice(old.full) : []
  const unfounded = fullOf(next).filter(
    (node) => !holders.includes(node) && !switched.includes(node),
  )
  if (unfounded.length > 0) return `${unfounded} hold everything without a copy`
  const order = members.filter((node) => old.members.includes(node))
  const oldOrder = old.members.filter((node) => members.includes(node))
  if (order.join() !== oldOrder.join()) return 'the survivors changed their order'
  return undefined
}

function hasSwitched({ members, full, reader }: Chain): boolean {
  return members.indexOf(reader as NodeId) >= full
}

function fullOf({ members, full }: Chain): readonly NodeId[] {
  return members.slice(0, full)
}

/** `[n1 n2 | n3], n2 reads`: who is being copied to stands behind the bar. */
function describe(chain: Chain): string {
  const joiners = chain.members.slice(chain.full)
  const behind = joiners.length === 0 ? '' : ` | ${joiners.join(' ')}`
  return `[${fullOf(chain).join(' ')}${behind}], ${chain.reader} reads`
}
