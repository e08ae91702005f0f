/**
 * The configuration master: one switch from message to handler, and the parts wired together.
 *
 * It keeps the ring, numbers lives, epochs and clients, and is on nobody's path: reads and writes go
 * on while it is down. Whether a message may come now is the machine's word (machine.ts), what it
 * leads to for the ring is `advance`'s (membership.ts), and nothing is told before it is journaled.
 */

import type { Mode } from '../shared/data/mode.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Durability, Message, MessageOf } from '../shared/protocol/messages.js'
import { addressOf } from '../shared/ring/description.js'
import { stopWaitMs } from '../shared/runtime/limits.js'
import type { Journal, RingFiles } from '../shared/runtime/ports.js'
import type { Address, Log, Process, ProcessId, Runtime } from '../shared/runtime/runtime.js'
import { type CommandOptions, submitChange } from './commands.js'
import { Health } from './health.js'
import { Inspection } from './inspection.js'
import { Ledger } from './ledger.js'
import { ManagerPhase } from './machine.js'
import { Membership } from './membership.js'
import { Peers } from './peers.js'
import { Publisher } from './publisher.js'
import { Reception } from './reception.js'
import { foreignSwarm, notEnrolled } from './refusals.js'
import { isSound } from './schemas.js'
import { type ManagerState, nextNodeId } from './state.js'
import type { Step } from './steps.js'
import { Supervision } from './supervision.js'

/** The swarm's options, as chosen when it was created. */
export interface ManagerConfig {
  readonly swarm: string
  readonly replicas: number
  readonly readQuorum: number
  readonly writeQuorum: number
  readonly virtualNodes: number
  readonly durability: Durability
  readonly valueBytesMax: number
  /** A node that is down for so long is taken out of the ring. */
  readonly evictAfterMs: number
  /** Hints count towards W. */
  readonly sloppy: boolean
  /** What one node may receive by handoffs; 0: as fast as it can. */
  readonly handoffBytesPerSecond: number
  readonly mode: Mode
  /** Each operation is logged, with its outcome. */
  readonly logOperations: boolean
}

export interface ManagerOptions {
  readonly config: ManagerConfig
  readonly runtime: Runtime
  readonly journal: Journal<Step>
  /** What the journal holds; checked here. */
  readonly steps: readonly unknown[]
  readonly ringFiles: RingFiles
  readonly self: ProcessId
  /** SIGKILL, which ends stopped processes too; nothing happens where it is gone already. */
  readonly kill: (process: ProcessId) => void
  /** Changes with each start of the host. */
  readonly bootId: string
  /** Random; becomes the swarm's id if the journal is empty. */
  readonly newSwarmId: string
  readonly runDirectory: string
  readonly log: Log
  /** Called once, with an error if the manager could not go on. */
  readonly onStopped: (error?: Error) => void
}

export class Manager implements Process {
  readonly #options: ManagerOptions
  readonly #ledger: Ledger
  readonly #phase = new ManagerPhase()
  readonly #peers: Peers
  readonly #publisher: Publisher
  readonly #membership: Membership
  readonly #health: Health
  readonly #reception: Reception
  readonly #supervision: Supervision
  readonly #inspection: Inspection
  readonly #commands: CommandOptions
  #finished = false

