/**
 * A client process of the nemesis: some calls in flight at any time, on a handful of keys that it
 * shares with the other clients for a moment, and now and then on older ones. It reports what it asked
 * and what it was told, with times of the host's monotonic clock, which all processes share.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Client, GTStoreError, init } from '../client/index.js'
import type { Mode } from '../shared/data/mode.js'
import { hostMicros } from '../shared/os/linux.js'
import { Random } from '../sim/random.js'
import { Asker } from './asking.js'
import type { Call } from './history.js'

export interface WorkerOptions {
  readonly name: string
  readonly dir: string
  readonly mode: Mode
  readonly seed: number
  readonly inFlight: number
  /** Time during which one set of keys is written. */
  readonly windowMs: number
  readonly keysPerWindow: number
}

export type WorkerReport =
  | { readonly calls: readonly Call[]; readonly registrations: number; readonly ended: boolean }
  | { readonly failed: string }

export type WorkerCommand = { readonly do: 'read'; readonly keys: readonly string[] } | 'end'

const reportMs = 200
const callTimeoutMs = 5_000
/** A client is closed and another one opened after so many calls: new ones must always get in. */
const callsPerClient = 300
const thinkMsMax = 16

class Worker {
  readonly #options: WorkerOptions
  readonly #random: Random
  readonly #asker: Asker
  #client: Promise<Client> | undefined
  #calls: Call[] = []
  #registrations = 0
  #made = 0
  #isOver = false

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#random = new Random(options.seed, options.name)
    this.#asker = new Asker(options.mode, this.#random.stream('asking'))
  }

  async run(): Promise<void> {
    const loops = Array.from({ length: this.#options.inFlight }, () => this.#loop())
    await Promise.all(loops)
  }

  end(): void {
    this.#isOver = true
  }

  report(ended: boolean): void {
    const report: WorkerReport = {
      calls: this.#calls,
      registrations: this.#registrations,
      ended,
    }
    this.#calls = []
    this.#registrations = 0
    process.send?.(report)
  }

  /** Reads each key until there is an answer: the last word of every history. */
  async readAll(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      while (!(await this.#call('get', key)));
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await (await client)?.finalize()
  }

  async #loop(): Promise<void> {
    while (!this.#isOver) {
      const kind = this.#kind()
      const key = this.#key()
      if (this.#asker.readsFirst(kind)) await this.#call('get', key)
      await this.#call(kind, key)
      await pause(this.#random.below(thinkMsMax))
    }
  }

  #kind(): Call['kind'] {
    const draw = this.#random.next()
    if (draw < 0.5) return 'get'
    return draw < 0.93 ? 'put' : 'delete'
  }

  #key(): string {
    const { windowMs, keysPerWindow } = this.#options
    const window = Math.floor(hostMicros() / 1000 / windowMs)
    const isOld = this.#random.chance(0.1)
    const back = isOld ? this.#random.below(20) : 0
    return `w${window - back}-${this.#random.below(keysPerWindow)}`
  }

  /** Whether it was answered, or there was nothing to ask. */
  async #call(kind: Call['kind'], key: string): Promise<boolean> {
    const client = await this.#opened()
    if (client === undefined) return false
    const value = kind === 'put' ? `${this.#options.name}-${++this.#made}` : undefined
    const call = await this.#asker.call(client, kind, key, value)
    if (call !== undefined) this.#calls.push(call)
    return call === undefined || call.returned !== null
  }

  /** Undefined: no process of the swarm took the new client within its time. */
  async #opened(): Promise<Client | undefined> {
    const isTired = this.#made > 0 && this.#random.chance(1 / callsPerClient)
    if (isTired) await this.close()
    const { dir } = this.#options
    const opening = this.#client ?? init({ dir, timeoutMs: callTimeoutMs })
    if (this.#client === undefined) this.#registrations++
    this.#client = opening
    try {
      return await opening
    } catch (error) {
      if (this.#client === opening) this.#client = undefined
      if (!(error instanceof GTStoreError)) throw error
      return undefined
    }
  }
}

async function main(options: WorkerOptions): Promise<void> {
  const worker = new Worker(options)
  const reporting = setInterval(() => worker.report(false), reportMs)
  const commands: WorkerCommand[] = []
  let wake: () => void = () => {}
  process.on('message', (command: WorkerCommand) => {
    commands.push(command)
    worker.end()
    wake()
  })
  const orphaned = () => process.exit(1)
  process.on('disconnect', orphaned)
  await worker.run()
  for (;;) {
    const command = commands.shift()
    if (command === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      continue
    }
    if (command === 'end') break
    await worker.readAll(command.keys)
    worker.report(true)
  }
  clearInterval(reporting)
  await worker.close()
  process.off('disconnect', orphaned)
  process.disconnect()
}

main(JSON.parse(process.argv[2] ?? '') as WorkerOptions).catch((error: unknown) => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.send?.({ failed: text } satisfies WorkerReport, () => process.exit(1))
})
