/**
 * Failure detection: who of the other members answers?
 *
 * A dead process closes its connections, and its pid says that it is gone: that is seen at once. A
 * paused or stuck one closes nothing, so each node asks one other a period, in random order, and takes
 * a silence seriously only when others get no answer either. Even then the node is first a *suspect*,
 * for long enough to hear of it and to refute; only silence through all of that makes it `dead`.
 * What one node learns travels with the pings and acknowledgements of all, so the cost of each node
 * is constant, and news reaches everybody within a few periods (Das, Gupta, Motivala, "SWIM: scalable
 * weakly-consistent infection-style process group membership protocol", DSN 2002, sections 3 and 4).
 *
 * On a host with two starved cores a live process is easily silent for a second. Therefore:
 * - one's own lag counts first: who is late itself accuses nobody, and waits longer for suspects;
 * - a suspect is told by every ping to it (Lifeguard's "buddy system", DSN 2018), and is pinged by
 *   whoever suspects it, at once and each period, so that its refutation needs one round trip only;
 * - any word of the node itself ends what is held against it here;
 * - a node called dead is still pinged, and comes back by answering, unless its process is gone.
 *
 * All of this advises routing and the manager; no answer to a request rests on it.
 */
import type { Message, MessageOf, Rumor } from '../../shared/protocol/messages.js'
import type { Member } from '../../shared/ring/description.js'
import {
  gossipHelpersCount,
  gossipPeriodMs,
  livenessCheckMs,
  ownLagMaxMs,
  suspicionMs,
} from '../../shared/runtime/limits.js'
import type { Address, CancelTimer, Millis } from '../../shared/runtime/runtime.js'
import type { Department } from '../department.js'
import type { Desk } from '../desk.js'
import { Probe } from './probe.js'
import { type Entry, Roster, rumorOf } from './roster.js'
import { Rotation, shuffled } from './rotation.js'
import { Rumors } from './rumors.js'

type GossipDesk = Pick<Desk, 'runtime' | 'log' | 'peers' | 'ring' | 'catchUp'>

/** A ping that another node asked for. */
interface Relay {
  readonly for: Address
  readonly id: number
  readonly until: Millis
}

export class Gossip implements Department {
  readonly takes = ['gossip.ping', 'gossip.ack', 'gossip.probe', 'gossip.probe.ok'] as const
  readonly isBusy = false
  readonly stats = {}
  private readonly desk: GossipDesk
  private readonly self: Member
  private readonly roster = new Roster()
  private readonly rumors = new Rumors()
  private readonly rotation = new Rotation()
  private readonly probes = new Map<Address, Probe>()
  private readonly relays = new Map<number, Relay>()
  private epoch = 0
  /** The ring held names this life. */
  private isMember = false
  /** Raised to contradict whoever suspects this node. */
  private refutation = 0
  private lastId = 0
  private isReporting = false
  /** The manager said something since the last report: it takes another. */
  private managerListens = false
  private cancelTick: CancelTimer = () => {}

  constructor(desk: GossipDesk, member: Member) {
    this.desk = desk
    this.self = member
    desk.peers.onLate = (peer) => this.probe(this.roster.at(peer))
  }

  /** The first round comes at a random moment, so that nodes started together do not go in step. */
  start(): void {
    this.tickLater(this.desk.runtime.random() * gossipPeriodMs)
  }

  stop(): void {
    this.cancelTick()
    for (const probe of this.probes.values()) probe.end()
    this.probes.clear()
  }

  received(from: Address, message: Message): void {
    if (from === 'manager') this.managerListens = true
    switch (message.kind) {
      case 'gossip.ping':
        return this.pinged(from, message)
      case 'gossip.ack':
        return this.acknowledged(from, message)
      case 'gossip.probe':
        return this.probeFor(from, message)
      case 'gossip.probe.ok':
        return this.probeAnswered(message.id)
      default:
        throw new Error(`gossip does not take ${message.kind}`)
    }
  }

  opened(peer: Address): void {
    if (peer === 'manager' && this.suspects().length > 0) this.reportSoon()
  }

  /** The last sockets of a process close a moment before it is gone, so there is a second look. */
  closed(peer: Address): void {
    const entry = this.roster.at(peer)
    if (entry === undefined || this.isFoundGone(entry)) return
    this.desk.runtime.after(livenessCheckMs, 'gossip second look', () => {
      if (this.roster.at(peer) === entry) this.isFoundGone(entry)
    })
  }

