/**
 * A storage node: forwarder, coordinator and replica of requests, giver and receiver of handoffs, and
 * a member of the ring. This file wires them: it turns each message to its handler, checks epochs once
 * above them all, and holds what they share.
 */
import { type Merge, mergeOf } from '../shared/data/merge.js'
import type { Mode } from '../shared/data/mode.js'
import type { Durability, Message, MessageKind, NodeState } from '../shared/protocol/messages.js'
import { addressOf, type Member, type NodeId } from '../shared/ring/description.js'
import type { Ring } from '../shared/ring/ring.js'
import { InFlight } from '../shared/runtime/in-flight.js'
import { heldMessagesMax, readBytesMax } from '../shared/runtime/limits.js'
import type { DiskSpace, Engine, RingFiles } from '../shared/runtime/ports.js'
import type { Address, Log, Process, Runtime } from '../shared/runtime/runtime.js'
import { Budget } from './budget.js'
import { type Chain, openChain } from './chain/chain.js'
import { type Department, openDepartments, takersOf } from './department.js'
import { Departure } from './departure.js'
import type { Desk, Exchange } from './desk.js'
import { Fence } from './fence.js'
import { HandoffReceiver } from './handoff-receiver.js'
import { HandoffSource } from './handoff-source.js'
import { Life } from './life.js'
import { ManagerLink } from './manager-link.js'
import { Operations } from './operations.js'
import { Peers } from './peers.js'
import { Replica } from './replica.js'
import { type ClientRequest, type EpochRequest, type Request, requestOf } from './request.js'
import { RingKeeper } from './ring-keeper.js'
import { Router } from './router.js'
import { gatherStats, type OwnStats } from './stats.js'
import { Sweeper } from './sweeper.js'
import { Throttle } from './throttle.js'

/** Why a node ended: `left` and `evicted` leave a store that nobody needs any more. */
export type StopReason = 'left' | 'stopped' | 'evicted' | 'failed'

export interface StorageNodeOptions {
  readonly member: Member
  readonly store: string
  /** The store belonged to a member before. */
  readonly returning: boolean
  readonly swarm: string
  /** What stands in a `status` that this node gives in the manager's place. */
  readonly swarmName: string
  readonly durability: Durability
  readonly mode: Mode
  readonly logOperations: boolean
  readonly runDirectory: string
  readonly boot: number
  readonly valueBytesMax: number
  readonly runtime: Runtime
  readonly engine: Engine
  /** A second store, for the writes that are kept for others. */
  readonly hints: Engine
  readonly disk: DiskSpace
  readonly ringFiles: RingFiles
  /** Hints count towards W. */
  readonly sloppy: boolean
  readonly handoffBytesPerSecond: number
  readonly log: Log
  /** Called once; the engine is not closed by the node. */
  onStopped(reason: StopReason): void
}

export class StorageNode implements Process, Desk {
  readonly self: NodeId
  readonly runtime: Runtime
  readonly engine: Engine
  readonly disk: DiskSpace
  readonly sloppy: boolean
  readonly mode: Mode
  readonly merge: Merge
  readonly log: Log
  readonly operations: Operations
  readonly inFlight = new InFlight<Exchange>(() => this.sweeper.soon(this.inFlight))
  readonly peers: Peers
  readonly fence: Fence
  readonly readBytes = new Budget(readBytesMax)
  readonly handoffRate: Throttle
  readonly chain: Chain | undefined
  private readonly options: StorageNodeOptions
  private readonly life: Life
  private readonly keeper: RingKeeper
  private readonly manager: ManagerLink
  private readonly router: Router
  private readonly replica: Replica
  private readonly source: HandoffSource
  private readonly receiver: HandoffReceiver
  private readonly departments: readonly Department[]
  private readonly departmentOf: ReadonlyMap<MessageKind, Department>
  private readonly departure: Departure
  private readonly sweeper: Sweeper
  /** Node behind each address of the ring held. */
  private nodesByAddress: ReadonlyMap<Address, NodeId> = new Map()
  /** Messages of a ring that is still being adopted. */
  private held: { from: Address; message: EpochRequest }[] = []
  isNamed = false
  private isToldToLeave = false
  private isOver = false

