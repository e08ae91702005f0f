/**
 * The parent of the swarm: starts the manager, registers with it, starts the nodes that it names (all
 * of them after a `down`, one for each `node add`), and starts again what crashes. Nothing else
 * depends on it: killed, the swarm goes on, and the next supervisor adopts what runs.
 */
import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { killProcess } from '../shared/os/linux.js'
import { hasProcessFile, lastAddressOf, listProcesses } from '../shared/os/process-files.js'
import { openSocketRuntime, type SocketRuntime } from '../shared/os/sockets.js'
import type { SwarmOptions } from '../shared/os/swarm-file.js'
import type { StatusReport, SwarmState } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Log } from '../shared/runtime/runtime.js'
import { Keeper, type KeeperOptions } from './keeper.js'
import { startCrashesMax, startPollMs, startTimeoutMs } from './limits.js'
import { ManagerLink } from './manager-link.js'
import {
  managerArguments,
  nodeArguments,
  type Surroundings,
  startProcess,
  Utterances,
} from './processes.js'
import { stopSwarm } from './stop.js'

/** What a node is called before it has an id. */
const newNode = 'node'

export interface SupervisorOptions {
  readonly at: Surroundings
  readonly options: SwarmOptions
  /** Exists from the first `up` until all its nodes have joined once: those missing are added. */
  readonly foundingFile: string
  readonly founding: boolean
  readonly log: Log
  note(text: string): void
}

/** A process that the start could not do without; `said`: by it, since the start. */
export class ProcessFailure extends Error {
  readonly said: string

  constructor(how: string, said: Utterances) {
    const why = said.lastWords()
    super(why === '' ? how : `${how}: ${why}`)
    this.said = said.tail()
  }
}

/** What a start has come to. */
export interface Readiness {
  readonly state: SwarmState
  /** Members that serve, of those that were started. */
  readonly active: number
  readonly started: number
  /** Members missing until requests are accepted. */
  readonly needed: number
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #runtime: SocketRuntime
  readonly #link: ManagerLink
  readonly #nodes = new Set<Keeper>()
  readonly #said = new Map<string, Utterances>()
  #manager: Keeper
  #registered = false
  #starting = true
  #failed: Error | undefined
  #end: (how: 'stopped' | 'failed') => void = () => {}
  /** Settles when the swarm has ended without `stop`: stopped by `down`, or nothing is left of it. */
  readonly ended = new Promise<'stopped' | 'failed'>((resolve) => {
    this.#end = resolve
  })

  static async open(options: SupervisorOptions): Promise<Supervisor> {
    const { at, log } = options
    const runtime = await openSocketRuntime({
      run: at.run,
      self: 'supervisor',
      listen: true,
      log,
    })
    return new Supervisor(options, runtime)
  }

