/** One life of the manager's process, as manager/main.ts runs it. */
import { Manager } from '../manager/manager.js'
import type { Step } from '../manager/steps.js'
import type { Micros } from '../shared/data/version.js'
import { valueBytesMaxDefault } from '../shared/runtime/limits.js'
import type { ProcessId } from '../shared/runtime/runtime.js'
import type { Host } from './host.js'
import { type Boundary, type JournalFile, replay, SimJournal } from './journal.js'
import { faithful, type Plant, plantManager } from './planting.js'
import type { SimRuntime } from './runtime.js'

const runDirectory = '/run/simulated'

export interface ManagerProcessOptions {
  readonly host: Host
  /** The journal, which outlives the process. */
  readonly file: JournalFile
  /** Number of this life. */
  readonly life: number
  readonly plant?: Plant | undefined
  /** True: the process was killed at this boundary. */
  readonly atBoundary: (boundary: Boundary) => boolean
  readonly onEnd: (reason: string) => void
}

export class ManagerProcess {
  readonly #options: ManagerProcessOptions
  readonly #processId: ProcessId
  readonly #manager: Manager
  readonly #runtime: SimRuntime
  readonly #journal: SimJournal<Step>
  #hasEnded = false

  constructor(options: ManagerProcessOptions) {
    const { host, file, life, plant = faithful } = options
    const { world, settings } = host
    this.#options = options
    this.#processId = host.startProcess(() => this.kill())
    const runtime = host.openRuntime('manager', true)
    this.#runtime = runtime
    this.#journal = new SimJournal<Step>({
      file,
      random: world.random(`journal ${life}`),
      later: (delay, fire) => {
        world.at(delay, () => runtime.arrive(fire))
      },
      syncMicrosMax: settings.syncMicrosMax,
      atBoundary: options.atBoundary,
    })
    const planted = plantManager(plant, {
      runtime,
      journal: this.#journal,
      ringFiles: host.ringFiles,
    })
    this.#manager = new Manager({
      config: {
        swarm: 'simulated',
        replicas: settings.replicas,
        readQuorum: settings.readQuorum,
        writeQuorum: settings.writeQuorum,
        virtualNodes: settings.virtualNodes,
        durability: 'sync',
        valueBytesMax: valueBytesMaxDefault,
        evictAfterMs: settings.evictAfterMs,
        sloppy: false,
        handoffBytesPerSecond: 0,
        mode: settings.mode,
        logOperations: false,
      },
      runtime: planted.runtime,
      journal: planted.journal,
      steps: replay<Step>(file.lines),
      ringFiles: planted.ringFiles,
      self: this.#processId,
      kill: (process) => host.kill(process),
      bootId: host.bootId,
      newSwarmId: world.random('swarm id').hex(16),
      runDirectory,
      log: host.logOf('manager'),
      onStopped: (error) => this.#end(`stopped: ${error?.message ?? 'as it was told'}`),
    })
    runtime.attach(planted.process(this.#manager))
    runtime.arrive(() => this.#manager.start())
  }

  get manager(): Manager {
    return this.#manager
  }

  /** Its journal, as it will be once all that is on its way to the disk has arrived there. */
  get journaled(): readonly string[] {
    return this.#journal.lines
  }

  /** Gets no processor for so long. */
  stall(micros: Micros): void {
    this.#runtime.stall(micros)
  }

  resume(): void {
    this.#runtime.resume()
  }

  /** SIGKILL. */
  kill(): void {
    if (this.#hasEnded) return
    this.#journal.crash()
    this.#end('killed')
  }

  /** The disk refuses the next write. */
  failDisk(): void {
    this.#runtime.arrive(() => this.#journal.fail(new Error('EIO: the disk refused a write')))
  }

  #end(reason: string): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const { host, onEnd } = this.#options
    host.endProcess(this.#processId)
    this.#runtime.close()
    onEnd(reason)
  }
}
