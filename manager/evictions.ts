/**
 * Who is to be taken out of the ring because it has been down for too long.
 *
 * The manager's own failed probe is not enough: a majority of the other members that are up must doubt
 * the node too, or a cut between the two alone would cost the swarm a copy. And however many are down,
 * at most a third goes at once, and never so many that fewer than N remain: a fault that takes half of
 * the nodes is more likely one of the host, which ends by itself, than the death of so many.
 */
import type { Member, NodeId, RingDescription } from '../shared/ring/description.js'
import { compareNodes } from '../shared/ring/ring.js'
import type { Millis } from '../shared/runtime/runtime.js'
import type { Health } from './health.js'
import { distinctNodes } from './plan.js'

/** What becomes of a member that is down. */
export interface Verdict {
  readonly node: NodeId
  readonly verdict:
    | 'due'
    | 'waits'
    | 'others reach it'
    | 'too few would be left'
    | 'one of too many'
  /** For `waits`: how long it may still come back. */
  readonly leftMs: Millis
}

export interface EvictionOptions {
  readonly health: Health
  readonly evictAfterMs: Millis
  readonly member: (node: NodeId) => Member | undefined
  /** It leaves anyway, because a command or the loss of its store asks for it. */
  readonly isCommanded: (node: NodeId) => boolean
}

export class Evictions {
  readonly #options: EvictionOptions

  constructor(options: EvictionOptions) {
    this.#options = options
  }

  /** Of the members of the placement that are down, those down longest first. */
  verdicts(ring: RingDescription): Verdict[] {
    const { health, evictAfterMs, isCommanded, member } = this.#options
    const nodes = distinctNodes(ring.placement.nodes)
    const commanded = nodes.filter(isCommanded).length
    const spare = nodes.length - commanded - ring.placement.replicas
    let free = Math.min(Math.max(1, Math.floor(nodes.length / 3)), spare)
    const lives = nodes.flatMap((node) => member(node) ?? [])
    const up = lives.filter((life) => health.down(life) === '')
    const down = lives.filter((life) => health.down(life) !== '' && !isCommanded(life.id))
    down.sort((a, b) => health.downFor(b) - health.downFor(a) || compareNodes(a.id, b.id))
    return down.map((life) => {
      const { id: node } = life
      const leftMs = Math.max(0, evictAfterMs - health.downFor(life))
      if (spare <= 0) return { node, verdict: 'too few would be left', leftMs }
      if (leftMs > 0) return { node, verdict: 'waits', leftMs }
      const doubting = up.filter((other) => health.doubts(other, life)).length
      if (doubting * 2 <= up.length) return { node, verdict: 'others reach it', leftMs }
      return { node, verdict: free-- > 0 ? 'due' : 'one of too many', leftMs }
    })
  }

  due(ring: RingDescription): NodeId[] {
    return this.verdicts(ring).flatMap(({ node, verdict }) => (verdict === 'due' ? [node] : []))
  }
}
