/**
 * How a node goes. Its clients are told of others as soon as it leaves; once it owns nothing any more it
 * lingers, forwarding what still comes, until what it has in flight and what it keeps for others is gone.
 */
import type { NodeId } from '../shared/ring/description.js'
import type { Ring } from '../shared/ring/ring.js'
import { leaveLingerMs } from '../shared/runtime/limits.js'
import type { RingFiles } from '../shared/runtime/ports.js'
import type { Address, Runtime } from '../shared/runtime/runtime.js'

export interface DepartureOptions {
  readonly self: NodeId
  readonly swarm: string
  readonly runtime: Runtime
  readonly ringFiles: RingFiles
  /** The one held; undefined before the first. */
  ring(): Ring | undefined
  /** Others still wait for something of this node. */
  isBusy(): boolean
  /** Nothing is left to do. */
  over(): void
}

export class Departure {
  private readonly options: DepartureOptions
  private readonly clients = new Set<Address>()

  constructor(options: DepartureOptions) {
    this.options = options
  }

  served(client: Address): void {
    this.clients.add(client)
  }

  closed(peer: Address): void {
    this.clients.delete(peer)
  }

  /** Clients go elsewhere before this node stops; what they have in flight is still answered. */
  moveClients(): void {
    const { ring: ringHeld, runtime } = this.options
    const ring = ringHeld()
    if (ring === undefined) return
    const placement = ring.description.change?.next ?? ring.description.placement
    const nodes = [...new Set(placement.nodes)]
      .map((node) => ring.address(node))
      .filter((address): address is Address => address !== undefined)
    for (const client of this.clients) runtime.send(client, { kind: 'forwarder.moved', nodes })
  }

  /** Requests have deadlines, and hints go to those who are there, so this ends. */
  linger(): void {
    const { runtime, isBusy, over } = this.options
    runtime.after(leaveLingerMs, 'left', () => {
      if (isBusy()) this.linger()
      else over()
    })
  }

  /**
   * The newest ring of this swarm names the node no more: where it still ran as a member, it was taken
   * out; otherwise it was away when that happened.
   */
  get isTakenOut(): boolean {
    const newest = this.options.ringFiles.newest()
    const isOurs = newest?.swarm === this.options.swarm
    return isOurs && !newest.members.some(({ id }) => id === this.options.self)
  }
}
