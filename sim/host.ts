/**
 * The simulated machine that all processes share: its clock, sockets, disk, run directory and table
 * of processes.
 */
import { decode, encode } from '../shared/protocol/codec.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import type { Address, Log, ProcessId } from '../shared/runtime/runtime.js'
import { Disk } from './disk.js'
import { Interference } from './interference.js'
import { Network } from './network.js'
import { SimRingFiles } from './ring-files.js'
import { SimRuntime } from './runtime.js'
import type { Settings } from './settings.js'
import { Weather } from './weather.js'
import type { World } from './world.js'

/** More messages than this on their way to one peer: its queue is full. */
const inFlightMax = 5_000
const firstPid = 1_000

export class Host {
  readonly world: World
  readonly settings: Settings
  readonly weather: Weather
  readonly interference: Interference
  readonly network: Network
  readonly disk = new Disk()
  readonly ringFiles: SimRingFiles
  readonly #living = new Map<number, string>()
  readonly #onPublish: ((ring: RingDescription) => void)[] = []
  readonly #killers = new Map<number, () => void>()
  #bootId: string
  #lastPid = firstPid

  constructor(world: World, settings: Settings) {
    this.world = world
    this.settings = settings
    this.#bootId = world.random('boot id').hex(32)
    this.weather = new Weather(world, settings.climate)
    this.interference = new Interference(world)
    this.network = new Network({
      world,
      interference: this.interference,
      weather: this.weather,
      reorder: settings.reorder,
      inFlightMax,
      overWire: settings.throughCodec ? throughCodec : (message) => message,
    })
    this.ringFiles = new SimRingFiles((ring) => {
      world.trace.event(world.micros, 'ring files', ring.change ? 'copying' : 'settled', ring.epoch)
      for (const told of this.#onPublish) told(ring)
    })
  }

  get bootId(): string {
    return this.#bootId
  }

  /** All processes are gone by now; the run directory may be, where it is kept in memory. */
  reboot(isRunDirectoryKept: boolean): void {
    this.world.restartClock()
    this.world.trace.event(this.world.micros, 'host', 'reboot', isRunDirectoryKept ? 1 : 0)
    this.#bootId = this.world.random(`boot id ${this.world.micros}`).hex(32)
    this.#lastPid = firstPid
    if (!isRunDirectoryKept) this.ringFiles.clear()
  }

  /** Calls back whenever a ring is published, at that instant. */
  watchRings(told: (ring: RingDescription) => void): void {
    this.#onPublish.push(told)
  }

  /** An entry in the table of processes; `kill` is what SIGKILL does to it. */
  startProcess(kill: () => void = () => {}): ProcessId {
    const pid = ++this.#lastPid
    // Pids begin anew with the host: without its life two processes might be taken for one.
    const startTime = `${this.#bootId.slice(0, 8)}-${this.world.hostMicros}`
    this.#living.set(pid, startTime)
    this.#killers.set(pid, kill)
    return { pid, startTime }
  }

  endProcess({ pid }: ProcessId): void {
    this.#living.delete(pid)
    this.#killers.delete(pid)
  }

  /** SIGKILL, if it still is the process that is meant. */
  kill({ pid, startTime }: ProcessId): void {
    if (this.#living.get(pid) === startTime) this.#killers.get(pid)?.()
  }

  openRuntime(address: Address, listen: boolean): SimRuntime {
    return new SimRuntime({
      world: this.world,
      network: this.network,
      address,
      listen,
      isAlive: ({ pid, startTime }) => this.#living.get(pid) === startTime,
    })
  }

  /** Log lines go to the trace, for its readers. */
  logOf(name: string): Log {
    const write = (level: string) => (fields: object, message: string) =>
      this.world.trace.remark(
        this.world.micros,
        () => `${name} ${level}: ${message} ${JSON.stringify(fields)}`,
      )
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    }
  }
}

/** `n3` of `n3.1`. */
export function nodeOf(address: Address): NodeId {
  return address.split('.')[0] ?? address
}

function throughCodec(message: Message): Message {
  const received = decode(encode(message))
  if (received instanceof Error)
    throw new Error(`the codec lost a ${message.kind}: ${received.message}`)
  return received
}
