/**
 * Whom to ping next: every other member once in random order, then all again in another order. So
 * each is pinged within twice as many periods as there are members, whatever chance says (SWIM,
 * section 4.3).
 */
import type { NodeId } from '../../shared/ring/description.js'

export class Rotation {
  private members: readonly NodeId[] = []
  private round: NodeId[] = []

  follow(members: readonly NodeId[], random: () => number): void {
    const before = this.members
    this.members = members
    this.round = this.round.filter((node) => members.includes(node))
    for (const node of members) {
      if (before.includes(node)) continue
      this.round.splice(Math.floor(random() * (this.round.length + 1)), 0, node)
    }
  }

  /** The next of those that are wanted; undefined where there is none. */
  next(random: () => number, isWanted: (node: NodeId) => boolean): NodeId | undefined {
    for (let i = this.round.length; i > 0; i--) {
      const node = this.round.pop()
      if (node !== undefined && isWanted(node)) return node
    }
    this.round = shuffled(this.members.filter(isWanted), random)
    return this.round.pop()
  }
}

/** A new list in random order (Fisher and Yates). */
export function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const mixed = [...list]
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const swapped = mixed[i] as T
    mixed[i] = mixed[j] as T
    mixed[j] = swapped
  }
  return mixed
}