  ringChanged(): void {
    const { ring, runtime } = this.desk
    this.epoch = ring.epoch
    this.isMember = ring.member(this.self.id)?.incarnation === this.self.incarnation
    const before = this.suspects().length
    this.roster.follow(ring, this.self.id)
    const { nodes } = this.roster
    this.rotation.follow(nodes, () => runtime.random())
    this.rumors.keepOnly((rumor) => this.isOfMember(rumor))
    for (const [address, probe] of this.probes) {
      if (this.roster.at(address) === probe.target) continue
      probe.end()
      this.probes.delete(address)
    }
    // Who has left asks nobody, so it would hold for ever whatever it held against them.
    if (!this.isMember) for (const entry of this.roster.all) this.heard(entry)
    if (this.suspects().length !== before) this.reportSoon()
  }

  // --- Rounds ---

  private tickLater(ms: Millis): void {
    const { runtime } = this.desk
    const due = runtime.now() + ms
    this.cancelTick = runtime.after(ms, 'gossip', () => {
      this.tickLater(gossipPeriodMs)
      this.round(runtime.now() - due)
    })
  }

  private round(lag: Millis): void {
    const now = this.desk.runtime.now()
    for (const [id, relay] of this.relays) {
      if (relay.until <= now) this.relays.delete(id)
    }
    if (!this.isMember) return
    // Whoever does not answer may be no member any more, and those who are may not know this node.
    if (this.roster.all.some(({ health }) => health !== 'alive')) this.desk.catchUp()
    for (const entry of this.roster.all) {
      if (entry.health !== 'suspect') continue
      if (lag > ownLagMaxMs) entry.suspectUntil += lag
      else if (now >= entry.suspectUntil) this.hold(entry, 'dead', entry.refutation)
      if (entry.health === 'suspect') this.ping(entry)
    }
    const random = () => this.desk.runtime.random()
    const next = this.rotation.next(random, (node) => this.isAsked(this.roster.of(node)))
    const entry = next === undefined ? undefined : this.roster.of(next)
    if (entry?.health === 'dead') this.ping(entry)
    else this.probe(entry)
    if (this.managerListens && this.suspects().length > 0) this.reportSoon()
  }

  /** Suspects are pinged each period anyway. */
  private isAsked(entry: Entry | undefined): boolean {
    return entry !== undefined && !entry.isGone && entry.health !== 'suspect'
  }

  private probe(target: Entry | undefined): void {
    if (!this.isMember || target === undefined || target.health !== 'alive') return
    if (this.probes.has(target.address)) return
    const probe = new Probe({
      runtime: this.desk.runtime,
      target,
      id: this.ping(target),
      askOthers: () => this.askOthers(probe),
      over: (verdict) => {
        this.probes.delete(target.address)
        if (verdict === 'silent' && !this.isFoundGone(target)) {
          this.hold(target, 'suspect', target.refutation)
        }
      },
    })
    this.probes.set(target.address, probe)
  }

  private askOthers({ target, id }: Probe): void {
    for (const { address } of this.someOthers(target)) {
      this.desk.runtime.send(address, { kind: 'gossip.probe', id, target: target.address })
    }
  }

  private ping(target: Entry, defence: readonly Rumor[] = []): number {
    const { epoch } = this
    const id = ++this.lastId
    const rumors = this.rumors.take(this.roster.size, [...defence, ...warningFor(target)])
    this.desk.runtime.send(target.address, { kind: 'gossip.ping', id, epoch, rumors })
    return id
  }

  /** A few members that answer, at random. */
  private someOthers(except: Entry): readonly Entry[] {
    const fit = this.roster.all.filter((entry) => entry !== except && entry.health === 'alive')
    return shuffled(fit, () => this.desk.runtime.random()).slice(0, gossipHelpersCount)
  }

  // --- Messages ---

  private pinged(from: Address, { id, epoch, rumors }: MessageOf<'gossip.ping'>): void {
    this.sawEpoch(epoch)
    const entry = this.roster.at(from)
    const warning = entry === undefined ? [] : warningFor(entry)
    if (entry !== undefined) this.heard(entry)
    const first = [...this.learn(rumors), ...warning]
    const told = entry === undefined ? first : this.rumors.take(this.roster.size, first)
    this.desk.runtime.send(from, { kind: 'gossip.ack', id, epoch: this.epoch, rumors: told })
  }

  private acknowledged(from: Address, { id, epoch, rumors }: MessageOf<'gossip.ack'>): void {
    this.sawEpoch(epoch)
    const entry = this.roster.at(from)
    const relay = this.relays.get(id)
    if (relay !== undefined) {
      this.relays.delete(id)
      this.desk.runtime.send(relay.for, { kind: 'gossip.probe.ok', id: relay.id })
    }
    if (entry === undefined) return
    this.heard(entry)
    const defence = this.learn(rumors)
    if (defence.length > 0) this.ping(entry, defence)
  }

