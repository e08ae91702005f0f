/**
 * The clients: each makes calls on a few keys, one after another in each of its lanes, some with raised
 * quorums, some in too much of a hurry. Few keys make them meet; a pause makes them part. What they
 * ask for is in calls.ts.
 */
import { ClientCore } from '../client/core.js'
import type { GTStoreError } from '../shared/protocol/errors.js'
import { callTimeoutMs, managerRetryMs } from '../shared/runtime/limits.js'
import { Calls, type Manner } from './calls.js'
import type { Asking, EndOfCall, History, Told } from './history.js'
import type { Host } from './host.js'
import { faithful, type Plant, plantClient } from './planting.js'
import type { Random } from './random.js'
import type { SimRuntime } from './runtime.js'
import { hastyMs, hastyShare } from './settings.js'

export interface LoadOptions {
  readonly host: Host
  readonly history: History
  /** Whether the clients go on calling. */
  readonly goesOn: () => boolean
  /** Whether they take their time: the run waits for something else. */
  readonly isSlow: () => boolean
  readonly plant?: Plant | undefined
  readonly onFailed: (message: string) => void
}

/** What a call may come to while processes die, disks fail and messages get lost. */
const failuresOfFaults: ReadonlySet<string> = new Set([
  'TIMEOUT',
  'QUORUM_UNAVAILABLE',
  'CANNOT_CONNECT',
  'FORMING',
  'DISK_FULL',
  'STORAGE_FAILED',
  'OVERLOADED',
  'EXPIRED',
  'STOPPING',
  // Of those that cannot read, and go on with the context that they had.
  'TOO_MANY_SIBLINGS',
])

/** So that a run which waits for the end of a long pause goes on calling, but not too often. */
const slowThinkMicros = 100_000
const slowFactor = 10
/** After so many failures in a row a client pauses twice as long, and so on, up to so many times. */
const patientAfter = 50
const patienceMax = 10

/** All clients of a run. */
export class Load {
  readonly #clients: Client[] = []
  readonly #options: LoadOptions

  constructor(options: LoadOptions) {
    this.#options = options
    const values = { last: 0 }
    for (let number = 1; number <= options.host.settings.clients; number++) {
      this.#clients.push(new Client(`c${number}`, options, values))
    }
  }

