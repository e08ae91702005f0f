/**
 * Who is to join and who is to leave, put together from what commands asked for (journaled tickets),
 * what the processes want, and which stores were lost.
 */
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import { type Candidate, ChangeQueue, type Intent } from './changes.js'
import type { Ledger } from './ledger.js'
import { nodesOf } from './plan.js'
import type { Ticket } from './state.js'

export class Wishes {
  readonly queue = new ChangeQueue()
  readonly #ledger: Ledger
  readonly #isAlive: (node: NodeId) => boolean

  constructor(ledger: Ledger, isAlive: (node: NodeId) => boolean) {
    this.#ledger = ledger
    this.#isAlive = isAlive
  }

  isMember(node: NodeId): boolean {
    return this.#ledger.state.ring?.placement.nodes.includes(node) === true
  }

  /** Somebody else than the node's own process wants it to leave. */
  isCommanded(node: NodeId): boolean {
    const ticket = this.#open.some((it) => it.node === node)
    return ticket || this.#ledger.state.nodes[node]?.lost === true
  }

  /** A command takes it out without its help. */
  isForced(node: NodeId): boolean {
    return this.#open.some((it) => it.node === node && it.force)
  }

  /** A command gives up what only this node may hold. */
  isGivenUp(node: NodeId): boolean {
    return this.#open.some((it) => it.node === node && it.acceptLoss)
  }

  /** Those that go without their help. */
  get forced(): NodeId[] {
    return this.#open.flatMap(({ node, force }) => (force && node !== '' ? [node] : []))
  }

  /** The member that this joining node replaces. */
  replaced(fresh: NodeId): NodeId | undefined {
    const node = this.#open.find((it) => it.fresh === fresh)?.node ?? ''
    return node !== '' && this.isMember(node) ? node : undefined
  }

  /** Those that join without taking the place of a member. */
  arrivals(helps: (node: NodeId) => boolean): NodeId[] {
    const replaced = (fresh: NodeId) => this.replaced(fresh)
    return this.queue.arrivals({ replaced, helps }).map(({ node }) => node)
  }

  /** What may be planned next; `spare`: so many evictions leave enough members. */
  candidates(helps: (node: NodeId) => boolean, spare: number): Candidate[] {
    return this.queue.candidates({ replaced: (fresh) => this.replaced(fresh), helps }, spare)
  }

  /**
   * Puts in what is wanted by now, and takes out what is done or wanted no more; `due` are the members
   * to evict.
   */
  refresh(ring: RingDescription | undefined, due: readonly NodeId[]): void {
    for (const { change, node } of this.#open) {
      if (change === 'remove') this.queue.leave(node, 'command')
    }
    for (const node of ring === undefined ? [] : nodesOf(ring.placement)) {
      if (this.#ledger.state.nodes[node]?.lost === true) this.queue.leave(node, 'command')
    }
    for (const node of due) this.queue.leave(node, 'eviction')
    this.queue.evictOnly(due)
    this.queue.retain((intent) => this.#isWanted(intent))
  }

  /** Ends what commands asked for, otherwise than by a ring that shows it. */
  giveUp(which: (ticket: Ticket) => boolean, reason: string): void {
    for (const it of this.#open) {
      if (!which(it)) continue
      const { ticket } = it
      this.#ledger.commit({ step: 'change.ended', ticket, outcome: 'aborted', reason })
    }
  }

  get #open(): readonly Ticket[] {
    return this.#ledger.state.tickets.filter((ticket) => ticket.outcome === 'open')
  }

  #isWanted(intent: Intent): boolean {
    const { node } = intent
    if (intent.kind === 'join') return !this.isMember(node) && this.#isAlive(node)
    return this.isMember(node) && (intent.origin !== 'process' || this.#isAlive(node))
  }
}