  private probeFor(from: Address, { id, target }: MessageOf<'gossip.probe'>): void {
    const entry = this.roster.at(target)
    if (entry === undefined) return
    const until = this.desk.runtime.now() + suspicionMs
    this.relays.set(this.ping(entry), { for: from, id, until })
  }

  private probeAnswered(id: number): void {
    for (const probe of this.probes.values()) {
      if (probe.id === id) this.endProbe(probe.target)
    }
  }

  private sawEpoch(epoch: number): void {
    if (epoch > this.epoch) this.desk.catchUp()
  }

  /** The node itself said something: whatever is held against it is over here. */
  private heard(entry: Entry): void {
    this.endProbe(entry)
    if (entry.health === 'alive' || entry.isGone) return
    this.rumors.forget(entry.member.id)
    this.turn(entry, 'alive')
  }

  private isOfMember({ node, incarnation }: Rumor): boolean {
    const member = node === this.self.id ? this.self : this.roster.of(node)?.member
    return member?.incarnation === incarnation
  }

  private endProbe({ address }: Entry): void {
    this.probes.get(address)?.end()
    this.probes.delete(address)
  }

  // --- What is held ---

  /** What contradicts them, where they accuse this node. */
  private learn(rumors: readonly Rumor[]): readonly Rumor[] {
    let isAccused = false
    for (const rumor of rumors) {
      if (rumor.node === this.self.id) {
        if (this.isAccusedBy(rumor)) isAccused = true
        continue
      }
      const known = this.roster.of(rumor.node)
      const isSameLife = known?.member.incarnation === rumor.incarnation
      if (isSameLife && rumor.health === 'dead' && this.isFoundGone(known)) continue
      const entry = this.roster.changedBy(rumor)
      if (entry !== undefined) this.hold(entry, rumor.health, rumor.refutation)
    }
    return isAccused ? [this.ownRumor()] : []
  }

  private isAccusedBy({ incarnation, health, refutation }: Rumor): boolean {
    if (incarnation !== this.self.incarnation || health === 'alive') return false
    if (refutation >= this.refutation) {
      this.refutation = refutation + 1
      this.rumors.add(this.ownRumor())
    }
    return true
  }

  private ownRumor(): Rumor {
    const { id: node, incarnation } = this.self
    return { node, incarnation, refutation: this.refutation, health: 'alive' }
  }

  /** Its process is gone: no refutation can follow. */
  private isFoundGone(entry: Entry): boolean {
    if (entry.isGone) return true
    if (this.desk.runtime.isAlive(entry.member)) return false
    entry.isGone = true
    this.endProbe(entry)
    this.hold(entry, 'dead', entry.refutation)
    return true
  }

  private hold(entry: Entry, health: Rumor['health'], refutation: number): void {
    entry.refutation = refutation
    this.turn(entry, health)
    this.rumors.add(rumorOf(entry))
    if (health === 'alive') return
    entry.suspectUntil = this.desk.runtime.now() + suspicionMs
    if (!entry.isGone) this.ping(entry)
    if (health === 'dead') for (const other of this.someOthers(entry)) this.ping(other)
  }

  private turn(entry: Entry, health: Rumor['health']): void {
    if (entry.health === health) return
    const { member, address, health: before } = entry
    this.desk.log.info({ node: member.id, health, before }, `${member.id} is ${health}`)
    entry.health = health
    if (health !== 'alive') this.endProbe(entry)
    this.desk.peers.judge(address, health)
    this.reportSoon()
  }

  private suspects(): readonly Rumor[] {
    return this.roster.all.filter(({ health }) => health !== 'alive').map(rumorOf)
  }

  // --- The manager ---

  /** At the turn's end, once for all that changed in it. */
  private reportSoon(): void {
    if (this.isReporting) return
    this.isReporting = true
    this.desk.runtime.after(0, 'health report', () => {
      this.isReporting = false
      this.report()
    })
  }

  private report(): void {
    if (!this.isMember) return
    this.managerListens = false
    const { id: node, incarnation } = this.self
    const suspects = this.suspects()
    this.desk.runtime.send('manager', { kind: 'health.report', node, incarnation, suspects })
  }
}

/** What a node must hear first of all, so that it can refute. */
function warningFor(entry: Entry): readonly Rumor[] {
  return entry.health === 'alive' ? [] : [rumorOf(entry)]
}
