/**
 * Who is in the ring: joins, leaves and returns, turned into one change after another.
 *
 * All of it is one function, `advance`, that compares what is wanted (the queue, the processes that
 * live) with what is (the journaled ring) and takes the one next step; whatever happens only notes a
 * fact and calls it. A restarted manager therefore needs no recovery of its own: it calls `advance`.
 */
import type { Mode } from '../shared/data/mode.js'
import type { GTStoreError } from '../shared/protocol/errors.js'
import type { Durability, MessageOf } from '../shared/protocol/messages.js'
import { found } from '../shared/ring/chains.js'
import { type ClaimSettings, type MembershipDelta, planPlacement } from '../shared/ring/claim.js'
import {
  addressOf,
  type Change,
  type Member,
  type NodeId,
  type RingDescription,
} from '../shared/ring/description.js'
import type { Log, Millis, ProcessId, Runtime } from '../shared/runtime/runtime.js'
import { isRepeatedJoin, joinRefusal } from './admission.js'
import { RingAuthor } from './author.js'
import type { ChangeQueue, Intent } from './changes.js'
import { chooseChange } from './choice.js'
import { Course } from './course.js'
import { Evictions, type Verdict } from './evictions.js'
import { Gathering } from './gathering.js'
import type { Health } from './health.js'
import type { Ledger } from './ledger.js'
import type { ManagerPhase } from './machine.js'
import type { Peers } from './peers.js'
import {
  distinctNodes,
  gainersOf,
  joinersOf,
  leaversOf,
  type Plan,
  type PlannedChange,
  planChains,
  planChange,
  remembered,
} from './plan.js'
import type { NextRing, Progress } from './progress.js'
import type { Publisher } from './publisher.js'
import { forgotten } from './refusals.js'
import { Wishes } from './wishes.js'

export interface MembershipOptions {
  readonly runtime: Runtime
  readonly ledger: Ledger
  readonly publisher: Publisher
  readonly peers: Peers
  readonly health: Health
  readonly phase: ManagerPhase
  readonly settings: ClaimSettings
  readonly evictAfterMs: Millis
  /** SIGKILL. */
  readonly kill: (process: ProcessId) => void
  readonly durability: Durability
  readonly mode: Mode
  readonly log: Log
}

