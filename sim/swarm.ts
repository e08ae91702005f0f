/**
 * A whole swarm on one simulated host: the manager, the supervisor and the nodes, through all their
 * lives. Clients are elsewhere (load.ts).
 */
import type { StatusReport } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Host } from './host.js'
import type { Boundary, JournalFile } from './journal.js'
import { Keeper } from './keeper.js'
import { ManagerProcess } from './manager-process.js'
import { NodeProcess, type NodeWatcher } from './node-process.js'
import type { Plant } from './planting.js'
import type { Random } from './random.js'
import { Supervisor } from './supervisor.js'

export interface SwarmOptions {
  readonly host: Host
  readonly plant?: Plant | undefined
  readonly watcher: NodeWatcher
  readonly onFailed: (message: string) => void
}

/** A node through all its lives, for which the supervisor cares. */
export interface KeptNode {
  readonly keeper: Keeper
  /** Empty until its process has been given one. */
  id: NodeId | ''
  /** Its present life; undefined while it is down. */
  process: NodeProcess | undefined
}

export class Swarm {
  readonly host: Host
  readonly journal: JournalFile = { lines: [], slowMicros: 0 }
  readonly #options: SwarmOptions
  readonly #random: Random
  readonly #managerKeeper: Keeper
  #manager: ManagerProcess | undefined
  #managerLives = 0
  #supervisor: Supervisor
  #isUnattended = false
  #kept: KeptNode[] = []
  /** Ends the manager at a boundary of its journal; set by faults. */
  atBoundary: (boundary: Boundary) => boolean = () => false

  constructor(options: SwarmOptions) {
    this.#options = options
    this.host = options.host
    this.#random = this.host.world.random('supervisor')
    this.#managerKeeper = this.#keep(() => this.#startManager())
    this.#managerKeeper.start()
    this.#supervisor = this.#newSupervisor()
  }

  /** Founds the swarm. */
  start(): void {
    for (let i = 0; i < this.host.settings.nodes; i++) this.startNode('')
  }

  /** Its present life; undefined while it is down. */
  get manager(): ManagerProcess | undefined {
    return this.#manager
  }

  get supervisor(): Supervisor {
    return this.#supervisor
  }

  /** Those that run, in order of their start. */
  get nodes(): readonly NodeProcess[] {
    return this.#kept.flatMap(({ process }) => process ?? [])
  }

  /** Those that run, will be started again, or were abandoned. */
  get kept(): readonly KeptNode[] {
    return this.#kept
  }

  node(id: NodeId): NodeProcess | undefined {
    return this.#kept.find(({ process }) => process?.id === id)?.process
  }

  startNode(node: NodeId | ''): KeptNode {
    const idOf = ({ id, process }: KeptNode) => process?.id ?? id
    const known = node === '' ? undefined : this.#kept.find((kept) => idOf(kept) === node)
    const kept = known ?? this.#newNode(node)
    kept.keeper.start()
    return kept
  }

  killSupervisor(): void {
    this.#isUnattended = true
    this.#supervisor.kill()
  }

  /** Adopts what runs, and starts what does not when its time has come. */
  restartSupervisor(): void {
    if (!this.#isUnattended) return
    this.#isUnattended = false
    this.#supervisor = this.#newSupervisor()
  }

  /** Every process that is to run is started at once; who was abandoned stays down. */
  startAll(): void {
    this.restartSupervisor()
    for (const keeper of [this.#managerKeeper, ...this.#kept.map((kept) => kept.keeper)]) {
      keeper.isPrompt = true
      if (!keeper.isAbandoned) keeper.start()
    }
  }

  /** The manager's status, as a command would get it; undefined where it does not answer. */
  status(told: (status: StatusReport | undefined) => void): void {
    this.#supervisor.status(told)
  }

  #keep(start: () => void): Keeper {
    const { world, settings } = this.host
    const { lateShare, lateMs } = settings.restarts
    const isUnattended = () => this.#isUnattended
    return new Keeper({ world, random: this.#random, lateShare, lateMs, start, isUnattended })
  }

  #newSupervisor(): Supervisor {
    return new Supervisor({
      host: this.host,
      nodes: this.host.settings.nodes,
      spawn: (node) => {
        this.startNode(node)
      },
    })
  }

  #startManager(): void {
    this.#manager = new ManagerProcess({
      host: this.host,
      file: this.journal,
      life: ++this.#managerLives,
      plant: this.#options.plant,
      atBoundary: (boundary) => this.atBoundary(boundary),
      onEnd: (reason) => this.#managerEnded(reason),
    })
  }

  #managerEnded(reason: string): void {
    this.#note('manager', reason)
    this.#manager = undefined
    this.#managerKeeper.died()
    const { faults } = this.host.settings
    const isFault = reason === 'killed' || reason.includes('journal')
    if (!isFault || faults === undefined) this.#options.onFailed(`the manager ended: ${reason}`)
  }

  #newNode(id: NodeId | ''): KeptNode {
    const keeper = this.#keep(() => {
      kept.process = this.#newProcess(kept)
    })
    const kept: KeptNode = { keeper, id, process: undefined }
    this.#kept.push(kept)
    return kept
  }

  #newProcess(kept: KeptNode): NodeProcess {
    const { plant, watcher } = this.#options
    return new NodeProcess({
      host: this.host,
      node: kept.id,
      plant,
      watcher,
      onEnd: (process, reason) => this.#nodeEnded(kept, process, reason),
    })
  }

  /** As storage/main.ts ends, and what the supervisor makes of it. */
  #nodeEnded(kept: KeptNode, process: NodeProcess, reason: string): void {
    const { id } = process
    kept.id = id
    kept.process = undefined
    this.#note(id, reason)
    const isMember = this.host.ringFiles.newest()?.members.some((member) => member.id === id)
    const isFaulty = this.host.settings.faults !== undefined
    switch (reason) {
      case 'left':
        if (isMember === false) this.#deleteData(id)
        return this.#forget(kept)
      case 'evicted':
        this.#deleteData(id)
        if (process.isLeaving) return this.#forget(kept)
        this.#forget(kept)
        this.startNode('')
        break
      case 'forgotten':
        if (isMember === false) this.#deleteData(id)
        this.#forget(kept)
        if (!process.isLeaving) this.startNode('')
        if (isFaulty) return
        break
      case 'killed':
      case 'failed':
        kept.keeper.died()
        if (isFaulty) return
        break
      default:
        // A command took it out, and it died before it could tidy up; or the ring without it is not out yet.
        if (isFaulty && reason.startsWith('refused')) {
          return isMember === true ? kept.keeper.died() : this.#forget(kept)
        }
        this.#forget(kept)
    }
    // A leaver that missed its last ring learns from the manager that it is no member any more.
    if (reason === 'evicted' && isMember !== true) return
    this.#options.onFailed(`${id} ended: ${reason}`)
  }

  #forget(kept: KeptNode): void {
    kept.keeper.ended()
    this.#kept = this.#kept.filter((other) => other !== kept)
  }

  #deleteData(node: NodeId | ''): void {
    this.host.disk.remove(node)
    this.host.disk.remove(`${node}/hints`)
  }

  #note(who: string, reason: string): void {
    const { world } = this.host
    world.trace.event(world.micros, who, `ended: ${reason}`, 0)
  }
}