  constructor(options: StorageNodeOptions) {
    const { member, runtime, engine, ringFiles, log, boot } = options
    this.options = options
    this.self = member.id
    this.runtime = runtime
    this.engine = engine
    this.disk = options.disk
    this.sloppy = options.sloppy
    this.mode = options.mode
    this.merge = mergeOf(options.mode)
    this.log = log
    this.operations = new Operations(options.logOperations ? log : undefined)
    this.handoffRate = new Throttle(runtime, options.handoffBytesPerSecond)
    this.sweeper = new Sweeper(runtime)
    this.peers = new Peers(runtime)
    this.fence = new Fence(runtime, ringFiles, () => this.catchUp())
    this.life = new Life((state, before) => this.lifeChanged(state, before))
    this.keeper = new RingKeeper({
      self: member.id,
      swarm: options.swarm,
      engine,
      ringFiles,
      log,
      activated: (ring) => this.activated(ring),
      storageFailed: (error) => this.storageFailed(error),
    })
    this.manager = new ManagerLink({
      ...options,
      highestEpoch: () => this.keeper.highestEpoch,
      evicted: () => this.evicted(),
    })
    const isAdopting = () => this.keeper.isAdopting
    this.router = new Router(this, { ...options, isAdopting })
    this.replica = new Replica(this, boot)
    this.source = new HandoffSource(this)
    this.receiver = new HandoffReceiver(this, (plan) => this.receivedPlan(plan), isAdopting)
    this.departure = new Departure({
      ...options,
      self: member.id,
      ring: () => this.keeper.ring,
      isBusy: () => this.inFlight.size > 0 || this.departments.some((each) => each.isBusy),
      over: () => this.end('left'),
    })
    this.chain = openChain(this, {
      ...options,
      isAdopting,
      isReady: (epoch) => this.manager.ready(epoch),
    })
    this.departments = openDepartments(this, options, this.chain)
    this.departmentOf = takersOf(this.departments)
  }

  get state(): NodeState {
    return this.life.state
  }

  /** Requests of a chain that may not have reached its end. */
  get uncommitted(): number {
    return this.chain?.uncommitted ?? 0
  }

  get ring(): Ring {
    if (this.keeper.ring === undefined) throw new Error('asked for a ring before there was one')
    return this.keeper.ring
  }

  start(): void {
    this.life.tell(this.options.returning ? 'returned' : 'opened')
    this.catchUp()
    this.manager.start()
    for (const department of this.departments) department.start()
  }

  /** SIGTERM: hand everything over, then end with `left`. */
  leave(): void {
    this.isToldToLeave = true
    this.manager.leave()
    if (!this.isInRing) this.life.tell('gave.up')
  }

  /** End now and keep the data: this is not a leave. */
  stop(): void {
    this.end('stopped')
  }

  opened(peer: Address): void {
    this.peers.opened(peer)
    for (const department of this.departments) department.opened(peer)
  }

  closed(peer: Address): void {
    if (this.isOver) return
    this.departure.closed(peer)
    if (peer === 'manager') this.manager.closed()
    if (this.nodesByAddress.has(peer)) this.peers.closed(peer)
    for (const exchange of this.inFlight.all()) exchange.closed(peer)
    for (const department of this.departments) department.closed(peer)
  }

  /** Named by the ring held, in whichever life. */
  private get isInRing(): boolean {
    return this.keeper.ring?.member(this.self) !== undefined
  }

  /** The manager has no place for this store any more. */
  private evicted(): void {
    this.catchUp()
    const wasTakenOut = this.state === 'leaving' && this.departure.isTakenOut
    if (this.state !== 'left') this.end(wasTakenOut ? 'left' : 'evicted')
  }

  nodeAt(address: Address): NodeId | undefined {
    return this.nodesByAddress.get(address)
  }

  catchUp(): void {
    this.keeper.catchUp()
  }

  storageFailed(error: Error): void {
    if (this.isOver) return
    this.log.error({ err: error }, 'the store failed: this node stops serving')
    this.end('failed')
  }

  received(from: Address, message: Message): void {
    if (this.isOver) return
    switch (message.kind) {
      case 'put':
      case 'get':
      case 'write':
      case 'explain':
        return this.accept(from, message)
      case 'coordinate.put':
      case 'coordinate.get':
      case 'coordinate.write':
      case 'coordinate.explain':
      case 'replica.put':
      case 'replica.get':
      case 'handoff.pull':
      case 'handoff.push':
      case 'hint.put':
      case 'hint.query':
      case 'merkle.get':
      case 'tombstone.confirm':
      case 'tombstone.collect':
      case 'chain.put':
      case 'chain.ack':
      case 'chain.mark':
        return this.underEpoch(from, message)
      case 'coordinate.put.ok':
      case 'coordinate.get.ok':
      case 'coordinate.write.ok':
      case 'coordinate.explain.ok':
      case 'replica.put.ok':
      case 'replica.get.ok':
      case 'handoff.batch':
      case 'handoff.push.ok':
      case 'hint.put.ok':
      case 'hint.query.ok':
      case 'merkle.get.ok':
      case 'tombstone.confirm.ok':
      case 'tombstone.collect.ok':
        return this.inFlight.get(message.id)?.received(from, message)
      case 'stale':
      case 'error':
        if (from === 'manager' && message.kind === 'error') return this.manager.refused(message)
        if (this.chain?.isOfLink(message)) return this.chain.refused(from, message)
        return this.inFlight.get(message.id)?.received(from, message)
      case 'ring.publish':
        return this.keeper.adopt(message.ring)
      case 'node.stats':
        return this.ownStats((stats) => {
          this.runtime.send(from, { kind: 'node.stats.ok', id: message.id, ...stats })
        })
      case 'node.dump':
        return this.source.dump(from, message)
      case 'node.stop':
        return this.stop()
      case 'node.join.ok':
        return this.manager.joined()
      case 'node.leave.ok':
        return this.manager.leaveNoted()
      default:
        return this.hand(from, message)
    }
  }

