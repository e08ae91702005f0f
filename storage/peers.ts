/**
 * Which peers are worth asking first. A peer is asked last while its connection is closed, while it
 * owes an answer, and while it is suspected or dead (the failure detector's word). This only orders
 * attempts and spares doomed ones; no answer ever rests on it.
 *
 * A late peer may well be a slow one that answers pings at once: it is asked last for a fixed while,
 * so that not every request waits for it, and tried again then.
 */
import type { Health } from '../shared/protocol/messages.js'
import { peerLateMs, peerRetryMs } from '../shared/runtime/limits.js'
import type { Address, Millis, Runtime } from '../shared/runtime/runtime.js'

interface Doubt {
  health: Health
  closedAt: Millis
  lateAt: Millis
}

const never = Number.NEGATIVE_INFINITY

export class Peers {
  /** Told of each late peer: the failure detector looks after it. */
  onLate: (peer: Address) => void = () => {}
  private readonly runtime: Runtime
  /** Peers with nothing against them are not in it. */
  private readonly doubts = new Map<Address, Doubt>()
  private readonly answered = new Map<Address, Millis>()

  constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  opened(peer: Address): void {
    const doubt = this.doubts.get(peer)
    if (doubt === undefined) return
    doubt.closedAt = never
    this.settle(peer, doubt)
  }

  closed(peer: Address): void {
    this.doubt(peer).closedAt = this.runtime.now()
  }

  /** It owes an answer, and has given none to anything, for so long that others were asked instead. */
  late(peer: Address): void {
    this.doubt(peer).lateAt = this.runtime.now()
    this.onLate(peer)
  }

  /** It answered a request that was forwarded to it. */
  heard(peer: Address): void {
    this.answered.set(peer, this.runtime.now())
    const doubt = this.doubts.get(peer)
    if (doubt === undefined) return
    doubt.lateAt = never
    this.settle(peer, doubt)
  }

  /** When it last answered a forwarded request. */
  heardAt(peer: Address): Millis {
    return this.answered.get(peer) ?? never
  }

  /** What the failure detector holds of it; alive ends every doubt. */
  judge(peer: Address, health: Health): void {
    if (health === 'alive') this.doubts.delete(peer)
    else this.doubt(peer).health = health
  }

  /** Worth asking first. */
  isReachable(peer: Address | undefined): peer is Address {
    if (peer === undefined) return false
    return this.doubtOf(peer) === undefined
  }

  /** Worth asking at all: a late or suspected peer is, one that is dead or just hung up is not. */
  mayAnswer(peer: Address | undefined): peer is Address {
    if (peer === undefined) return false
    const doubt = this.doubtOf(peer)
    return doubt === undefined || (doubt.health !== 'dead' && doubt.closedAt === never)
  }

  /** Forgets the lives of nodes that are no longer in the ring. */
  keepOnly(current: ReadonlySet<Address>): void {
    for (const peer of this.doubts.keys()) {
      if (!current.has(peer)) this.doubts.delete(peer)
    }
    for (const peer of this.answered.keys()) {
      if (!current.has(peer)) this.answered.delete(peer)
    }
  }

  private doubt(peer: Address): Doubt {
    let doubt = this.doubts.get(peer)
    if (doubt === undefined) {
      doubt = { health: 'alive', closedAt: never, lateAt: never }
      this.doubts.set(peer, doubt)
    }
    return doubt
  }

  /** What still stands against it. */
  private doubtOf(peer: Address): Doubt | undefined {
    if (this.doubts.size === 0) return undefined
    const doubt = this.doubts.get(peer)
    if (doubt === undefined) return undefined
    const now = this.runtime.now()
    if (now - doubt.closedAt >= peerRetryMs) doubt.closedAt = never
    if (now - doubt.lateAt >= peerLateMs) doubt.lateAt = never
    return this.settle(peer, doubt)
  }

  /** Drops a doubt that nothing is left of. */
  private settle(peer: Address, doubt: Doubt): Doubt | undefined {
    const { health, closedAt, lateAt } = doubt
    if (health !== 'alive' || closedAt !== never || lateAt !== never) return doubt
    this.doubts.delete(peer)
    return undefined
  }
}
