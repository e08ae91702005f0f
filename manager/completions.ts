/**
 * Which gainers have everything that the plan under way gives them. Not journaled: a gainer tells it anew
 * to every manager, until a ring follows that is not in the middle of the plan.
 */
import type { Change, NodeId, Transfer } from '../shared/ring/description.js'

export class Completions {
  #plan = 0
  #nodes = new Set<NodeId>()

  /** False: it was known. */
  note(plan: number, node: NodeId): boolean {
    if (this.#plan !== plan) {
      this.#plan = plan
      this.#nodes = new Set()
    }
    if (this.#nodes.has(node)) return false
    this.#nodes.add(node)
    return true
  }

  /** What is still to be copied. */
  open({ plan, transfers }: Change): readonly Transfer[] {
    const isDone = ({ gainer }: Transfer) => this.#plan === plan && this.#nodes.has(gainer)
    return transfers.filter((transfer) => !isDone(transfer))
  }
}