  /** To the department that takes it. */
  private hand(from: Address, message: Message): void {
    const department = this.departmentOf.get(message.kind)
    if (department !== undefined) return department.received(from, message)
    this.log.warn({ from, kind: message.kind }, 'ignored a message that is not for nodes')
  }

  route(request: Request): void {
    if (!this.isOver) this.router.route(request)
  }

  private accept(from: Address, message: ClientRequest): void {
    if (this.keeper.ring === undefined || !this.life.permits(message.kind)) {
      return this.refuse(from, message.id)
    }
    this.departure.served(from)
    this.router.accept(from, message)
  }

  /** A request belongs to the epoch that it was admitted under, and is answered under no other. */
  private underEpoch(from: Address, message: EpochRequest): void {
    if (message.epoch > (this.keeper.ring?.epoch ?? 0)) this.catchUp()
    const epoch = this.keeper.ring?.epoch ?? 0
    if (message.epoch > epoch && this.keeper.isAdopting) {
      if (this.held.length < heldMessagesMax) this.held.push({ from, message })
      else this.chain?.lost(from, message)
      return
    }
    if (message.epoch !== epoch) {
      this.runtime.send(from, { kind: 'stale', id: message.id, epoch })
      return
    }
    if (!this.life.permits(message.kind)) return this.refuse(from, message.id)
    this.handle(from, message)
  }

  private handle(from: Address, message: EpochRequest): void {
    switch (message.kind) {
      case 'coordinate.put':
      case 'coordinate.get':
      case 'coordinate.write':
      case 'coordinate.explain':
        return this.route(requestOf(from, message, message.token))
      case 'replica.put':
        return this.replica.put(from, message)
      case 'replica.get':
        return this.replica.get(from, message)
      case 'handoff.pull':
        return this.source.pull(from, message)
      default:
        return this.hand(from, message)
    }
  }

  private receivedPlan(plan: number): void {
    if (this.life.isReceiving) this.life.tell('receive.ended')
    this.manager.completed(plan)
  }

  private activated(ring: Ring): void {
    const { epoch } = ring
    this.log.info({ epoch, changing: ring.description.change !== undefined }, 'adopted the ring')
    const members = ring.description.members
    this.nodesByAddress = new Map(members.map((member) => [addressOf(member), member.id]))
    this.peers.keepOnly(new Set(this.nodesByAddress.keys()))
    const { id, incarnation } = this.options.member
    this.isNamed = ring.member(id)?.incarnation === incarnation
    this.receiver.follow(ring)
    this.manager.follow(ring.description)
    this.life.follow(ring, id, incarnation, this.receiver.isReceiving)
    if (this.isToldToLeave && !this.isInRing) this.life.tell('gave.up')
    for (const exchange of this.inFlight.all()) exchange.ringChanged()
    for (const department of this.departments) department.ringChanged()
    const held = this.held
    this.held = []
    for (const { from, message } of held) this.underEpoch(from, message)
  }

  private lifeChanged(state: NodeState, before: NodeState): void {
    this.log.info({ state, before }, `now ${state}`)
    if (state !== 'leaving' && state !== 'left') return
    this.departure.moveClients()
    if (state === 'left') this.departure.linger()
  }

  ownStats(done: (stats: OwnStats) => void): void {
    const epoch = this.keeper.ring?.epoch ?? 0
    const known = { state: this.state, epoch, handoff: this.receiver.progress }
    gatherStats(this, this.departments, known, done)
  }

  /** The state does not permit it; another node can take it. */
  private refuse(from: Address, id: number): void {
    const message = `${this.self} is ${this.state}`
    this.runtime.send(from, { kind: 'error', id, code: 'STOPPING', definite: true, message })
  }

  private end(reason: StopReason): void {
    if (this.isOver) return
    this.isOver = true
    this.sweeper.stop()
    this.manager.stop()
    for (const department of this.departments) department.stop()
    this.log.info({ reason }, 'stopped')
    this.options.onStopped(reason)
  }
}
