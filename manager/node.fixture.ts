/** A scripted node for the manager's tests; see world.fixture.ts. */
import type { Message, MessageOf } from '../shared/protocol/messages.js'
import {
  addressOf,
  type Member,
  type NodeId,
  type RingDescription,
} from '../shared/ring/description.js'
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
    this.#world.after(reconnectMs, () => this.enroll())
  }

  /** A new connection to the manager: everything that may have been lost is said again. */
  connect(): void {
    const { address } = this
    if (!this.isAlive || address === undefined || this.#world.manager === undefined) return
    this.#world.manager.opened(address)
    const epoch = this.ring?.epoch ?? 0
    const boot = this.ring?.boot ?? 0
    const { member, store, swarm } = this
    this.#tell({ kind: 'node.join', id: 2, swarm, member, store, epoch, boot })
    if (this.#leaving) this.leave()
    const plan = this.ring?.change?.plan
    if (plan !== undefined && this.#world.copied.has(`${plan}/${this.id}`)) this.#report(plan)
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

  /** The next life of this node, with its store. */
  restart(): FakeNode {
    this.die()
    return this.#world.startNode(this.id, this.store)
  }

  received(message: Message): void {
    if (!this.isAlive) return
    if (message.kind === 'node.enroll.ok' && this.incarnation === 0) {
      this.id = message.node
      this.incarnation = message.incarnation
      this.swarm = message.swarm
      this.#world.nodes.set(addressOf(this.member), this)
      this.connect()
    } else if (message.kind === 'ring.publish') this.#adopt(message.ring)
    else if (message.kind === 'node.stop') this.die()
    else if (message.kind === 'node.stats' && !this.stuck) this.#answer(message.id)
    else if (message.kind === 'error') {
      this.refused = message
      this.die()
    }
  }

  #adopt(ring: RingDescription): void {
    if (ring.epoch < (this.ring?.epoch ?? 0)) return
    this.ring = ring
    this.#isMember ||= ring.placement.nodes.includes(this.id)
    const named = ring.members.some((member) => member.id === this.id)
    // A joiner whose change was given up waits for the next one.
    if (!named && (this.#isMember || this.#leaving)) return this.die()
    const { change } = ring
    const gains = change?.transfers.some((transfer) => transfer.gainer === this.id)
    if (change !== undefined && gains) this.#world.after(copyMs, () => this.#copy(change.plan))
  }

  #copy(plan: number): void {
    if (!this.isAlive || this.stuck || this.ring?.change?.plan !== plan) return
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
