/** A scripted node for the manager's tests; see world.fixture.ts. */
import type { Message, MessageOf } from '../shared/protocol/messages.js'
import { noOutcomes } from '../shared/protocol/status.js'
import {
  addressOf,
  type Member,
  type NodeId,
  type RingDescription,
} from '../shared/ring/description.js'
import { gossipPeriodMs, managerRepeatMs } from '../shared/runtime/limits.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { World } from './world.fixture.js'

const copyMs = 5
export const reconnectMs = 200

/** A node as the manager sees one: it does what the protocol says, and copies nothing in 5 ms. */
export class FakeNode {
  readonly pid: number
  readonly store: string
  readonly temporary: Address
  id: NodeId
  incarnation = 0
  /** As the manager told it; a test may say otherwise. */
  swarm = ''
  ring: RingDescription | undefined
  refused: MessageOf<'error'> | undefined
  /** Copies nothing: whoever waits for it waits. */
  stuck = false
  /** SIGSTOP: what it is sent waits, and so does what it would do. */
  paused = false
  /** Requests of the manager that reached it. */
  pings = 0
  #asleep: (() => void)[] = []
  #joined = false
  #reported = false
  #leaving = false
  #isMember = false
  readonly #world: World

  constructor(world: World, pid: number, id: NodeId | '', store: string) {
    this.#world = world
    this.pid = pid
    this.id = id
    this.store = store
    this.temporary = `starting-${pid}`
  }

  get member(): Member {
    const { id, incarnation, pid } = this
    return { id, incarnation, pid, startTime: '7' }
  }

  get address(): Address | undefined {
    return this.incarnation === 0 ? undefined : addressOf(this.member)
  }

  get isAlive(): boolean {
    return this.#world.alive.has(this.pid)
  }

  /** Asks who it is until it is told. */
  enroll(): void {
    if (!this.isAlive || this.incarnation > 0 || this.refused !== undefined) return
    this.#world.toManager(this.temporary, { kind: 'node.enroll', id: 1, node: this.id })
    this.#later(reconnectMs, () => this.enroll())
  }

  /** A new connection to the manager: everything that may have been lost is said again. */
  connect(): void {
    const { address } = this
    if (!this.isAlive || address === undefined || this.#world.manager === undefined) return
    this.#world.manager.opened(address)
    this.#joined = false
    this.#say()
  }

  /** Everything that the manager may not have heard. */
  #say(): void {
    const epoch = this.ring?.epoch ?? 0
    const boot = this.ring?.boot ?? 0
    const { member, store, swarm } = this
    if (!this.#joined) this.#tell({ kind: 'node.join', id: 2, swarm, member, store, epoch, boot })
    if (this.#leaving) this.leave()
    const plan = this.ring?.change?.plan
    if (plan !== undefined && this.#world.copied.has(`${plan}/${this.id}`)) this.#report(plan)
    const isReady = this.#world.ready.has(`${epoch}/${this.id}`)
    if (isReady) this.#tell({ kind: 'chain.ready', node: this.id, epoch })
  }

  /** SIGTERM. */
  leave(): void {
    this.#leaving = true
    if (this.incarnation === 0) return
    this.#tell({ kind: 'node.leave', id: 3, node: this.id, incarnation: this.incarnation })
  }

  /** kill -9. */
  die(): void {
    if (this.isAlive) this.#world.end(this)
  }

  /** SIGSTOP. */
  pause(): void {
    this.paused = true
  }

  /** SIGCONT. */
  resume(): void {
    this.paused = false
    const asleep = this.#asleep
    this.#asleep = []
    for (const act of asleep) this.#act(act)
  }

  /** The next life of this node, with its store. */
  restart(): FakeNode {
    this.die()
    return this.#world.startNode(this.id, this.store)
  }

  received(message: Message): void {
    this.#act(() => this.#take(message))
  }

  #act(act: () => void): void {
    if (!this.isAlive) return
    if (this.paused) this.#asleep.push(act)
    else act()
  }

  #later(ms: number, act: () => void): void {
    this.#world.after(ms, () => this.#act(act))
  }

  #take(message: Message): void {
    if (message.kind === 'node.enroll.ok' && this.incarnation === 0) {
      this.id = message.node
      this.incarnation = message.incarnation
      this.swarm = message.swarm
      this.#world.nodes.set(addressOf(this.member), this)
      this.connect()
      this.#later(managerRepeatMs, () => this.#repeat())
      this.#later(gossipPeriodMs, () => this.#gossip())
    } else if (message.kind === 'ring.publish') this.#adopt(message.ring)
    else if (message.kind === 'node.stop') this.die()
    else if (message.kind === 'node.join.ok') this.#joined = true
    else if (message.kind === 'gossip.ping') this.#acknowledge(message)
    else if (message.kind === 'node.stats' && !this.stuck) this.#answer(message.id)
    else if (message.kind === 'error') {
      this.refused = message
      if (message.code === 'NOT_FOUND') this.die()
    }
  }