  constructor(options: ManagerOptions) {
    const { runtime, config, log } = options
    this.#options = options
    this.#ledger = new Ledger(options.journal, options.steps, (error) => this.#journalFailed(error))
    this.#peers = new Peers(runtime, () => this.#processDied())
    this.#publisher = new Publisher(runtime, options.ringFiles, this.#peers)
    this.#health = new Health({
      runtime,
      peers: this.#peers,
      publisher: this.#publisher,
      processes: () => this.#membership.processes,
      onLooked: (changed) => this.#looked(changed),
    })
    this.#membership = new Membership({
      runtime,
      ledger: this.#ledger,
      publisher: this.#publisher,
      peers: this.#peers,
      health: this.#health,
      phase: this.#phase,
      settings: config,
      evictAfterMs: config.evictAfterMs,
      kill: options.kill,
      durability: config.durability,
      mode: config.mode,
      log,
    })
    const parts = {
      ledger: this.#ledger,
      membership: this.#membership,
      health: this.#health,
      peers: this.#peers,
      publisher: this.#publisher,
      log,
      send: (to: Address, message: Message) => this.#send(to, message),
    }
    const { valueBytesMax, replicas, mode } = config
    this.#reception = new Reception({ ...parts, valueBytesMax, replicas, mode })
    this.#supervision = new Supervision(parts)
    this.#commands = {
      ledger: this.#ledger,
      membership: this.#membership,
      settings: config,
      isSupervised: () => this.#supervision.isThere,
    }
    this.#inspection = new Inspection({
      ...this.#commands,
      runtime,
      health: this.#health,
      peers: this.#peers,
      phase: this.#phase,
      basics: {
        name: config.swarm,
        durability: config.durability,
        mode,
        quorums: config,
        pid: options.self.pid,
        runDirectory: options.runDirectory,
      },
    })
  }

  /** What is journaled or about to be: the fold of the steps so far. */
  get state(): ManagerState {
    return this.#ledger.state
  }

  /** Brings the journal up to the present, and takes up what was under way. */
  start(): void {
    const { bootId, newSwarmId, ringFiles, runtime, log } = this.#options
    const { swarm } = this.#ledger.state
    this.#ledger.compactIfLong()
    if (swarm === '') this.#ledger.commit({ step: 'swarm.created', swarm: newSwarmId })
    if (this.#ledger.state.bootId !== bootId) {
      const boot = this.#ledger.state.boot + 1
      this.#ledger.commit({ step: 'boot.raised', bootId, boot })
    }
    const newest = ringFiles.newest()
    const { epoch } = this.#ledger.state
    const isForeign = newest !== undefined && newest.swarm !== this.#ledger.state.swarm
    if (isForeign && newest.members.some((member) => runtime.isAlive(member))) {
      return this.#fail(foreignSwarm(this.#options.runDirectory))
    }
    if (newest !== undefined && (newest.epoch > epoch || (isForeign && newest.epoch === epoch))) {
      log.warn({ found: newest.epoch, epoch }, 'the run directory knows a ring that we do not')
      this.#ledger.commit({ step: 'epoch.raised', epoch: newest.epoch + 1 })
    }
    this.#membership.start()
  }

  /** Ends the whole swarm, and the manager after its nodes. */
  stop(): void {
    if (this.#phase.name === 'stopping') return
    this.#options.log.info({}, 'the swarm stops')
    this.#membership.stop()
    for (const { ticket, outcome } of this.#ledger.state.tickets) {
      if (outcome !== 'open') continue
      const reason = 'the swarm was stopped'
      this.#ledger.commit({ step: 'change.ended', ticket, outcome: 'aborted', reason })
    }
    this.#phase.send({ type: 'stop' })
    for (const member of this.#membership.processes) {
      if (this.#peers.isConnected(member)) this.#send(addressOf(member), { kind: 'node.stop' })
      this.#peers.expect(member)
    }
    this.#options.runtime.after(stopWaitMs, 'manager stop', () => this.#finish())
    this.#finishIfAlone()
  }

  opened(peer: Address): void {
    if (this.#finished) return
    this.#peers.opened(peer)
    if (this.#phase.name !== 'stopping') return
    const isNode = this.#membership.processes.some((member) => addressOf(member) === peer)
    if (isNode) this.#send(peer, { kind: 'node.stop' })
  }

  closed(peer: Address): void {
    this.#supervision.closed(peer)
    this.#inspection.closed(peer)
    this.#peers.closed(peer)
  }

  received(from: Address, message: Message): void {
    if (!this.#phase.accepts(message.kind)) {
      return this.#refuse(from, message, this.#phase.refusal(message.kind))
    }
    if (!isSound(message)) {
      const error = new GTStoreError('INVALID_ARGUMENT', `${message.kind} with unusable fields`)
      return this.#refuse(from, message, error)
    }
    this.#dispatch(from, message)
  }

  #dispatch(from: Address, message: Message): void {
    switch (message.kind) {
      case 'client.register':
        return this.#reception.register(from, message)
      case 'clients.grant':
        return this.#reception.grant(from, message)
      case 'node.enroll':
        return this.#enroll(from, message)
      case 'node.join':
        return this.#join(from, message)
      case 'node.leave':
        return this.#leave(from, message)
      case 'handoff.complete':
        return this.#membership.completed(message.plan, message.node)
      case 'chain.ready':
        return this.#membership.ready(message.epoch, message.node)
      case 'node.stats.ok':
      case 'error':
        return this.#inspection.answered(from, message)
      case 'supervisor.register':
        return this.#supervision.register(from, message)
      case 'node.ended':
        return this.#membership.ended(message.node)
      case 'gossip.ack':
        return this.#health.acknowledged(from)
      case 'health.report':
        return this.#health.reported(from, message)
      case 'swarm.status':
        return this.#status(from, message)
      case 'change.submit':
        return this.#submit(from, message)
      case 'change.query':
        return this.#query(from, message)
      case 'swarm.stop':
        this.#send(from, { kind: 'swarm.stop.ok', id: message.id })
        return this.stop()
      default:
        throw new Error(`the machine accepted ${message.kind}, which has no handler`)
    }
  }

  #enroll(from: Address, message: MessageOf<'node.enroll'>): void {
    const { config } = this.#options
    const { swarm: swarmName, durability, valueBytesMax, sloppy } = config
    const { handoffBytesPerSecond, mode, logOperations } = config
    const options = {
      swarmName,
      durability,
      valueBytesMax,
      sloppy,
      handoffBytesPerSecond,
      mode,
      logOperations,
    }
    const node = message.node === '' ? nextNodeId(this.#ledger.state) : message.node
    const record = this.#ledger.state.nodes[node]
    if (message.node !== '' && (record === undefined || record.lost)) {
      // A node that is told to go may give up its data.
      const refused = notEnrolled(this.#ledger.state, node)
      return this.#ledger.whenDurable(() => this.#refuse(from, message, refused))
    }
    const incarnation = (record?.incarnation ?? 0) + 1
    this.#ledger.commit({ step: 'node.enrolled', node, incarnation }, () => {
      const { boot, swarm } = this.#ledger.state
      const life = { node, incarnation, boot, swarm, ...options }
      this.#send(from, { kind: 'node.enroll.ok', id: message.id, ...life })
    })
  }

  #join(from: Address, message: MessageOf<'node.join'>): void {
    if (from !== addressOf(message.member)) {
      const error = new GTStoreError('INVALID_ARGUMENT', `${from} joins in another node's name`)
      return this.#refuse(from, message, error)
    }
    this.#membership.join(message, (refused) => {
      if (refused !== undefined) return this.#refuse(from, message, refused)
      this.#send(from, { kind: 'node.join.ok', id: message.id })
      const named = this.#publisher.current?.members ?? []
      if (named.some((member) => addressOf(member) === from)) this.#publisher.tell(message.member)
    })
  }

  #leave(from: Address, { id, node, incarnation }: MessageOf<'node.leave'>): void {
    const member = this.#membership.member(node)
    // A life that was not let in yet says so again once it was.
    if (member !== undefined && member.incarnation < incarnation) return
    this.#send(from, { kind: 'node.leave.ok', id })
    if (member !== undefined && member.incarnation !== incarnation) return
    if (!this.#membership.leave(node)) return
    const ring = this.#publisher.current
    this.#send(from, ring === undefined ? { kind: 'node.stop' } : { kind: 'ring.publish', ring })
  }

  #submit(from: Address, message: MessageOf<'change.submit'>): void {
    const { id, node } = message
    submitChange(this.#commands, message, (outcome) => {
      if (outcome instanceof GTStoreError) return this.#refuse(from, message, outcome)
      const { ticket, fresh } = outcome
      const named = fresh === '' ? node : fresh
      this.#send(from, { kind: 'change.submit.ok', id, ticket, node: named })
      if (fresh !== '') this.#supervision.spawn(fresh)
    })
  }

  #query(from: Address, message: MessageOf<'change.query'>): void {
    this.#inspection.change(message.ticket, (report) => {
      if (report !== undefined) {
        return this.#send(from, { kind: 'change.query.ok', id: message.id, report })
      }
      const text = `there is no change ${message.ticket}, or it is long done`
      this.#refuse(from, message, new GTStoreError('NOT_FOUND', text))
    })
  }

  #status(from: Address, { id }: MessageOf<'swarm.status'>): void {
    this.#inspection.status((status) => {
      this.#send(from, { kind: 'swarm.status.ok', id, status })
    })
  }

  #processDied(): void {
    if (this.#phase.name === 'stopping') this.#finishIfAlone()
    else {
      this.#health.look()
      this.#membership.advance()
    }
  }

  /** A look at who is down may find somebody who must be evicted, or started again. */
  #looked(changed: boolean): void {
    this.#membership.looked(changed)
    this.#supervision.revive()
  }

  #finishIfAlone(): void {
    if (!this.#membership.processes.some((member) => this.#peers.isAlive(member))) this.#finish()
  }

  #finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#ledger.close(() => this.#options.onStopped())
  }

  /** The disk failed: nodes and clients go on without us, and the next life takes over. */
  #journalFailed(cause: Error): void {
    const text = 'the manager cannot write its journal: check the disk, then start it again'
    this.#fail(new GTStoreError('STORAGE_FAILED', text, { cause }))
  }

  /** This life of the manager ends; nobody else is told to. */
  #fail(error: GTStoreError): void {
    if (this.#finished) return
    this.#finished = true
    this.#membership.stop()
    this.#phase.send({ type: 'stop' })
    this.#options.log.error({ err: error }, 'the manager cannot go on')
    this.#ledger.close(() => this.#options.onStopped(error))
  }

  #refuse(from: Address, message: Message, error: GTStoreError): void {
    const { kind } = message
    this.#options.log.debug({ from, kind, reason: error.message }, 'refused')
    const isReply = kind === 'error' || kind === 'stale' || kind.endsWith('.ok')
    if (isReply || kind === 'handoff.batch' || !('id' in message)) return
    const { code, definite } = error
    this.#send(from, { kind: 'error', id: message.id, code, definite, message: error.message })
  }

  #send(to: Address, message: Message): void {
    this.#options.runtime.send(to, message)
  }
}
