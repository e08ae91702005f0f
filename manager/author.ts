/**
 * Writes the rings: each is journaled whole, with everybody's latest life, and announced once it is
 * durable. One ring at a time is on its way to the journal.
 */
import type { Member, NodeId, RingDescription } from '../shared/ring/description.js'
import type { Log } from '../shared/runtime/runtime.js'
import type { Ledger } from './ledger.js'
import type { ManagerPhase } from './machine.js'
import type { Peers } from './peers.js'
import { distinctNodes } from './plan.js'
import type { NextRing } from './progress.js'
import type { Publisher } from './publisher.js'
import { isForming } from './state.js'

export interface AuthorOptions {
  readonly ledger: Ledger
  readonly publisher: Publisher
  readonly peers: Peers
  readonly phase: ManagerPhase
  readonly log: Log
}

export class RingAuthor {
  readonly #options: AuthorOptions
  readonly #member: (node: NodeId) => Member | undefined
  #isWriting = false

  /** `member`: the latest life of a node. */
  constructor(options: AuthorOptions, member: (node: NodeId) => Member | undefined) {
    this.#options = options
    this.#member = member
  }

  get isWriting(): boolean {
    return this.#isWriting
  }

  /** `evicted`: those that the change takes out; `announced` follows once everybody was told. */
  publish(next: NextRing, evicted: readonly NodeId[], announced: () => void): void {
    const { placement, change, chains } = next
    const { ledger, peers } = this.#options
    const { epoch, swarm, boot, ring: previous } = ledger.state
    const nodes = distinctNodes(placement.nodes, change?.next.nodes ?? [])
    const ring: RingDescription = {
      epoch: epoch + 1,
      swarm,
      boot,
      members: nodes.map((node) => this.#known(node)),
      placement,
      ...(change !== undefined && { change }),
      ...(chains !== undefined && { chains }),
    }
    const lives = nodes.flatMap((node) => peers.life(node) ?? [])
    const stores = Object.fromEntries(lives.map((life) => [life.member.id, life.store]))
    this.#isWriting = true
    ledger.commit({ step: 'ring.published', ring, stores, evicted: [...evicted] }, () => {
      this.#isWriting = false
      this.announce(ring, previous)
      announced()
    })
  }

  announce(ring: RingDescription, previous: RingDescription | undefined): void {
    const { ledger, phase, publisher, peers, log } = this.#options
    const { epoch, change, placement } = ring
    if (change === undefined) phase.send({ type: 'ring.settled', forming: isForming(placement) })
    else phase.send({ type: change.switching === true ? 'ring.switching' : 'ring.copying' })
    log.info({ epoch, copying: change?.plan ?? 0, members: ring.members.length }, 'ring published')
    publisher.announce(ring, previous)
    for (const { id } of previous?.members ?? []) {
      if (ledger.state.nodes[id] === undefined) peers.forget(id)
    }
  }

  /** Everything is lost: the next ring founds the swarm anew. */
  reset(done: () => void): void {
    const { ledger, phase, log } = this.#options
    log.warn({}, 'every process is gone, and with them the data: founding anew')
    this.#isWriting = true
    ledger.commit({ step: 'ring.reset' }, () => {
      this.#isWriting = false
      phase.send({ type: 'ring.settled', forming: true })
      done()
    })
  }

  /** Some member has a life that the ring does not name. */
  hasNewLife(ring: RingDescription): boolean {
    return ring.members.some((it) => this.#member(it.id)?.incarnation !== it.incarnation)
  }

  #known(node: NodeId): Member {
    const member = this.#member(node)
    if (member === undefined) {
      throw new Error(`a ring is to name ${node}, of which nothing is known`)
    }
    return member
  }
}