  start(): void {
    for (const client of this.#clients) client.start()
  }

  get clients(): readonly Client[] {
    return this.#clients
  }

  /** All of them die; their successors start when they are told to. */
  kill(): void {
    for (const client of this.#clients) client.kill()
  }

  /** All of them may call. */
  get isReady(): boolean {
    return this.#clients.every(({ isReady }) => isReady)
  }

  /** No call is open, and none will follow. */
  get isOver(): boolean {
    return !this.#options.goesOn() && this.#clients.every(({ open }) => open === 0)
  }

  /** Every client reads every key once; `done` when all have. */
  readAll(done: () => void): void {
    let left = this.#clients.length
    for (const client of this.#clients) {
      client.readAll(() => {
        if (--left === 0) done()
      })
    }
  }
}

/** One client through all its lives. */
class Client {
  readonly #name: string
  readonly #options: LoadOptions
  readonly #values: { last: number }
  readonly #random: Random
  #life: Life
  #lives = 0
  /** In a row: the next call waits the longer, so that refusals do not use up the run. */
  #failures = 0
  open = 0

  constructor(name: string, options: LoadOptions, values: { last: number }) {
    this.#name = name
    this.#options = options
    this.#values = values
    this.#random = options.host.world.random(`client ${name}`)
    this.#life = this.#begin()
  }

  get runtime(): SimRuntime {
    return this.#life.runtime
  }

  get isReady(): boolean {
    return this.#life.state === 'registered'
  }

  /** Nothing where its present life has begun already. */
  start(): void {
    if (this.#life.state !== 'new') return
    this.#life.state = 'started'
    this.#register(this.#life)
  }

  #register(life: Life): void {
    const { host, onFailed } = this.#options
    life.runtime.arrive(() => {
      life.core.register(callTimeoutMs, (error) => {
        if (error === undefined) {
          life.state = 'registered'
          for (let i = 0; i < host.settings.inFlight; i++) this.#next(life)
        } else if (host.settings.faults !== undefined) {
          life.runtime.after(managerRetryMs, 'register again', () => this.#register(life))
        } else onFailed(`${this.#name} could not register: ${error.message}`)
      })
    })
  }

  /** SIGKILL; its successor knows nothing of what it had asked. */
  kill(): void {
    this.#life.runtime.close()
    this.open = 0
    this.#options.history.abandon(this.#writerName)
    this.#life = this.#begin()
  }

  get #writerName(): string {
    return this.#lives === 1 ? this.#name : `${this.#name}/${this.#lives}`
  }

  #begin(): Life {
    const { host, plant = faithful } = this.#options
    this.#lives++
    const writer = this.#random.hex(16)
    const runtime = host.openRuntime(`c-${writer}`, false)
    host.startProcess()
    const planted = plantClient(plant, { runtime, writer })
    const core = new ClientCore({
      runtime: planted.runtime,
      ringFiles: host.ringFiles,
      writer: planted.writer,
      timeoutMs: callTimeoutMs,
      log: host.logOf(this.#name),
    })
    runtime.attach(planted.process(core))
    const name = this.#writerName
    const calls = new Calls({
      core,
      settings: host.settings,
      random: this.#random,
      nextValue: () => `v${++this.#values.last}`,
      begin: (call, manner) => this.#record({ client: name, ...call }, manner),
    })
    return { runtime, core, calls, name, state: 'new' }
  }

  readAll(done: () => void): void {
    const { keys } = this.#options.host.settings
    this.#life.runtime.arrive(() => {
      let left = keys
      for (let key = 0; key < keys; key++) {
        const manner = { timeoutMs: callTimeoutMs, hasty: false, isSure: true }
        this.#life.calls.get(`k${key}`, manner, () => {
          if (--left === 0) done()
        })
      }
    })
  }

  #next(life: Life): void {
    const { host, goesOn, isSlow } = this.#options
    const { thinkMicros } = host.settings
    const isLeisurely = isSlow() || this.#failures > 0
    const patience = Math.min(patienceMax, 1 + this.#failures / patientAfter)
    const slow = patience * (slowThinkMicros + slowFactor * thinkMicros)
    const pause = isLeisurely ? slow : thinkMicros
    host.world.at(this.#random.below(pause), () => {
      life.runtime.arrive(() => {
        if (goesOn()) this.#call(() => this.#next(life))
      })
    })
  }

  #call(done: () => void): void {
    const random = this.#random
    const { keys, hotShare, readShare, replicas, readQuorum, writeQuorum, callMs } =
      this.#options.host.settings
    const key = random.chance(hotShare) ? 'k0' : `k${random.below(keys)}`
    const hasty = random.chance(hastyShare)
    const timeoutMs = hasty ? random.between(...hastyMs) : callMs
    const isRaised = random.chance(0.1)
    const r = isRaised ? random.between(readQuorum, replicas) : undefined
    const w = isRaised ? random.between(writeQuorum, replicas) : undefined
    const kind = random.chance(readShare) ? 'get' : random.chance(0.8) ? 'put' : 'delete'
    const manner = { timeoutMs, hasty, r, w }
    const { calls } = this.#life
    if (kind === 'get') calls.get(key, manner, done)
    else calls.write(kind, key, manner, done)
  }

  #record(call: Asking, { hasty, isSure }: Manner): EndOfCall {
    this.open++
    const end = this.#options.history.begin(call, hasty)
    return (error, told) => {
      this.open--
      this.#failures = error === undefined ? 0 : this.#failures + 1
      end(error, told)
      const { world } = this.#options.host
      world.trace.event(world.micros, this.#name, `${asText(call)}: ${outcomeOf(error, told)}`, 0)
      if (error !== undefined && !hasty && (isSure === true || !this.#mayFail(error))) {
        const { code, message } = error
        this.#options.onFailed(`${this.#name}: ${asText(call)} failed: ${code} ${message}`)
      }
    }
  }

  #mayFail({ code, definite }: GTStoreError): boolean {
    const { mayForm, faults, mode } = this.#options.host.settings
    if (mayForm && code === 'FORMING') return true
    // A write among siblings is sent once: where somebody leaves who had it, nobody asks again.
    if (mode === 'siblings' && !definite && failuresOfFaults.has(code)) return true
    // Of a key that is written all the time a chain forgets the oldest calls (decide.ts), and says so.
    if (mode === 'chain' && !definite && code === 'EXPIRED') return true
    return faults !== undefined && failuresOfFaults.has(code)
  }
}

/** What one life of a client consists of. */
interface Life {
  readonly runtime: SimRuntime
  readonly core: ClientCore
  readonly calls: Calls
  /** In the history: what a dead client may still have done is nobody else's. */
  readonly name: string
  state: 'new' | 'started' | 'registered'
}

/** `put k1 v7 if absent`, `put k1 v7 after v5,v6`. */
function asText({ kind, key, value, asked, seen }: Asking): string {
  const condition =
    asked === undefined ? '' : ` if ${asked.is === 'value' ? asked.value : asked.is}`
  return `${kind} ${key} ${value ?? ''}${condition}${seen === undefined ? '' : ` after ${seen}`}`
}

function outcomeOf(error: GTStoreError | undefined, told: Told | undefined): string {
  if (error !== undefined) return error.code
  return told?.met === undefined ? `${told?.values ?? told?.value ?? ''}` : 'refused'
}
