/**
 * Which nodes have said that they are through: gainers with a plan, readers with the marks of a ring. Of
 * the latest number alone, since those before it are over. Not journaled: they say it anew to every
 * manager.
 */
import type { NodeId } from '../shared/ring/description.js'

export class Said {
  #number = 0
  #nodes = new Set<NodeId>()

  /** `number`: of the plan, or the epoch. False: it was known. */
  note(number: number, node: NodeId): boolean {
    if (this.#number !== number) {
      this.#number = number
      this.#nodes = new Set()
    }
    if (this.#nodes.has(node)) return false
    this.#nodes.add(node)
    return true
  }

  has(number: number, node: NodeId): boolean {
    return this.#number === number && this.#nodes.has(node)
  }
}
