/**
 * The news that travels with pings and acknowledgements. Each rumor is passed on a bounded number of
 * times, about three times the logarithm of the number of members, which is enough to reach all of them with
 * high probability; the youngest go first (Das, Gupta, Motivala, "SWIM", DSN 2002, sections 3.2 and 4.1).
 * A newer rumor about a node takes the place of an older one.
 */
import type { Rumor } from '../../shared/protocol/messages.js'
import type { NodeId } from '../../shared/ring/description.js'
import { gossipRumorsMax } from '../../shared/runtime/limits.js'

/** How often one process repeats a rumor, for each doubling of the members. */
const repeatsFactor = 3

export class Rumors {
  private readonly waiting = new Map<NodeId, { readonly rumor: Rumor; told: number }>()

  add(rumor: Rumor): void {
    this.waiting.delete(rumor.node)
    this.waiting.set(rumor.node, { rumor, told: 0 })
  }

  forget(node: NodeId): void {
    this.waiting.delete(node)
  }

  /**
   * Those that go with a message in a swarm of so many members, `first` (what its receiver must
   * know) before the others.
   */
  take(members: number, first: readonly Rumor[]): readonly Rumor[] {
    if (this.waiting.size === 0) return first
    const repeatsMax = repeatsFactor * Math.ceil(Math.log2(members + 1))
    const taken = [...first]
    const youngest = [...this.waiting.values()].sort((a, b) => a.told - b.told)
    for (const waiting of youngest) {
      const { rumor } = waiting
      if (taken.length >= gossipRumorsMax) break
      if (first.some(({ node }) => node === rumor.node)) continue
      taken.push(rumor)
      waiting.told++
      if (waiting.told >= repeatsMax) this.waiting.delete(rumor.node)
    }
    return taken
  }

  keepOnly(isWanted: (rumor: Rumor) => boolean): void {
    for (const [node, { rumor }] of this.waiting) {
      if (!isWanted(rumor)) this.waiting.delete(node)
    }
  }
}
