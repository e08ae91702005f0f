/**
 * What a node's work shares: the ring it holds, its store, its view of its peers, the requests in
 * flight, the fence. The node owns it; exchanges read it and never one another.
 */
import type { Merge } from '../shared/data/merge.js'
import type { Mode } from '../shared/data/mode.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Ring } from '../shared/ring/ring.js'
import type { InFlight } from '../shared/runtime/in-flight.js'
import type { DiskSpace, Engine } from '../shared/runtime/ports.js'
import type { Address, Log, Millis, Runtime } from '../shared/runtime/runtime.js'
import type { Budget } from './budget.js'
import type { Chain } from './chain/chain.js'
import type { Fence } from './fence.js'
import type { Operations } from './operations.js'
import type { Peers } from './peers.js'
import type { Request } from './request.js'
import type { OwnStats } from './stats.js'
import type { Throttle } from './throttle.js'

export interface Desk {
  readonly self: NodeId
  readonly runtime: Runtime
  readonly engine: Engine
  readonly disk: DiskSpace
  /** Hints count towards W. */
  readonly sloppy: boolean
  readonly mode: Mode
  /** How two records of a key become one, in this mode. */
  readonly merge: Merge
  readonly log: Log
  readonly operations: Operations
  readonly inFlight: InFlight<Exchange>
  readonly peers: Peers
  readonly fence: Fence
  /** Of what gets in flight have read. */
  readonly readBytes: Budget
  /** Of everything that this node pulls from others or pushes to them, for whichever reason. */
  readonly handoffRate: Throttle
  /** In mode `chain` alone. */
  readonly chain: Chain | undefined
  readonly ring: Ring
  /** The ring held names this life of the node: what it gives the node is this process's. */
  readonly isNamed: boolean
  /** Which node stands behind an address of the ring held; undefined for another life of it. */
  nodeAt(address: Address): NodeId | undefined
  /** Finds the request's way anew under the ring held now. */
  route(request: Request): void
  /** Adopts the newest ring published, if that is newer than the one held. */
  catchUp(): void
  /** What this node says of itself. */
  ownStats(done: (stats: OwnStats) => void): void
  /** A write or sync failed: the node stops serving. */
  storageFailed(error: Error): void
}

/** One request of this node to others, from its first message to its one outcome. */
export interface Exchange {
  received(from: Address, reply: Message): void
  /** What was asked of this peer may be lost. */
  closed(peer: Address): void
  /** The node holds another ring now. */
  ringChanged(): void
  /** Called every sweepIntervalMs: deadlines, and what has waited too long. */
  sweep(now: Millis): void
}
