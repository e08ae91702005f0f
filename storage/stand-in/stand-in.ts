/**
 * What a node does in the manager's place: it registers clients, with ids that the manager granted
 * beforehand, and answers `status` as far as a node can know it. Nobody has to find out first whether
 * the manager is really down: two answers of this kind never contradict one another.
 */
import type { ErrorCode } from '../../shared/protocol/errors.js'
import type { Message, MessageOf } from '../../shared/protocol/messages.js'
import { addressOf, type Member } from '../../shared/ring/description.js'
import type { Ring } from '../../shared/ring/ring.js'
import type { Address } from '../../shared/runtime/runtime.js'
import type { Department } from '../department.js'
import type { Desk } from '../desk.js'
import type { StorageNodeOptions } from '../node.js'
import { ClientIds } from './client-ids.js'
import { statusReport } from './report.js'
import { type Answers, StatsRound } from './stats-round.js'

export class StandIn implements Department {
  readonly takes = ['client.register', 'clients.grant.ok', 'swarm.status', 'node.stats.ok'] as const
  readonly isBusy = false
  readonly stats = {}
  private readonly desk: Desk
  private readonly options: StorageNodeOptions
  private readonly ids: ClientIds
  /** Undefined before the first. */
  private ring: Ring | undefined
  /** Counts registrations: clients get their forwarders in turn. */
  private turn = 0
  /** Those who wait for the round under way. */
  private asking: { readonly from: Address; readonly id: number }[] = []

  constructor(desk: Desk, options: StorageNodeOptions) {
    this.desk = desk
    this.options = options
    this.ids = new ClientIds(desk.runtime)
  }

  start(): void {}

  stop(): void {
    this.ids.stop()
  }

  opened(): void {}

  closed(): void {}

  /** A node that is no longer in the ring needs no more ids. */
  ringChanged(): void {
    this.ring = this.desk.ring
    if (this.ring.member(this.desk.self) === undefined) this.ids.stop()
    else this.ids.askIfLow()
  }

  received(from: Address, message: Message): void {
    switch (message.kind) {
      case 'client.register':
        return this.register(from, message)
      case 'clients.grant.ok':
        if (from === 'manager') this.ids.granted(message)
        return
      case 'swarm.status':
        return this.status(from, message.id)
      default:
        if ('id' in message) this.desk.inFlight.get(message.id)?.received(from, message)
    }
  }

  private register(from: Address, { id, client }: MessageOf<'client.register'>): void {
    const { ring } = this
    if (ring === undefined) return this.refuse(from, id, 'FORMING', 'it holds no ring yet')
    const known = client > 0 ? client : this.ids.next()
    if (known === undefined) {
      const reason = 'the manager, which is needed for more, granted it no further client ids'
      return this.refuse(from, id, 'OVERLOADED', reason)
    }
    const { boot, valueBytesMax, mode } = this.options
    this.desk.runtime.send(from, {
      kind: 'client.register.ok',
      id,
      client: known,
      boot,
      nodes: this.forwarders(ring),
      valueBytesMax,
      replicas: ring.description.placement.replicas,
      mode,
    })
  }

  /** The nodes that stay and can be reached, another one first each time. */
  private forwarders(ring: Ring): Address[] {
    const next = ring.description.change?.next.nodes
    const staying = ring.nodes.filter((node) => next?.includes(node) ?? true)
    const members = staying.map((node) => ring.member(node)).filter((it) => it !== undefined)
    const up = members.filter((it) => this.isSelf(it) || (this.isAlive(it) && this.isReachable(it)))
    const first = this.turn++ % Math.max(1, up.length)
    return [...up.slice(first), ...up.slice(0, first)].map(addressOf)
  }

  /** Whoever asks while a round is on its way shares it. */
  private status(from: Address, id: number): void {
    const { ring, desk } = this
    if (ring === undefined) return this.refuse(from, id, 'FORMING', 'it holds no ring yet')
    this.asking.push({ from, id })
    if (this.asking.length > 1) return
    const { members } = ring.description
    const others = members.filter((member) => !this.isSelf(member) && this.isAlive(member))
    const round = new StatsRound(desk, (answers) => this.tell(answers))
    round.begin(addressOf(this.options.member), others.map(addressOf))
  }

  private tell(answers: Answers): void {
    const { swarmName, durability, mode, runDirectory } = this.options
    const status = statusReport({
      swarmName,
      durability,
      mode,
      runDirectory,
      self: this.desk.self,
      ring: this.desk.ring,
      answers,
      isAlive: (member) => this.isAlive(member),
      mayAnswer: (member) => this.desk.peers.mayAnswer(addressOf(member)),
    })
    const asking = this.asking
    this.asking = []
    for (const { from, id } of asking) {
      this.desk.runtime.send(from, { kind: 'swarm.status.ok', id, status })
    }
  }

  private isSelf(member: Member): boolean {
    return addressOf(member) === addressOf(this.options.member)
  }

  private isAlive(member: Member): boolean {
    return this.desk.runtime.isAlive(member)
  }

  private isReachable(member: Member): boolean {
    return this.desk.peers.mayAnswer(addressOf(member))
  }

  private refuse(from: Address, id: number, code: ErrorCode, reason: string): void {
    const message = `${this.desk.self} cannot stand in for the manager: ${reason}`
    this.desk.runtime.send(from, { kind: 'error', id, code, definite: true, message })
  }
}
