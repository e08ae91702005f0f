/**
 * One life of a storage node's process, as storage/main.ts runs it: ask the manager for an identity,
 * open the stores, serve; end when the node has left, was stopped, evicted or killed, or failed.
 */

import { type Merge, mergeOf } from '../shared/data/merge.js'
import type { Micros } from '../shared/data/version.js'
import type { Message, NodeEnrollOk } from '../shared/protocol/messages.js'
import { addressOf, type NodeId } from '../shared/ring/description.js'
import type { Mark, Range } from '../shared/runtime/ports.js'
import type { Address, ProcessId } from '../shared/runtime/runtime.js'
import { Enrollment } from '../storage/enrollment.js'
import { hintMergeOf } from '../storage/hints/hint-store.js'
import { claimIdentity } from '../storage/identity.js'
import { StorageNode } from '../storage/node.js'
import { SimEngine, type SimEngineOptions } from './engine.js'
import type { Host } from './host.js'
import { faithful, hearing, type Plant, plantNode } from './planting.js'
import type { SimRuntime } from './runtime.js'

/** Told of what a node does that no message shows. */
export interface NodeWatcher {
  erased(node: NodeId, ranges: readonly Range[]): void
  /** Records that are about to be dropped from its store. */
  discarding(node: NodeId, marks: readonly Mark[]): void
  /** It takes up a message. */
  received(by: Address, from: Address, message: Message): void
}

export interface NodeProcessOptions {
  readonly host: Host
  /** The identity of the data directory; empty for a new one. */
  readonly node: NodeId | ''
  readonly plant?: Plant | undefined
  readonly watcher: NodeWatcher
  readonly onEnd: (process: NodeProcess, reason: string) => void
}

export class NodeProcess {
  readonly #options: NodeProcessOptions
  readonly #processId: ProcessId
  readonly #enrollmentRuntime: SimRuntime
  #runtime: SimRuntime | undefined
  #engines: readonly SimEngine[] = []
  #node: StorageNode | undefined
  #id: NodeId | ''
  #isLeaving = false
  #hasEnded = false
  #hasFailedDisk = false

