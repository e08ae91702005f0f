/**
 * The parts of a node that have messages and timers of their own beside the path of requests: failure
 * detection, hints, repair, and what stands in for the manager. The node hands each its messages (those
 * with an epoch only under the epoch held), tells all of them of rings and connections, and knows no
 * more of them.
 */
import type { Message, MessageKind, NodeStatsOk } from '../shared/protocol/messages.js'
import type { Entry } from '../shared/runtime/ports.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { Chain } from './chain/chain.js'
import type { Desk } from './desk.js'
import { Gossip } from './gossip/gossip.js'
import { PushReceiver } from './handoff-push.js'
import { Hints } from './hints/hints.js'
import type { StorageNodeOptions } from './node.js'
import { Collector } from './repair/collector.js'
import { Pace } from './repair/pace.js'
import { Repair } from './repair/repair.js'
import { StandIn } from './stand-in/stand-in.js'

export interface Department {
  /** The messages it takes; replies come through `inFlight` instead. */
  readonly takes: readonly MessageKind[]
  start(): void
  stop(): void
  received(from: Address, message: Message): void
  opened(peer: Address): void
  closed(peer: Address): void
  /** The node holds another ring now. */
  ringChanged(): void
  /** A node that left waits for this to become false. */
  readonly isBusy: boolean
  /** What it adds to `node.stats.ok`. */
  readonly stats: Partial<Pick<NodeStatsOk, 'hints' | 'repair'>>
}

/** Who takes which messages. */
export function takersOf(departments: readonly Department[]): ReadonlyMap<MessageKind, Department> {
  return new Map(departments.flatMap((each) => each.takes.map((kind) => [kind, each] as const)))
}

/** A chain needs no hints, and nothing that compares copies. */
export function openDepartments(
  desk: Desk,
  options: StorageNodeOptions,
  chain: Chain | undefined,
): readonly Department[] {
  const gossip = new Gossip(desk, options.member)
  const standIn = new StandIn(desk, options)
  if (chain !== undefined) return [gossip, standIn, chain]
  const pace = new Pace(desk.runtime, desk.handoffRate)
  const collector = new Collector({ desk, hints: options.hints, pace })
  const isLeftOut = (entry: Entry) => collector.isLeftOut(entry)
  const repair = new Repair({ desk, pace, isLeftOut }, options.returning)
  const hints = new Hints(desk, options)
  return [gossip, standIn, hints, new PushReceiver(desk), repair, collector]
}
