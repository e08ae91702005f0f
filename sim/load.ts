/**
 * The clients and what they do: puts of unique values, gets and deletes on a few keys, some with
 * raised quorums, some in too much of a hurry. Few keys make them meet; a pause makes them part.
 */
import { ClientCore } from '../client/core.js'
import type { GTStoreError } from '../shared/protocol/errors.js'
import { callTimeoutMs } from '../shared/runtime/limits.js'
import type { History } from './history.js'
import type { Host } from './host.js'
import type { Random } from './random.js'
import type { SimRuntime } from './runtime.js'
import { hastyMs, hastyShare } from './settings.js'

export interface LoadOptions {
  readonly host: Host
  readonly history: History
  /** Whether the clients go on calling. */
  readonly goesOn: () => boolean
  readonly onFailed: (message: string) => void
}

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

class Client {
  readonly #name: string
  readonly #options: LoadOptions
  readonly #values: { last: number }
  readonly #random: Random
  readonly #runtime: SimRuntime
  readonly #core: ClientCore
  open = 0

  constructor(name: string, options: LoadOptions, values: { last: number }) {
    const { host } = options
    this.#name = name
    this.#options = options
    this.#values = values
    this.#random = host.world.random(`client ${name}`)
    const writer = this.#random.hex(16)
    this.#runtime = host.openRuntime(`c-${writer}`, false)
    host.startProcess()
    this.#core = new ClientCore({
      runtime: this.#runtime,
      ringFiles: host.ringFiles,
      writer,
      timeoutMs: callTimeoutMs,
      log: host.logOf(name),
    })
    this.#runtime.attach(this.#core)
  }

  start(): void {
    this.#runtime.arrive(() => {
      this.#core.register(callTimeoutMs, (error) => {
        if (error !== undefined) {
          this.#options.onFailed(`${this.#name} could not register: ${error.message}`)
          return
        }
        for (let i = 0; i < this.#options.host.settings.inFlight; i++) this.#next()
      })
    })
  }

  readAll(done: () => void): void {
    const { keys } = this.#options.host.settings
    this.#runtime.arrive(() => {
      let left = keys
      for (let key = 0; key < keys; key++) {
        this.#get(`k${key}`, { r: undefined, timeoutMs: callTimeoutMs, hasty: false }, () => {
          if (--left === 0) done()
        })
      }
    })
  }

  #next(): void {
    const { host, goesOn } = this.#options
    host.world.at(this.#random.below(host.settings.thinkMicros), () => {
      this.#runtime.arrive(() => {
        if (goesOn()) this.#call(() => this.#next())
      })
    })
  }

  #call(done: () => void): void {
    const random = this.#random
    const { keys, hotShare, readShare, replicas, readQuorum, writeQuorum } =
      this.#options.host.settings
    const key = random.chance(hotShare) ? 'k0' : `k${random.below(keys)}`
    const hasty = random.chance(hastyShare)
    const timeoutMs = hasty ? random.between(...hastyMs) : callTimeoutMs
    const isRaised = random.chance(0.1)
    const r = isRaised ? random.between(readQuorum, replicas) : undefined
    const w = isRaised ? random.between(writeQuorum, replicas) : undefined
    const kind = random.chance(readShare) ? 'get' : random.chance(0.8) ? 'put' : 'delete'
    if (kind === 'get') this.#get(key, { r, timeoutMs, hasty }, done)
    else if (kind === 'put') this.#put(key, { w, timeoutMs, hasty }, done)
    else this.#delete(key, { w, timeoutMs, hasty }, done)
  }

  #put(key: string, { w, timeoutMs, hasty }: Manner & { w: number | undefined }, done: () => void) {
    const value = `v${++this.#values.last}`
    const end = this.#begin({ kind: 'put', key, value }, hasty)
    this.#core.put(bytesOf(key), bytesOf(value), { w, timeoutMs }, (error) => {
      end(error)
      done()
    })
  }

  #get(key: string, { r, timeoutMs, hasty }: Manner & { r: number | undefined }, done: () => void) {
    const end = this.#begin({ kind: 'get', key, value: undefined }, hasty)
    this.#core.get(bytesOf(key), { r, timeoutMs }, (error, result) => {
      end(error, result === undefined ? undefined : Buffer.from(result.value).toString())
      done()
    })
  }

  #delete(
    key: string,
    { w, timeoutMs, hasty }: Manner & { w: number | undefined },
    done: () => void,
  ) {
    const end = this.#begin({ kind: 'delete', key, value: undefined }, hasty)
    this.#core.delete(bytesOf(key), { w, timeoutMs }, (error) => {
      end(error)
      done()
    })
  }

  #begin(
    call: { kind: 'put' | 'get' | 'delete'; key: string; value: string | undefined },
    hasty: boolean,
  ) {
    this.open++
    const end = this.#options.history.begin({ client: this.#name, ...call }, hasty)
    return (error: GTStoreError | undefined, read?: string) => {
      this.open--
      end(error, read)
      const { world } = this.#options.host
      const outcome = error === undefined ? (read ?? '') : error.code
      world.trace.event(
        world.micros,
        this.#name,
        `${call.kind} ${call.key} ${call.value ?? ''}: ${outcome}`,
        0,
      )
      if (error !== undefined && !hasty && !this.#mayFail(error)) {
        this.#options.onFailed(
          `${this.#name}: ${call.kind} ${call.key} failed: ${error.code} ${error.message}`,
        )
      }
    }
  }

  #mayFail({ code }: GTStoreError): boolean {
    return this.#options.host.settings.mayForm && code === 'FORMING'
  }
}

interface Manner {
  readonly timeoutMs: number
  readonly hasty: boolean
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text)
}
