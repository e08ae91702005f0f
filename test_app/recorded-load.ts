/**
 * Clients that meet on a few keys, with every call and answer recorded: what no single right answer
 * exists for is judged afterwards, by the checkers of the simulator.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '../client/index.js'
import { Asker } from '../nemesis/asking.js'
import { type Call, judgeAnswers } from '../nemesis/history.js'
import { Random } from '../sim/random.js'

export interface RecordedLoadOptions {
  /** All of one swarm. */
  readonly clients: readonly Client[]
  readonly keys: readonly string[]
  /** Calls in flight of each client. */
  readonly inFlight: number
}

const thinkMsMax = 12

export class RecordedLoad {
  readonly #options: RecordedLoadOptions
  readonly #users: readonly User[]
  #workers: Promise<unknown> = Promise.resolve()
  #isOver = false

  constructor(options: RecordedLoadOptions) {
    this.#options = options
    this.#users = options.clients.map((client, index) => new User(`c${index + 1}`, client))
  }

  start(): void {
    this.#workers = Promise.all(
      this.#users.flatMap((user) =>
        Array.from({ length: this.#options.inFlight }, () => this.#work(user)),
      ),
    )
  }

  /** Ends the traffic once every call in flight has, and reads every key once more. */
  async stop(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.#workers
    const [reader] = this.#users
    for (const key of this.#options.keys) await reader?.call('get', key)
  }

  /** Calls that were answered, on this key or on all. */
  answered(key?: string): number {
    return this.#count((call) => call.returned !== null && (key === undefined || call.key === key))
  }

  /** Writes whose condition did not hold. */
  get refused(): number {
    return this.#count(({ refused }) => refused === true)
  }

  /** Gets that read several siblings. */
  get several(): number {
    return this.#count(({ values = [] }) => values.length > 1)
  }

  /** Calls that failed. */
  get failures(): string[] {
    return this.#users.flatMap(({ name, calls }) =>
      calls.flatMap(({ kind, key, error }) =>
        error === undefined ? [] : [`${name} ${kind} ${key}: ${error}`],
      ),
    )
  }

  /** What is wrong with the answers. */
  judge(): string[] {
    return judgeAnswers(this.#options.clients[0]?.mode ?? 'latest', this.#users)
  }

  #count(counts: (call: Call) => boolean): number {
    return this.#users.reduce((sum, { calls }) => sum + calls.filter(counts).length, 0)
  }

  async #work(user: User): Promise<void> {
    while (!this.#isOver) {
      await user.step(this.#options.keys)
      await pause(user.random.below(thinkMsMax))
    }
  }
}

/** One client and what it was told. */
class User {
  readonly name: string
  readonly calls: Call[] = []
  readonly random: Random
  readonly #client: Client
  readonly #asker: Asker
  #made = 0

  constructor(name: string, client: Client) {
    this.name = name
    this.random = new Random(1, name)
    this.#client = client
    this.#asker = new Asker(client.mode, this.random.stream('asking'))
  }

  async step(keys: readonly string[]): Promise<void> {
    const key = this.random.pick(keys)
    const draw = this.random.next()
    const kind = draw < 0.5 ? 'get' : draw < 0.9 ? 'put' : 'delete'
    if (this.#asker.readsFirst(kind)) await this.call('get', key)
    await this.call(kind, key)
  }

  async call(kind: Call['kind'], key: string): Promise<void> {
    const value = kind === 'put' ? `${this.name}-${++this.#made}` : undefined
    const call = await this.#asker.call(this.#client, kind, key, value)
    if (call !== undefined) this.calls.push(call)
  }
}