  /** Until the manager has answered; and the fence shows a ring of which no message came. */
  #repeat(): void {
    this.#say()
    const { ring } = this.#world
    if (ring !== undefined && ring.epoch > (this.ring?.epoch ?? 0)) this.#adopt(ring)
    this.#later(managerRepeatMs, () => this.#repeat())
  }

  #acknowledge({ id }: MessageOf<'gossip.ping'>): void {
    this.pings++
    this.#tell({ kind: 'gossip.ack', id, epoch: this.ring?.epoch ?? 0, rumors: [] })
  }

  /** Tells the manager whom it cannot reach. */
  #gossip(): void {
    const suspects = (this.ring?.members ?? []).filter(
      (member) => !this.#world.isReachable(this.id, member),
    )
    if (suspects.length > 0 || this.#reported) {
      this.#tell({
        kind: 'health.report',
        node: this.id,
        incarnation: this.incarnation,
        suspects: suspects.map(({ id: node, incarnation }) => ({
          node,
          incarnation,
          refutation: 0,
          health: 'suspect',
        })),
      })
    }
    this.#reported = suspects.length > 0
    this.#later(gossipPeriodMs, () => this.#gossip())
  }

  #adopt(ring: RingDescription): void {
    if (ring.epoch < (this.ring?.epoch ?? 0)) return
    this.ring = ring
    this.#isMember ||= ring.placement.nodes.includes(this.id)
    const named = ring.members.some((member) => member.id === this.id)
    // A joiner whose change was given up waits for the next one.
    if (!named && (this.#isMember || this.#leaving)) return this.die()
    // It may have been a member when its join was answered, and be none by now.
    if (!named) this.#joined = false
    const { change } = ring
    const gains = change?.transfers.some((transfer) => transfer.gainer === this.id)
    if (change !== undefined && gains) this.#later(copyMs, () => this.#copy(change.plan))
    if (change?.switching === true) this.#later(copyMs, () => this.#switch(ring.epoch))
  }

  /** The marks of all arcs that it reads from now on came through everybody before it. */
  #switch(epoch: number): void {
    if (this.stuck || this.ring?.epoch !== epoch) return
    const mine = this.ring.chains?.filter(({ reader }) => reader === this.id) ?? []
    const isServing = (id: NodeId) => this.#world.isServing(id)
    if (mine.length === 0) return
    if (!mine.every(({ members }) => members.every(isServing))) {
      return this.#later(copyMs, () => this.#switch(epoch))
    }
    this.#world.ready.add(`${epoch}/${this.id}`)
    this.#tell({ kind: 'chain.ready', node: this.id, epoch })
  }

  #copy(plan: number): void {
    const change = this.ring?.change
    if (this.stuck || change?.plan !== plan) return
    // Only from sources that answer; the manager gives up what cannot be copied.
    const mine = change.transfers.filter((transfer) => transfer.gainer === this.id)
    const canCopy = mine.every(
      ({ sources, needed }) => sources.filter((it) => this.#world.isServing(it)).length >= needed,
    )
    if (!canCopy) return this.#later(copyMs, () => this.#copy(plan))
    this.#world.copied.add(`${plan}/${this.id}`)
    this.#report(plan)
  }

  #report(plan: number): void {
    this.#tell({ kind: 'handoff.complete', plan, node: this.id })
  }

  #answer(id: number): void {
    const handoff = { rangesDone: 1, rangesTotal: 2, keys: 3, bytes: 4 }
    const epoch = this.ring?.epoch ?? 0
    const state = this.#leaving ? 'leaving' : 'active'
    this.#tell({
      kind: 'node.stats.ok',
      id,
      state,
      epoch,
      keys: 10,
      bytes: 100,
      handoff,
      hints: { keys: 0, bytes: 0 },
      repair: noRepair,
      readOnly: false,
      operations: { coordinated: noOutcomes, replicated: noOutcomes },
    })
  }

  #tell(message: Message): void {
    if (this.address !== undefined) this.#world.toManager(this.address, message)
  }
}

const noRepair = {
  pass: 0,
  running: false,
  rangesDone: 0,
  rangesTotal: 0,
  received: 0,
  given: 0,
  skipped: 0,
}
