/**
 * Which peers are worth asking first. A closed connection makes a peer unreachable until it connects
 * again or a moment has passed: this only orders attempts and spares doomed ones; no answer ever
 * rests on it.
 */
import { peerRetryMs } from '../shared/runtime/limits.js'
import type { Address, Millis, Runtime } from '../shared/runtime/runtime.js'

export class Peers {
  private readonly runtime: Runtime
  private readonly closedAt = new Map<Address, Millis>()

  constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  opened(peer: Address): void {
    this.closedAt.delete(peer)
  }

  closed(peer: Address): void {
    this.closedAt.set(peer, this.runtime.now())
  }

  isReachable(peer: Address | undefined): peer is Address {
    if (peer === undefined) return false
    if (this.closedAt.size === 0) return true
    const closedAt = this.closedAt.get(peer)
    if (closedAt === undefined) return true
    if (this.runtime.now() - closedAt < peerRetryMs) return false
    this.closedAt.delete(peer)
    return true
  }

  /** Forgets the lives of nodes that are no longer in the ring. */
  keepOnly(current: ReadonlySet<Address>): void {
    for (const peer of this.closedAt.keys()) {
      if (!current.has(peer)) this.closedAt.delete(peer)
    }
  }
}