  constructor(options: NodeProcessOptions) {
    const { host, node } = options
    this.#options = options
    this.#id = node
    this.#processId = host.startProcess(() => this.kill())
    this.#enrollmentRuntime = host.openRuntime(`enroll-${this.#processId.pid}`, false)
    const enrollment = new Enrollment({
      runtime: this.#enrollmentRuntime,
      node,
      log: host.logOf(this.#enrollmentRuntime.address),
      onEnrolled: (ok) => this.#enrolled(ok),
      onRefused: ({ code, message }) =>
        this.#end(code === 'NOT_FOUND' ? 'forgotten' : `refused: ${message}`),
    })
    this.#enrollmentRuntime.attach(enrollment)
    this.#enrollmentRuntime.arrive(() => enrollment.start())
  }

  /** Empty until the manager has given it one. */
  get id(): NodeId | '' {
    return this.#id
  }

  get node(): StorageNode | undefined {
    return this.#node
  }

  get address(): string | undefined {
    return this.#runtime?.address
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get isLeaving(): boolean {
    return this.#isLeaving
  }

  /** It will end as soon as it notices. */
  get hasFailedDisk(): boolean {
    return this.#hasFailedDisk
  }

  /** SIGTERM. */
  leave(): void {
    this.#isLeaving = true
    const node = this.#node
    if (node !== undefined) this.#runtime?.arrive(() => node.leave())
  }

  /** Gets no processor for so long: starved, or stopped. */
  stall(micros: Micros): void {
    this.#runtime?.stall(micros)
    this.#enrollmentRuntime.stall(micros)
  }

  /** SIGCONT. */
  resume(): void {
    this.#runtime?.resume()
    this.#enrollmentRuntime.resume()
  }

  /** SIGKILL: nothing that was not on its way or on the disk remains. */
  kill(): void {
    if (this.#hasEnded) return
    for (const engine of this.#engines) engine.crash()
    this.#end('killed')
  }

  /** The disk refuses the next write; false: there is no store yet. */
  failDisk(): boolean {
    const [engine] = this.#engines
    if (engine === undefined || this.#node === undefined) return false
    this.#hasFailedDisk = true
    this.#runtime?.arrive(() => engine.fail(new Error('EIO: the disk refused a write')))
    return true
  }

  #enrolled(ok: NodeEnrollOk): void {
    const { host, watcher } = this.#options
    this.#id = ok.node
    const address = addressOf({ id: ok.node, incarnation: ok.incarnation })
    const runtime = host.openRuntime(address, true)
    type Told = Pick<SimEngineOptions, 'onErase' | 'onDiscard'>
    const open = (name: string, merge: Merge, told: Told) =>
      new SimEngine({
        merge,
        store: host.disk.store(name),
        random: host.world.random(`engine ${name} ${address}`),
        later: (delay, fire) => {
          host.world.at(delay, () => runtime.arrive(fire))
        },
        syncMicrosMax: host.settings.syncMicrosMax,
        pageEntriesMax: host.settings.pageEntriesMax,
        ...told,
      })
    const engine = open(ok.node, mergeOf(ok.mode), {
      onErase: (ranges) => watcher.erased(ok.node, ranges),
      onDiscard: (marks) => watcher.discarding(ok.node, marks),
    })
    const hints = open(`${ok.node}/hints`, hintMergeOf(ok.mode), {})
    this.#runtime = runtime
    this.#engines = [engine, hints]
    host.world.at(0, () => this.#enrollmentRuntime.close())
    const store = host.world.random(`store ${address}`).hex(16)
    claimIdentity(engine, { swarm: ok.swarm, node: ok.node, store }, (error, identity, isNew) => {
      if (identity === undefined) this.#end(`refused: ${error?.message}`)
      else runtime.arrive(() => this.#serve(ok, identity.store, !isNew, runtime, { engine, hints }))
    })
  }

  #serve(
    ok: NodeEnrollOk,
    store: string,
    returning: boolean,
    runtime: SimRuntime,
    { engine, hints }: { readonly engine: SimEngine; readonly hints: SimEngine },
  ): void {
    const { host, watcher, plant = faithful } = this.#options
    const { ringFiles, disk } = host
    const { node: self, sloppy } = ok
    const space = { isLow: () => disk.store(self).isLow }
    const planted = plantNode(plant, { self, runtime, engine, hints, ringFiles, sloppy })
    const node = new StorageNode({
      member: { id: self, incarnation: ok.incarnation, ...this.#processId },
      store,
      returning,
      swarm: ok.swarm,
      swarmName: ok.swarmName,
      durability: ok.durability,
      mode: ok.mode,
      logOperations: ok.logOperations,
      runDirectory: '/run/simulated',
      boot: ok.boot,
      valueBytesMax: ok.valueBytesMax,
      runtime: planted.runtime,
      engine: planted.engine,
      hints: planted.hints,
      disk: space,
      sloppy: planted.sloppy,
      handoffBytesPerSecond: ok.handoffBytesPerSecond,
      ringFiles: planted.ringFiles,
      log: host.logOf(runtime.address),
      onStopped: (reason) => {
        host.world.at(0, () => engine.close(() => hints.close(() => this.#end(reason))))
      },
    })
    this.#node = node
    const process = planted.process(node)
    const { address } = runtime
    const hear = (from: Address, message: Message) => {
      watcher.received(address, from, message)
      process.received(from, message)
    }
    runtime.attach(hearing(process, hear))
    node.start()
    if (this.#isLeaving) node.leave()
  }

  #end(reason: string): void {
    if (this.#hasEnded) return
    const { host, onEnd } = this.#options
    this.#hasEnded = true
    host.endProcess(this.#processId)
    this.#runtime?.close()
    this.#enrollmentRuntime.close()
    onEnd(this, reason)
  }
}
