/**
 * Who is to be taken out of the ring because it has been down for too long.
 *
 * The manager's own failed probe is not enough: a majority of the other members that are up must doubt
 * the node too, or a cut between the two alone would cost the swarm a copy. And however many are down,
 * at most a third goes at once, and never so many that fewer than N remain: a fault that takes half of
 * the nodes is more likely one of the host, which ends by itself, than the death of so many.
 *
 * A third may be unable to go alone, since what it held would be copied to others that are just as dead.
 * Then those go with it that have been down for as long again: by then the fault did not end by itself,
 * and nothing else would ever mend the swarm. Nodes that wait to join may wait for the same dead, since
 * they, too, would move data to them: then one change does both, and who comes makes room for who goes.
 *
 * Whose data is needed (needs.ts) is never due, however long it is down and however many others there
 * are: its eviction could not be done. It is waited for, and started again (supervision.ts); not in
 * memory, where its data is gone.
 */
import type { Durability } from '../shared/protocol/messages.js'
import type { MembershipDelta } from '../shared/ring/claim.js'
import type { Member, NodeId, RingDescription } from '../shared/ring/description.js'
import { compareNodes } from '../shared/ring/ring.js'
import type { Millis } from '../shared/runtime/runtime.js'
import type { Health } from './health.js'
import { neededNodes } from './needs.js'
import { distinctNodes, nodesOf, type Plan, remembered } from './plan.js'
import type { Wishes } from './wishes.js'

/** What becomes of a member that is down. */
export interface Verdict {
  readonly node: NodeId
  readonly verdict:
    | 'due'
    | 'waits'
    /** Its data is: it is to be started again. */
    | 'needed'
    | 'others reach it'
    | 'too few would be left'
    | 'one of too many'
  /** For `waits` and `needed`: how long it may still come back by itself. */
  readonly leftMs: Millis
}

export interface EvictionOptions {
  readonly health: Health
  readonly evictAfterMs: Millis
  readonly durability: Durability
  readonly member: (node: NodeId) => Member | undefined
  /** Who leaves anyway, for a command or since its store was lost, and who waits to join. */
  readonly wishes: Pick<Wishes, 'isCommanded' | 'isGivenUp' | 'arrivals'>
  /** Data can be copied from it and to it. */
  readonly helps: (node: NodeId) => boolean
  readonly plan: (ring: RingDescription, delta: MembershipDelta) => Plan
}

/** Beyond a third goes only who has been down for so many times the usual. */
const patience = 2

export class Evictions {
  readonly #options: EvictionOptions

  constructor(options: EvictionOptions) {
    this.#options = options
  }

  /** So many more than those that leave anyway can go without anybody who comes. */
  spare({ placement }: RingDescription): number {
    const { wishes } = this.#options
    const staying = nodesOf(placement).filter((node) => !wishes.isCommanded(node))
    return staying.length - placement.replicas
  }

  /** Of the members of the placement that are down, those down longest first. */
  verdicts(ring: RingDescription): Verdict[] {
    const { health, evictAfterMs, wishes, helps, member } = this.#options
    const nodes = nodesOf(ring.placement)
    const joiners = wishes.arrivals(helps)
    const room = this.spare(ring) + joiners.length
    const lives = nodes.flatMap((node) => member(node) ?? [])
    const up = lives.filter((life) => health.down(life) === '')
    const down = lives.filter((life) => health.down(life) !== '' && !wishes.isCommanded(life.id))
    down.sort((a, b) => health.downFor(b) - health.downFor(a) || compareNodes(a.id, b.id))
    const isDoubted = (life: Member) =>
      up.filter((other) => health.doubts(other, life)).length * 2 > up.length
    const needed = down.length === 0 ? [] : this.#needed(ring)
    const overdue = down.filter((life) => {
      const isLong = health.downFor(life) >= evictAfterMs
      return isLong && isDoubted(life) && !needed.includes(life.id)
    })
    // Its process lives, and those that are up get answers from it.
    const isReached = (life: Member) =>
      health.down(life) !== 'exited' && up.length > 0 && !isDoubted(life)
    const due = room > 0 ? this.#first(ring, overdue, nodes.length / 3, joiners) : []
    return down.map((life) => {
      const { id: node } = life
      const leftMs = Math.max(0, evictAfterMs - health.downFor(life))
      const isMissed = needed.includes(node) && (leftMs > 0 || !isReached(life))
      if (isMissed) return { node, verdict: 'needed', leftMs }
      if (room <= 0) return { node, verdict: 'too few would be left', leftMs }
      if (leftMs > 0) return { node, verdict: 'waits', leftMs }
      if (!isDoubted(life)) return { node, verdict: 'others reach it', leftMs }
      if (due.includes(life)) return { node, verdict: 'due', leftMs }
      const isRoom = due.length < room
      return { node, verdict: isRoom ? 'one of too many' : 'too few would be left', leftMs }
    })
  }

  #needed(ring: RingDescription): readonly NodeId[] {
    const { durability, helps, wishes } = this.#options
    if (durability === 'memory') return []
    const isGivenUp = (node: NodeId) => wishes.isGivenUp(node)
    return neededNodes(ring, { helps: remembered(helps), isGivenUp })
  }

  /** A third, and as many more as it takes, and as there are, where these cannot go alone. */
  #first(
    ring: RingDescription,
    overdue: readonly Member[],
    third: number,
    joiners: readonly NodeId[],
  ): readonly Member[] {
    const { health, evictAfterMs } = this.#options
    const isLong = (life: Member) => health.downFor(life) >= patience * evictAfterMs
    const most = Math.min(overdue.length, this.spare(ring) + joiners.length)
    let count = Math.min(Math.max(1, Math.floor(third)), most)
    const isNextLong = () => count < most && overdue.slice(0, count + 1).every(isLong)
    while (isNextLong() && this.#isStuck(ring, overdue.slice(0, count), joiners)) count++
    return overdue.slice(0, count)
  }

  /**
   * Who is down would have to be given data, also where the joiners come in the same change. All that
   * go without their help go together.
   */
  #isStuck(ring: RingDescription, evicted: readonly Member[], joiners: readonly NodeId[]): boolean {
    const { wishes, helps, plan } = this.#options
    const ids = evicted.map(({ id }) => id)
    const commanded = ring.placement.nodes.filter(
      (node) => wishes.isCommanded(node) && !helps(node),
    )
    const leave = distinctNodes(ids, commanded)
    const isStuckWith = (join: readonly NodeId[]) => {
      const planned = plan(ring, { join, leave, replace: [] })
      return 'blocked' in planned && !planned.starved
    }
    if (evicted.length <= this.spare(ring) && !isStuckWith([])) return false
    return joiners.length === 0 || isStuckWith(joiners)
  }
}
