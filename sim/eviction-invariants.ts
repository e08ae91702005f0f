/**
 * Who is taken out of the ring without having asked for it: only whom a majority of the others that
 * answer holds suspect or dead. One process that cannot reach another proves nothing.
 */
import type { Message } from '../shared/protocol/messages.js'
import {
  addressOf,
  type Member,
  type NodeId,
  type RingDescription,
} from '../shared/ring/description.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { OnBreach } from './change-invariants.js'
import { type Host, nodeOf } from './host.js'

/** Who answered the manager so recently surely is not down for it. */
const recentlyMicros = 1_500_000

export class EvictionInvariants {
  readonly #host: Host
  readonly #onBreach: OnBreach
  /** By the life of a node: who ever reported it. */
  readonly #reporters = new Map<Address, Set<NodeId>>()
  readonly #answeredAt = new Map<Address, number>()
  /** Nodes that said that they leave, or that a command takes out. */
  readonly #leaving = new Set<NodeId>()
  #evictions = 0
  #plan = 0

  constructor(host: Host, onBreach: OnBreach) {
    this.#host = host
    this.#onBreach = onBreach
    host.network.watchArrivals((from, to, message) => {
      if (to === 'manager') this.#told(from, message)
    })
    host.watchRings((ring) => this.#published(ring))
  }

  /** How many there were. */
  get evictions(): number {
    return this.#evictions
  }

  #told(from: Address, message: Message): void {
    const node = nodeOf(from)
    if (message.kind === 'gossip.ack') this.#answeredAt.set(from, this.#host.world.micros)
    if (message.kind === 'node.leave') this.#leaving.add(node)
    if (message.kind === 'change.submit') this.#leaving.add(message.node)
    if (message.kind !== 'health.report') return
    for (const rumor of message.suspects) {
      const life = addressOf({ id: rumor.node, incarnation: rumor.incarnation })
      this.#reporters.set(life, (this.#reporters.get(life) ?? new Set()).add(node))
    }
  }

  #published({ placement, change, members }: RingDescription): void {
    if (change === undefined || change.plan === this.#plan) return
    this.#plan = change.plan
    const next = new Set(change.next.nodes)
    const going = new Set(placement.nodes.filter((node) => !next.has(node)))
    if (going.size === 0) return
    for (const member of members) {
      const { id } = member
      if (!going.has(id) || this.#leaving.has(id)) continue
      this.#evictions++
      // Who only joins is not asked: it has no say before it is a member.
      const others = members.filter(
        (other) => next.has(other.id) && placement.nodes.includes(other.id),
      )
      this.#checkMajority(addressOf(member), others)
    }
  }

  #checkMajority(life: Address, others: readonly Member[]): void {
    const { micros } = this.#host.world
    const reporters = this.#reporters.get(life) ?? new Set()
    const isPresent = (other: Member) =>
      micros - (this.#answeredAt.get(addressOf(other)) ?? -recentlyMicros) < recentlyMicros
    const present = others.filter(isPresent).map(({ id }) => id)
    if (reporters.size * 2 > present.length || present.length === 0) return
    this.#onBreach(
      'an eviction needs a majority of those who answer',
      `${life} was reported by ${[...reporters]} of ${present}`,
    )
  }
}
