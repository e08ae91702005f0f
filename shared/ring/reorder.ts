/**
 * Where shifted boundaries do not suffice, the order of the vnodes is at fault: a node whose vnodes
 * stand close together keeps few copies, one whose vnodes stand evenly apart keeps many. Then vnodes
 * change hands, one at a time, each time the one that helps most: the fullest node gives one away, the
 * emptiest gets one, or two neighbours swap.
 */
import type { Layout } from './layout.js'
import type { Budget } from './relax.js'

/** Each of these moves a vnode's copies, so the budget seldom allows more. */
const movesMax = 8

/** The vnodes at two indices change owners; both are the same where one is given away. */
interface Move {
  readonly first: number
  readonly firstOwner: number
  readonly second: number
  readonly secondOwner: number
}

/** `budget` tells what the change may still move with a layout; below nothing a move is taken back. */
export function reorder(layout: Layout, budget: (planned: Layout) => Budget): void {
  for (let moves = 0; moves < movesMax; moves++) {
    const best = bestMove(layout)
    if (best === undefined) return
    const undo = apply(layout, best)
    const { primary, copies } = budget(layout)
    if (primary < 0 || copies < 0) {
      undo()
      return
    }
  }
}

function bestMove(layout: Layout): Move | undefined {
  let bestPenalty = layout.penalty()
  let best: Move | undefined
  for (const move of candidates(layout)) {
    const undo = apply(layout, move)
    const penalty = layout.penalty()
    undo()
    if (penalty < bestPenalty) {
      best = move
      bestPenalty = penalty
    }
  }
  return best
}

/** As of the last measure of the layout. */
function candidates(layout: Layout): Move[] {
  const { owners } = layout
  const nodes = [...layout.primary.keys()]
  const byLoad = nodes.sort((a, b) => layout.load(b) - layout.load(a) || a - b)
  const fullest = byLoad[0] as number
  const emptiest = byLoad.at(-1) as number
  const moves: Move[] = []
  owners.forEach((owner, index) => {
    const receivers = owner === fullest ? nodes : [emptiest]
    for (const node of layout.vnodesOf(owner) > 1 ? receivers : []) {
      if (node !== owner)
        moves.push({ first: index, firstOwner: node, second: index, secondOwner: node })
    }
    const second = (index + 1) % owners.length
    const neighbour = owners[second] as number
    if (neighbour !== owner)
      moves.push({ first: index, firstOwner: neighbour, second, secondOwner: owner })
  })
  return moves
}

/** Returns what takes it back. */
function apply({ owners }: Layout, { first, firstOwner, second, secondOwner }: Move): () => void {
  const before = [owners[first] as number, owners[second] as number] as const
  owners[first] = firstOwner
  owners[second] = secondOwner
  return () => {
    owners[first] = before[0]
    owners[second] = before[1]
  }
}
