/**
 * A whole swarm on one simulated host: the manager, the supervisor with its nodes, and the clients.
 */
import type { StatusReport } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Range } from '../shared/runtime/ports.js'
import type { Host } from './host.js'
import { ManagerProcess } from './manager-process.js'
import { NodeProcess } from './node-process.js'
import type { Plant } from './planted.js'
import { Supervisor } from './supervisor.js'

export interface SwarmOptions {
  readonly host: Host
  readonly plant?: Plant | undefined
  readonly onErase: (node: NodeId, ranges: readonly Range[]) => void
  readonly onFailed: (message: string) => void
}

export class Swarm {
  readonly host: Host
  readonly manager: ManagerProcess
  readonly supervisor: Supervisor
  readonly #options: SwarmOptions
  #processes: NodeProcess[] = []

  constructor(options: SwarmOptions) {
    this.#options = options
    this.host = options.host
    this.manager = new ManagerProcess(this.host)
    this.supervisor = new Supervisor({
      host: this.host,
      spawn: (node) => {
        this.startNode(node)
      },
    })
  }

  /** Founds the swarm. */
  start(nodes: number): void {
    this.supervisor.start(nodes)
    for (let i = 0; i < nodes; i++) this.startNode('')
  }

  /** Those that have not ended, in order of their start. */
  get nodes(): readonly NodeProcess[] {
    return this.#processes
  }

  node(id: NodeId): NodeProcess | undefined {
    return this.#processes.find((process) => process.id === id)
  }

  startNode(node: NodeId | ''): NodeProcess {
    const { host, plant, onErase } = this.#options
    const process = new NodeProcess({
      host,
      node,
      plant,
      onErase,
      onEnd: (ended, reason) => this.#ended(ended, reason),
    })
    this.#processes.push(process)
    return process
  }

  /** The manager's status, as a command would get it. */
  status(told: (status: StatusReport) => void): void {
    this.supervisor.status(told)
  }

  #ended(process: NodeProcess, reason: string): void {
    const { world } = this.host
    world.trace.event(world.micros, process.id, `ended: ${reason}`, 0)
    this.#processes = this.#processes.filter((other) => other !== process)
    // A leaver that missed its last ring learns from the manager that it is no member any more.
    const isMember = this.host.ringFiles.newest()?.members.some(({ id }) => id === process.id)
    const isExpected = reason === 'left' || (reason === 'evicted' && !isMember)
    if (!isExpected) this.#options.onFailed(`${process.id} ended: ${reason}`)
  }
}
