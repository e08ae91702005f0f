/**
 * The Runtime of one simulated process.
 *
 * A process lives in turns, as on an event loop: what has arrived while it was busy is handled in one
 * turn, then comes what asked to run at the turn's end (`after(0)`), then everything that was sent
 * leaves. A turn takes a few microseconds and now and then milliseconds (collected garbage, a
 * starved core), so arrivals do pile up.
 */
import type { Micros } from '../shared/data/version.js'
import type { Message } from '../shared/protocol/messages.js'
import type {
  Address,
  CancelTimer,
  Millis,
  Process,
  ProcessId,
  Runtime,
} from '../shared/runtime/runtime.js'
import type { Link, Network } from './network.js'
import type { Random } from './random.js'
import type { World } from './world.js'

/** A turn that goes on asking for its own end this often is a loop, not a turn. */
const endOfTurnMax = 100_000

export interface SimRuntimeOptions {
  readonly world: World
  readonly network: Network
  readonly address: Address
  /** Others may connect to it; who does not listen can only connect to others. */
  readonly listen: boolean
  readonly isAlive: (process: ProcessId) => boolean
}

export class SimRuntime implements Runtime {
  readonly address: Address
  readonly listening: boolean
  /** This side of its connections, by peer; the network's own. */
  readonly links = new Map<Address, Link>()
  readonly #world: World
  readonly #network: Network
  readonly #random: Random
  readonly #isAlive: (process: ProcessId) => boolean
  #process: Process | undefined
  #closed = false
  #arrived: (() => void)[] = []
  #endOfTurn: (() => void)[] = []
  #outgoing: { link: Link; message: Message }[] = []
  #inTurn = false
  #turnDue = false
  #busyUntil: Micros = 0

  constructor({ world, network, address, listen, isAlive }: SimRuntimeOptions) {
    this.#world = world
    this.#network = network
    this.address = address
    this.listening = listen
    this.#isAlive = isAlive
    this.#random = world.random(`process ${address}`)
    network.register(this)
  }

  attach(process: Process): void {
    this.#process = process
  }

  get closed(): boolean {
    return this.#closed
  }

  now(): Millis {
    return this.#world.hostMicros / 1000
  }

  hostMicros(): Micros {
    return this.#world.hostMicros
  }

  random(): number {
    return this.#random.next()
  }

  send(to: Address, message: Message): boolean {
    if (this.#closed) return false
    const link = this.#network.queue(this, to)
    if (link === undefined) return false
    this.#outgoing.push({ link, message })
    if (!this.#inTurn) this.arrive(() => {})
    return true
  }

  after(ms: Millis, label: string, fire: () => void): CancelTimer {
    let isCancelled = false
    const guarded = () => {
      if (!isCancelled) fire()
    }
    if (ms <= 0) {
      this.#endOfTurn.push(guarded)
      if (!this.#inTurn) this.arrive(() => {})
      return () => {
        isCancelled = true
      }
    }
    const cancel = this.#world.at(ms * 1000, () => {
      this.#world.trace.event(this.#world.micros, this.address, label, 0)
      this.arrive(guarded)
    })
    return () => {
      isCancelled = true
      cancel()
    }
  }

  isAlive(process: ProcessId): boolean {
    return this.#isAlive(process)
  }

  /** What the world tells the process, now or as soon as its present turn is over. */
  arrive(task: () => void): void {
    if (this.#closed) return
    this.#arrived.push(task)
    if (this.#turnDue || this.#inTurn) return
    const wait = this.#busyUntil - this.#world.micros
    if (wait <= 0 && this.#world.enter()) {
      try {
        this.#turn()
      } finally {
        this.#world.leave()
      }
      return
    }
    this.#turnDue = true
    this.#world.at(Math.max(0, wait), () => {
      this.#turnDue = false
      if (this.#arrived.length > 0) this.arrive(() => {})
    })
  }

  received(from: Address, message: Message): void {
    this.#process?.received(from, message)
  }

  opened(peer: Address): void {
    this.#process?.opened(peer)
  }

  peerClosed(peer: Address): void {
    this.#process?.closed(peer)
  }

  /** Takes no turn for so long: stopped, or starved. What arrives meanwhile waits. */
  stall(micros: Micros): void {
    this.#busyUntil = Math.max(this.#busyUntil, this.#world.micros + micros)
  }

  /** Takes turns again, whatever held it up. */
  resume(): void {
    this.#busyUntil = this.#world.micros
    this.#turnDue = false
    if (this.#arrived.length > 0) this.arrive(() => {})
  }

  /** The process ends: what it sent in earlier turns still arrives, nothing else does. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#arrived = []
    this.#endOfTurn = []
    this.#outgoing = []
    this.#network.unregister(this)
  }

  #turn(): void {
    this.#inTurn = true
    const arrived = this.#arrived
    this.#arrived = []
    for (const task of arrived) {
      if (this.#closed) break
      task()
    }
    // By index: a callback may ask for another at the end of this same turn.
    for (let i = 0; i < this.#endOfTurn.length; i++) {
      if (i > endOfTurnMax) throw new Error(`${this.address}: a turn that does not end`)
      this.#endOfTurn[i]?.()
    }
    this.#endOfTurn = []
    this.#flush()
    this.#inTurn = false
    const cost = this.#random.chance(0.002)
      ? this.#random.between(500, 5_000)
      : this.#random.between(2, 30)
    this.#busyUntil = Math.max(this.#busyUntil, this.#world.micros + cost)
    if (this.#arrived.length > 0) this.arrive(() => {})
  }

  #flush(): void {
    const outgoing = this.#outgoing
    this.#outgoing = []
    for (const { link, message } of outgoing) this.#network.transmit(link, message)
  }
}