export class Membership {
  readonly #options: MembershipOptions
  readonly #gathering: Gathering
  readonly #author: RingAuthor
  readonly #wishes: Wishes
  readonly #evictions: Evictions
  readonly #course: Course
  #starved: readonly NodeId[] = []

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#gathering = new Gathering(options.runtime, () => this.advance())
    this.#author = new RingAuthor(options, (node) => this.member(node))
    this.#wishes = new Wishes(options.ledger, (node) => this.isAlive(node))
    this.#course = new Course({
      ...options,
      member: (node) => this.member(node),
      isAlive: (node) => this.isAlive(node),
      helps: (node) => this.helps(node),
      isGivenUp: (node) => this.isGivenUp(node),
      isOutdated: (ring) => this.#isOutdated(ring),
      hasNewLife: (ring) => this.#author.hasNewLife(ring),
    })
    this.#evictions = new Evictions({
      ...options,
      member: (node) => this.member(node),
      wishes: this.#wishes,
      helps: (node) => this.helps(node),
      plan: (ring, delta) => this.#plan(ring, delta),
    })
  }

  get queue(): ChangeQueue {
    return this.#wishes.queue
  }

  get #state() {
    return this.#options.ledger.state
  }

  start(): void {
    const { ring } = this.#state
    if (ring !== undefined) {
      if (!this.#isOutdated(ring) && !this.#isGone(ring)) this.#author.announce(ring, undefined)
      for (const member of ring.members) this.#options.peers.expect(member)
    }
    for (const node of this.#wishes.forced) this.force(node)
    this.#options.health.start()
    this.advance()
  }

  stop(): void {
    this.#gathering.stop()
    this.#options.health.stop()
  }

  /** A reader has the marks of its arcs. */
  ready(epoch: number, node: NodeId): void {
    if (this.#course.ready(epoch, node)) this.advance()
  }

  /** Who is down was looked at again. */
  looked(changed: boolean): void {
    const due = this.#due
    const { evicting } = this.queue
    const isKnown = due.length === evicting.length && due.every((node) => evicting.includes(node))
    if (changed || !isKnown || this.#course.isDue) this.advance()
  }

  /** A command takes the node out without its help: a stopped process must not come back to life. */
  force(node: NodeId): void {
    const member = this.member(node)
    if (member === undefined || !this.#wishes.isMember(node)) return
    this.#options.log.warn({ node }, 'a node is killed, since it is to go without its help')
    this.#options.kill(member)
  }

  /** The first ring waits a moment for that many nodes. */
  expect(nodes: number): void {
    this.#gathering.announce(nodes)
    if (this.#state.ring === undefined && this.queue.joining.length > 0) this.#gather()
    this.advance()
  }

  /** A node's life begins or goes on; `done` follows once what must be durable is. */
  join(request: MessageOf<'node.join'>, done: (refused: GTStoreError | undefined) => void): void {
    const { ledger, peers } = this.#options
    const { member, store } = request
    if (isRepeatedJoin(this.#state, this.queue, peers.life(member.id), request))
      return done(undefined)
    const refused = joinRefusal(this.#state, this.member(member.id), request)
    // A node that is told to go erases its data: not before what it rests on cannot be forgotten.
    if (refused !== undefined) return ledger.whenDurable(() => done(refused))
    ledger.heardOf(request)
    const isMember = this.#wishes.isMember(member.id)
    const changedStore = this.#state.nodes[member.id]?.store !== store
    if (isMember && changedStore) return this.#loseStore(member.id, done)
    this.#noteReturn(member, changedStore)
    peers.learn({ member, store })
    peers.expect(member)
    if (!isMember) this.queue.join(member.id)
    done(undefined)
    this.#gather()
    this.advance()
  }

  /** A node was told to leave by a signal. True: it is in no ring, it may go at once. */
  leave(node: NodeId): boolean {
    const { ring } = this.#state
    if (this.#wishes.isMember(node)) {
      // Also of one that is to be evicted: it goes even if it answers again and may stay.
      if (this.queue.leave(node, 'process')) this.advance()
      return false
    }
    this.queue.drop('join', node)
    this.#wishes.giveUp(({ fresh }) => fresh === node, `${node} was told to leave`)
    if (ring?.members.some((member) => member.id === node) !== true) return true
    this.#course.giveUp(`${node} was told to leave`)
    this.advance()
    return false
  }

  /** The process is not started again. */
  ended(node: NodeId): void {
    this.#wishes.giveUp(({ fresh }) => fresh === node, `${node} ended for good`)
  }

  completed(plan: number, node: NodeId): void {
    if (this.#course.completed(plan, node)) this.advance()
  }

  /** The latest life of a node that the ring or a join names. */
  member(node: NodeId): Member | undefined {
    const named = this.#state.ring?.members.find((member) => member.id === node)
    return this.#options.peers.life(node)?.member ?? named
  }

  /** The latest life of every node that is in the ring or wants to be. */
  get processes(): Member[] {
    const named = this.#state.ring?.members.map((member) => member.id) ?? []
    const nodes = distinctNodes(named, this.queue.joining)
    return nodes.flatMap((node) => this.member(node) ?? [])
  }

  isAlive(node: NodeId): boolean {
    const member = this.member(node)
    const lost = this.#state.nodes[node]?.lost === true
    return member !== undefined && !lost && this.#options.peers.isAlive(member)
  }

  /** Alive, and answering. */
  isUp(node: NodeId): boolean {
    const member = this.member(node)
    return member !== undefined && this.isAlive(node) && this.#options.health.down(member) === ''
  }

  /** Data can be copied from it and to it. */
  helps(node: NodeId): boolean {
    return this.isUp(node) && !this.#wishes.isForced(node)
  }

  /** A command takes it out without its help. */
  isForced(node: NodeId): boolean {
    return this.#wishes.isForced(node)
  }

  /** A command gives up what only this node may hold. */
  isGivenUp(node: NodeId): boolean {
    return this.#wishes.isGivenUp(node)
  }

  /** Members that cannot be taken out, since too few owners of their ranges are up. */
  get starved(): readonly NodeId[] {
    return this.#starved
  }

  /** What becomes of the members that are down. */
  get verdicts(): readonly Verdict[] {
    const { ring } = this.#state
    return ring === undefined ? [] : this.#evictions.verdicts(ring)
  }

  get #due(): readonly NodeId[] {
    return this.verdicts.flatMap(({ node, verdict }) => (verdict === 'due' ? [node] : []))
  }

  /** Takes the next step, if there is one to take. */
  advance(): void {
    if (this.#author.isWriting || this.#options.phase.name === 'stopping') return
    const { ring } = this.#state
    this.#wishes.refresh(ring, this.#due)
    if (ring === undefined) return this.#found()
    if (this.#isGone(ring)) return this.#author.reset(() => this.advance())
    const next = this.#course.next(ring)
    if (next !== undefined) return this.#take(ring, next)
    if (ring.change !== undefined) return
    if (this.#isOutdated(ring))
      return this.#publish({ placement: ring.placement, chains: ring.chains })
    this.#startNext(ring)
  }

  /** A known member without its data: it leaves the ring, its process joins as somebody new. */
  #loseStore(node: NodeId, done: (refused: GTStoreError) => void): void {
    this.#options.ledger.commit({ step: 'store.lost', node }, () => {
      this.#options.log.warn({ node }, 'the store of a member did not survive')
      done(forgotten(node))
      this.advance()
    })
  }

  /** An intent to leave dies with its process, and so does what was copied to another store. */
  #noteReturn(member: Member, changedStore: boolean): void {
    const { ring } = this.#state
    const { id } = member
    const known = this.member(id)
    if (known === undefined || known.incarnation === member.incarnation) return
    if (!this.#wishes.isCommanded(id)) this.queue.drop('leave', id)
    if (ring?.change === undefined) return
    const leaves =
      leaversOf(ring.placement, ring.change).includes(id) && !this.#wishes.isCommanded(id)
    const gains = joinersOf(ring.placement, ring.change).includes(id) && changedStore
    if (leaves || gains) this.#course.giveUp(`${id} was started again`)
  }

  /** Nothing of a swarm in memory is left once all its processes are dead. */
  #isGone(ring: RingDescription): boolean {
    const isDead = (member: Member) => !this.isAlive(member.id)
    return this.#options.durability === 'memory' && ring.members.every(isDead)
  }

  #found(): void {
    const { joining } = this.queue
    if (this.#gathering.isOpen || joining.length === 0) return
    const delta = { join: distinctNodes(joining), leave: [], replace: [] }
    const placement = planPlacement(undefined, delta, this.#options.settings)
    const isChained = this.#options.mode === 'chain'
    this.#publish({ placement, chains: isChained ? found(placement) : undefined })
  }

  #gather(): void {
    if (this.#state.ring === undefined) this.#gathering.founding(this.queue.joining.length)
    else this.#gathering.arrived()
  }

  #take(ring: RingDescription, next: Progress): void {
    const { log, phase } = this.#options
    const { event, reason } = next
    const plan = ring.change?.plan ?? 0
    if (event === 'change.aborted') log.warn({ plan, reason }, 'a change is given up')
    else if (event === 'change.copied') log.info({ plan }, 'a change has copied its data')
    else if (reason !== undefined) log.warn({ plan, reason }, 'chains are changed')
    if (event !== undefined) phase.send({ type: event })
    this.#publish(next, next.change === undefined ? [] : this.#state.evicted)
  }

  /** Some member has a newer life, or a higher epoch or boot was heard of. */
  #isOutdated(ring: RingDescription): boolean {
    if (this.#state.epoch > ring.epoch || this.#state.boot !== ring.boot) return true
    return !this.#gathering.isOpen && this.#author.hasNewLife(ring)
  }

  #plan(ring: RingDescription, delta: MembershipDelta): Plan {
    return planChange(ring, delta, this.#options.settings, this.#course.parties)
  }

  #startNext(ring: RingDescription): void {
    const helps = remembered((node) => this.helps(node))
    const { choice, starved } = chooseChange({
      queue: this.queue,
      placement: ring.placement,
      candidates: this.#wishes.candidates(helps, this.#evictions.spare(ring)),
      plan: (delta) => this.#plan(ring, delta),
      waits: (intents) => this.#gathering.isOpen && this.#canWait(intents),
      onLast: (node) => this.#stopLast(node),
    })
    this.#starved = starved
    if (choice === undefined) return this.#mend(ring)
    this.#start(ring, choice.plan, choice.delta, this.#killEvicted(choice.intents))
  }

  /** Members that were dropped from their chains, and are up again, are copied to. */
  #mend(ring: RingDescription): void {
    const { placement, chains } = ring
    if (chains === undefined || this.#gathering.isOpen) return
    const plan = planChains(placement, chains, placement, this.#course.parties)
    if ('blocked' in plan || plan.transfers.length === 0) return
    this.#start(ring, plan, { mended: gainersOf(plan) }, [])
  }

  #start(ring: RingDescription, planned: PlannedChange, whose: object, evicted: NodeId[]): void {
    const { next, transfers, chains } = planned
    const plan = this.#state.plans + 1
    this.#options.log.info({ plan, transfers: transfers.length, ...whose }, 'a change starts')
    const change: Change = { plan, next, transfers }
    this.#publish({ placement: ring.placement, change, chains }, evicted)
  }

  /** Who returns may bring others along: nobody is evicted in that moment either. */
  #canWait(intents: readonly Intent[]): boolean {
    return intents.some(({ kind, node }) => {
      return kind === 'join' || this.queue.origin(node) === 'eviction'
    })
  }

  /** One that only sleeps must not wake up to a ring that goes on without it. */
  #killEvicted(intents: readonly Intent[]): NodeId[] {
    const evicted = intents.flatMap(({ kind, node }) =>
      kind === 'leave' && this.queue.origin(node) === 'eviction' ? [node] : [],
    )
    for (const node of evicted) {
      const member = this.member(node)
      this.#options.log.warn({ node }, 'a node that is down for too long is evicted')
      if (member !== undefined) this.#options.kill(member)
    }
    return evicted
  }

  /** Nobody takes its data: told to leave by a signal it stops and keeps it, a command is refused. */
  #stopLast(node: NodeId): void {
    const member = this.member(node)
    const reason = `${node} holds the last copy: add a node first, or stop the swarm`
    if (this.queue.joining.length > 0 || member === undefined || !this.isAlive(node)) {
      return this.queue.block([{ node }], reason)
    }
    if (!this.#wishes.isCommanded(node)) {
      this.#options.runtime.send(addressOf(member), { kind: 'node.stop' })
    }
    this.#wishes.giveUp((ticket) => ticket.node === node, reason)
    this.queue.drop('leave', node)
  }

  #publish(next: NextRing, evicted: readonly NodeId[] = []): void {
    this.#course.written()
    this.#author.publish(next, evicted, () => this.advance())
  }
}
