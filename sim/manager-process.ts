/** The manager's process, as manager/main.ts runs it. */
import { Manager } from '../manager/manager.js'
import type { Step } from '../manager/steps.js'
import type { Micros } from '../shared/data/version.js'
import { evictAfterMsDefault, valueBytesMaxDefault } from '../shared/runtime/limits.js'
import type { Host } from './host.js'
import { replay, SimJournal } from './journal.js'
import type { SimRuntime } from './runtime.js'

const runDirectory = '/run/simulated'

export class ManagerProcess {
  readonly #lines: string[] = []
  readonly #manager: Manager
  readonly #runtime: SimRuntime

  constructor(host: Host) {
    const { world, settings } = host
    const runtime = host.openRuntime('manager', true)
    this.#runtime = runtime
    const journal = new SimJournal<Step>({
      lines: this.#lines,
      random: world.random('journal'),
      later: (delay, fire) => {
        world.at(delay, () => runtime.arrive(fire))
      },
      syncMicrosMax: settings.syncMicrosMax,
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
        evictAfterMs: evictAfterMsDefault,
        sloppy: false,
        handoffBytesPerSecond: 0,
      },
      runtime,
      journal,
      steps: [],
      ringFiles: host.ringFiles,
      self: host.startProcess(),
      kill: (process) => host.kill(process),
      bootId: host.bootId,
      newSwarmId: world.random('swarm id').hex(16),
      runDirectory,
      log: host.logOf('manager'),
      onStopped: () => runtime.close(),
    })
    runtime.attach(this.#manager)
    runtime.arrive(() => this.#manager.start())
  }

  get manager(): Manager {
    return this.#manager
  }

  /** Gets no processor for so long. */
  stall(micros: Micros): void {
    this.#runtime.stall(micros)
  }

  /** The journal as a next life of the manager would read it. */
  get journaled(): Step[] {
    return replay<Step>(this.#lines)
  }
}