  private constructor(options: SupervisorOptions, runtime: SocketRuntime) {
    this.#options = options
    this.#runtime = runtime
    this.#manager = this.#keepManager()
    this.#link = new ManagerLink({
      runtime,
      nodes: options.options.nodes,
      onRegistered: (nodes) => this.#registeredWith(nodes),
      onSpawn: (node, who) => this.#spawn(node, `${who} asked for it`),
    })
    runtime.attach(this.#link)
  }

  /** Adopts what runs and starts what does not; returns once the swarm serves, or is forming. */
  async start(interrupted: AbortSignal): Promise<Readiness> {
    const running = listProcesses(this.#options.at.run)
    for (const { role, address, pid, startTime } of running) {
      if (role === 'node') this.#keepNode(nameOf(address) ?? '').adopt({ pid, startTime }, address)
    }
    const manager = running.find(({ role }) => role === 'manager')
    if (manager === undefined) this.#manager.start()
    else this.#manager.adopt(manager, manager.address)
    this.#link.register()
    const readiness = await this.#ready(interrupted)
    this.#starting = false
    if (readiness.active >= readiness.started) rmSync(this.#options.foundingFile, { force: true })
    return readiness
  }

  /** Stops every process; the data stays. Returns those that had to be killed. */
  async stop(hurry?: AbortSignal): Promise<readonly string[]> {
    this.#starting = false
    this.#link.end()
    for (const keeper of this.#keepers()) keeper.release()
    const children = this.#keepers().flatMap(({ process }) => process ?? [])
    const killed = await stopSwarm(this.#options.at.run, children, hurry)
    await this.#runtime.close()
    return killed
  }

  /**
   * After a failed start: ends what was started. What ran before is left alone, where there was any: it
   * may be another swarm's, with which this start collided. Returns whether everything is stopped.
   */
  async abandon(hurry?: AbortSignal): Promise<boolean> {
    if (!this.#keepers().some(({ adopted }) => adopted)) {
      await this.stop(hurry)
      return true
    }
    this.#starting = false
    this.#link.end()
    for (const keeper of this.#keepers()) {
      keeper.release()
      if (!keeper.adopted && keeper.process !== undefined) killProcess(keeper.process)
    }
    await this.#runtime.close()
    return false
  }

  #keepers(): Keeper[] {
    return [this.#manager, ...this.#nodes]
  }

  async #ready(interrupted: AbortSignal): Promise<Readiness> {
    const deadline = performance.now() + startTimeoutMs
    for (;;) {
      if (this.#failed !== undefined) throw this.#failed
      interrupted.throwIfAborted()
      const status = await this.#link.status().catch(() => undefined)
      const late = performance.now() > deadline
      if (status !== undefined && this.#registered) {
        this.#learnIds(status)
        const readiness = this.#readiness(status)
        if (readiness.active >= readiness.started || late) return readiness
      }
      if (late) throw this.#failure('manager', `did not answer within ${startTimeoutMs / 1000} s`)
      await delay(startPollMs)
    }
  }

  #readiness({ state, replicas, nodes }: StatusReport): Readiness {
    const active = nodes.filter((node) => node.state === 'active').length
    const started = this.#nodes.size
    return { state, active, started, needed: Math.max(0, replicas - active) }
  }

  #learnIds({ nodes }: StatusReport): void {
    for (const keeper of this.#nodes) {
      if (keeper.name !== '') continue
      keeper.name = nodes.find(({ pid }) => pid === keeper.process?.pid)?.id ?? ''
    }
  }

  #registeredWith(ring: readonly NodeId[]): void {
    this.#adoptManager()
    this.#startNodes(ring)
  }

  /** After the end of the one that was kept, somebody else may have started another. */
  #adoptManager(): void {
    const { at, note } = this.#options
    const running = listProcesses(at.run).find(({ role }) => role === 'manager')
    if (!this.#manager.done || running === undefined) return
    note(`the manager runs again (pid ${running.pid}): it is looked after`)
    this.#manager = this.#keepManager()
    this.#manager.adopt(running, running.address)
  }

  /** Once: a manager that was started again finds its nodes running. */
  #startNodes(ring: readonly NodeId[]): void {
    if (this.#registered) return
    this.#registered = true
    for (const node of ring) this.#spawn(node)
    if (!this.#options.founding && ring.length > 0) return
    const missing = this.#options.options.nodes - this.#nodes.size
    for (let count = 0; count < missing; count++) this.#spawn('')
  }

  #spawn(node: NodeId | '', why?: string): void {
    for (const keeper of this.#nodes) keeper.learnName()
    const kept = [...this.#nodes].find(({ name }) => node !== '' && name === node)
    const keeper = kept ?? this.#keepNode(node)
    keeper.start(why)
  }

  #keepManager(): Keeper {
    const { at, options } = this.#options
    return this.#keep(
      'manager',
      () => this.#launch('manager', managerArguments(at, options)),
      (_keeper, how) => this.#managerEnded(how),
    )
  }

  #keepNode(id: NodeId | ''): Keeper {
    const { at } = this.#options
    const keeper = this.#keep(
      id,
      (name) => this.#launch(name || newNode, nodeArguments(at, name)),
      (ended, how) => this.#nodeEnded(ended, how),
    )
    this.#nodes.add(keeper)
    return keeper
  }

  #launch(name: string, args: readonly string[]): ChildProcess {
    const { at } = this.#options
    if (!this.#said.has(name)) this.#said.set(name, new Utterances(at.data, name))
    return startProcess(at, name, args)
  }

  #failure(name: string, how: string): Error {
    const said = this.#said.get(name)
    const what = name === newNode ? 'a new node' : name
    const message = `${what === 'manager' ? 'the ' : ''}${what} ${how}`
    return said === undefined ? new Error(message) : new ProcessFailure(message, said)
  }

  #keep(name: string, start: KeeperOptions['start'], onEnded: KeeperOptions['onEnded']): Keeper {
    const { at, options, note } = this.#options
    return new Keeper({
      name,
      start,
      restart: options.restart === 'on-failure',
      running: (of) => listProcesses(at.run).find(({ address }) => nameOf(address) === of),
      nameOf: (process) => nameOf(lastAddressOf(at.run, process) ?? ''),
      endedClean: (address) => !hasProcessFile(at.run, address),
      note,
      onEnded,
    })
  }

  #managerEnded(how: 'clean' | 'crashed'): void {
    if (this.#starting) this.#failed ??= this.#failure('manager', 'ended')
    else if (how === 'clean') this.#end('stopped')
    else this.#endIfNothingIsLeft('failed')
  }

  #nodeEnded(keeper: Keeper, how: 'clean' | 'crashed'): void {
    if (keeper.done) {
      this.#nodes.delete(keeper)
      if (keeper.name !== '') this.#link.ended(keeper.name)
    }
    if (how === 'clean') return this.#endIfNothingIsLeft('stopped')
    if (this.#starting && (keeper.done || keeper.crashes >= startCrashesMax)) {
      const times = keeper.crashes === 1 ? 'once' : `${keeper.crashes} times`
      this.#failed ??= this.#failure(keeper.name || newNode, `ended ${times}`)
    }
    this.#endIfNothingIsLeft('failed')
  }

  #endIfNothingIsLeft(how: 'stopped' | 'failed'): void {
    if (this.#keepers().every(({ done }) => done)) this.#end(how)
  }
}

/** `manager`, or the id in a node's address, `n3` of `n3.1`; undefined while it asks for one. */
function nameOf(address: string): string | undefined {
  return /^(manager|n\d+(?=\.\d+$))/.exec(address)?.[1]
}
