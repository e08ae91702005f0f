/**
 * A world in which a test plays everybody else: it sees what the client sends, answers in the name
 * of nodes and manager, and moves the clock.
 */

import type { Mode } from '../shared/data/mode.js'
import type { Version } from '../shared/data/version.js'
import type { ErrorCode, GTStoreError } from '../shared/protocol/errors.js'
import type { Explain, Get, Message, Put, Write } from '../shared/protocol/messages.js'
import type { RingDescription } from '../shared/ring/description.js'
import type { Address, Log, Millis, Runtime } from '../shared/runtime/runtime.js'
import { ClientCore, type ClientCoreOptions } from './core.js'

/** What a call sends. */
export type Request = Put | Get | Write | Explain

export interface Sent<M extends Message = Message> {
  readonly to: Address
  readonly message: M
}

interface Timer {
  readonly at: Millis
  readonly fire: () => void
}

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }
export const writer = '00000000000000aa'
/** What a head, or a coordinator of siblings, gives a write. */
export const drawn: Version = { boot: 1, micros: 9, writer: '000000000000000e' }

export class World implements Runtime {
  readonly sent: Sent[] = []
  /** Peers whose queue is full. */
  readonly full = new Set<Address>()
  readonly dead = new Set<number>()
  ring: RingDescription | undefined
  private nowMs = 1_000
  private timers: Timer[] = []

  now(): Millis {
    return this.nowMs
  }

  hostMicros(): number {
    return Math.floor(this.nowMs * 1000)
  }

  random(): number {
    return 0
  }

  isAlive(process: { readonly pid: number }): boolean {
    return !this.dead.has(process.pid)
  }

  send(to: Address, message: Message): boolean {
    if (this.full.has(to)) return false
    this.sent.push({ to, message })
    return true
  }

  after(ms: Millis, _label: string, fire: () => void): () => void {
    const timer = { at: this.nowMs + ms, fire }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((other) => other !== timer)
    }
  }

  get timerCount(): number {
    return this.timers.length
  }

  /** Lets time pass, timers in their order. */
  pass(ms: Millis): void {
    const end = this.nowMs + ms
    for (;;) {
      const due = this.timers.filter((timer) => timer.at <= end)
      const [next] = due.sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.timers = this.timers.filter((timer) => timer !== next)
      this.nowMs = Math.max(this.nowMs, next.at)
      next.fire()
    }
    this.nowMs = end
  }

  /** What was sent since the last look. */
  take(): Sent[] {
    return this.sent.splice(0)
  }

  /** The one request sent since the last look. */
  takeOne(): Sent<Request> {
    const requests = this.take().filter(isRequest)
    const [one] = requests
    if (one === undefined || requests.length !== 1) throw new Error(`${requests.length} requests`)
    return one
  }
}

export function isRequest(sent: Sent): sent is Sent<Request> {
  return ['put', 'get', 'write', 'explain'].includes(sent.message.kind)
}

/** The outcome of a call, once it has one. */
export interface Outcome<T> {
  settled: number
  error?: GTStoreError | undefined
  result?: T | undefined
}

/** A callback that remembers, and what it remembers. */
export function outcome<T>(): [(error: GTStoreError | undefined, result?: T) => void, Outcome<T>] {
  const seen: Outcome<T> = { settled: 0 }
  const done = (error: GTStoreError | undefined, result?: T) => {
    seen.settled++
    seen.error = error
    seen.result = result
  }
  return [done, seen]
}

/** A client that the manager gave `nodes`. */
export function registeredClient(
  nodes: readonly Address[] = ['n1.1', 'n2.1', 'n3.1'],
  options: Partial<ClientCoreOptions> = {},
  mode: Mode = 'latest',
): { world: World; core: ClientCore } {
  const { world, core } = client(options)
  core.register(5_000, () => {})
  grant(world, core, nodes, { mode })
  return { world, core }
}

export function client(options: Partial<ClientCoreOptions> = {}): {
  world: World
  core: ClientCore
} {
  const world = new World()
  const ringFiles = { newest: () => world.ring }
  const core = new ClientCore({
    runtime: world,
    ringFiles,
    writer,
    timeoutMs: 5_000,
    log: silent,
    ...options,
  })
  return { world, core }
}

/** The manager answers the registration that was sent last. */
export function grant(
  world: World,
  core: ClientCore,
  nodes: readonly Address[],
  more: { readonly boot?: number; readonly client?: number; readonly mode?: Mode } = {},
): void {
  const asked = world.take().findLast((sent) => sent.message.kind === 'client.register')
  if (asked?.message.kind !== 'client.register') throw new Error('no registration was sent')
  core.received('manager', {
    kind: 'client.register.ok',
    mode: more.mode ?? 'latest',
    id: asked.message.id,
    client: more.client ?? 7,
    boot: more.boot ?? 1,
    nodes,
    valueBytesMax: 1_000,
    replicas: 3,
  })
}

/** The node a request went to answers it: with success, or an error. */
export function answer(core: ClientCore, { to, message }: Sent<Request>): void {
  core.opened(to)
  const { id } = message
  if (message.kind === 'put') core.received(to, { kind: 'put.ok', id })
  else if (message.kind === 'write') core.received(to, { kind: 'write.ok', id, version: drawn })
  else core.received(to, { kind: 'get.ok', id, value: null, version: null, node: to })
}

export function refuse(
  core: ClientCore,
  { to, message }: Sent<Request>,
  code: ErrorCode,
  definite = true,
  met?: Version,
): void {
  core.opened(to)
  const { id } = message
  core.received(to, { kind: 'error', id, code, definite, message: `refused: ${code}`, met })
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** A ring of nodes `n<pid>.1`. */
export function ringOf(pids: readonly number[], boot: number): RingDescription {
  const nodes = pids.map((pid) => `n${pid}`)
  return {
    epoch: 4,
    swarm: 'swarm',
    boot,
    members: pids.map((pid) => ({ id: `n${pid}`, incarnation: 1, pid, startTime: '1' })),
    placement: {
      replicas: 3,
      readQuorum: 2,
      writeQuorum: 2,
      tokens: pids.map((pid) => pid * 1000),
      nodes,
    },
  }
}
