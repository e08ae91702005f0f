/**
 * How a change under way goes on: from the ring as it is journaled, and who is up, to the next ring.
 *
 * Pure, so that a restarted manager goes on where the one before was killed.
 */
import type {
  Chain,
  Change,
  NodeId,
  Placement,
  RingDescription,
  Transfer,
} from '../shared/ring/description.js'
import { gainersOf, obstacle } from './plan.js'

/** What the next ring is made of. */
export interface NextRing {
  readonly placement: Placement
  readonly change?: Change
  /** In chain mode. */
  readonly chains?: readonly Chain[] | undefined
}

export interface Progress extends NextRing {
  /** What the machine is told before the ring is journaled. */
  readonly event?: 'change.copied' | 'change.switched' | 'change.aborted'
  /** Why, where somebody is down. */
  readonly reason?: string
}

/** What the ring does not say. */
export interface Facts {
  /** Why the change must be given up, where its processes do not show it. */
  readonly giveUp: string | undefined
  /** What is still to be copied. */
  readonly open: (change: Change) => readonly Transfer[]
  /** Data can be copied from it and to it. */
  readonly helps: (node: NodeId) => boolean
  /** Why what was copied to this gainer is lost. */
  readonly lossOf: (gainer: NodeId) => string | undefined
  /** The ring must be published anew, as it is: with new lives, or above an epoch that was heard of. */
  readonly isOutdated: boolean
  readonly hasNewLife: boolean
}

/** The next ring after one with a change; undefined while there is something to wait for. */
export function nextRing(
  { placement, change }: RingDescription,
  facts: Facts,
): Progress | undefined {
  if (change === undefined) return undefined
  const { giveUp, helps, lossOf, isOutdated, hasNewLife } = facts
  const open = facts.open(change)
  const losses = gainersOf(change).map(lossOf)
  const reason =
    giveUp ?? obstacle(open, helps)?.blocked ?? losses.find((loss) => loss !== undefined)
  // What a command asked for is planned anew, also once a joiner that died is started again.
  if (reason !== undefined) return { placement, event: 'change.aborted', reason }
  if (isOutdated) return { placement, change }
  // Who came back and is to leave is named once more, so that it sees itself leave.
  if (open.length > 0 || hasNewLife) return undefined
  return { placement: change.next, event: 'change.copied' }
}
