/**
 * What the command line and the drivers ask of a swarm besides its data: status, membership
 * changes, stopping, and what each node stores. One connection to the manager, and one to each node
 * asked; no retries, since whoever watches decides about these.
 */
import { randomBytes } from 'node:crypto'
import { cannotConnect, checkRunDirectory } from '../shared/os/reach.js'
import { openSocketRuntime, type SocketRuntime } from '../shared/os/sockets.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type {
  ChangeReport,
  ChangeSubmit,
  Message,
  MessageOf,
  StatusReport,
} from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { InFlight } from '../shared/runtime/in-flight.js'
import { callTimeoutMs } from '../shared/runtime/limits.js'
import type { Cursor, Entry } from '../shared/runtime/ports.js'
import type { Address, Log, Process } from '../shared/runtime/runtime.js'

export interface AdminOptions {
  /** Run directory of the swarm. */
  readonly run: string
  /** How long each question waits for its answer, in milliseconds. Default 5000. */
  readonly timeoutMs?: number | undefined
  readonly log?: Log | undefined
}

/**
 * Everything fails with CANNOT_CONNECT where the process asked is not there, with TIMEOUT where it
 * does not answer, and with its own error where it refuses.
 */
export interface Admin extends AsyncDisposable {
  status(): Promise<StatusReport>
  /** Asks for a membership change; `query` its ticket for progress. `node`: empty for `add`. */
  submit(
    change: ChangeSubmit['change'],
    node: NodeId | '',
  ): Promise<{ readonly ticket: number; readonly node: NodeId }>
  query(ticket: number): Promise<ChangeReport>
  /** Has the manager stop every process; resolves once it agreed. */
  stop(): Promise<void>
  /** What a node stores, tombstones included, in order of token and key. */
  dump(node: Address): AsyncGenerator<Entry, void, undefined>
  /** Stops one node, which keeps its data; resolves once it let go of the connection. */
  stopNode(node: Address): Promise<void>
  close(): Promise<void>
}

/** Opens no connection yet: that happens with the first question, to whom it asks. */
export async function openAdmin(options: AdminOptions): Promise<Admin> {
  const { run, timeoutMs = callTimeoutMs, log = silent } = options
  checkRunDirectory(run)
  let admin: AdminClient
  const runtime = await openSocketRuntime({
    run,
    self: `cli-${randomBytes(6).toString('hex')}`,
    listen: false,
    log,
    onRefused: (peer, error) => admin.refused(peer, error),
  })
  admin = new AdminClient(runtime, run, timeoutMs)
  runtime.attach(admin)
  return admin
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }
/** A page of `dump`. */
const dumpPageBytes = 1024 * 1024

type Question = 'swarm.status' | 'change.submit' | 'change.query' | 'swarm.stop' | 'node.dump'
type Fields<K extends Question> = Omit<MessageOf<K>, 'id' | 'kind'>

interface Pending {
  readonly to: Address
  readonly answer: string
  readonly settle: (reply: Message | GTStoreError) => void
}

class AdminClient implements Admin, Process {
  readonly #runtime: SocketRuntime
  readonly #run: string
  readonly #timeoutMs: number
  readonly #pending = new InFlight<Pending>()
  readonly #opened = new Set<Address>()
  readonly #refusals = new Map<Address, GTStoreError>()
  readonly #closings = new Map<Address, () => void>()

  constructor(runtime: SocketRuntime, run: string, timeoutMs: number) {
    this.#runtime = runtime
    this.#run = run
    this.#timeoutMs = timeoutMs
  }

  async status(): Promise<StatusReport> {
    const { status } = await this.#ask('manager', 'swarm.status', {})
    return status
  }

  async submit(
    change: ChangeSubmit['change'],
    node: NodeId | '',
  ): Promise<{ ticket: number; node: NodeId }> {
    const reply = await this.#ask('manager', 'change.submit', {
      change,
      node,
      force: false,
      acceptLoss: false,
    })
    return { ticket: reply.ticket, node: reply.node }
  }

  async query(ticket: number): Promise<ChangeReport> {
    const { report } = await this.#ask('manager', 'change.query', { ticket })
    return report
  }

  async stop(): Promise<void> {
    await this.#ask('manager', 'swarm.stop', {})
  }

  async *dump(node: Address): AsyncGenerator<Entry, void, undefined> {
    for (let cursor: Cursor | null = null; ; ) {
      const page: MessageOf<'node.dump.ok'> = await this.#ask(node, 'node.dump', {
        keysOnly: false,
        cursor,
        limitBytes: dumpPageBytes,
      })
      yield* page.entries
      if (page.next === null) return
      cursor = page.next
    }
  }

  stopNode(node: Address): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#runtime.after(this.#timeoutMs, 'admin.stop', () => {
        this.#closings.delete(node)
        reject(timeout(node, 'node.stop', this.#timeoutMs))
      })
      this.#closings.set(node, () => {
        cancel()
        resolve()
      })
      if (!this.#runtime.send(node, { kind: 'node.stop' })) this.closed(node)
    })
  }

  close(): Promise<void> {
    const error = new GTStoreError('CLOSED', 'the connection was closed', { definite: false })
    for (const pending of this.#pending.all()) pending.settle(error)
    return this.#runtime.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  received(from: Address, message: Message): void {
    if (!('id' in message)) return
    const pending = this.#pending.get(message.id)
    if (pending === undefined || pending.to !== from) return
    if (message.kind === 'error') {
      const { code, definite } = message
      pending.settle(new GTStoreError(code, message.message, { definite }))
    } else if (message.kind === pending.answer) pending.settle(message)
  }

  opened(peer: Address): void {
    this.#opened.add(peer)
  }

  closed(peer: Address): void {
    const error = this.#refusals.get(peer) ?? this.#lost(peer)
    this.#opened.delete(peer)
    this.#refusals.delete(peer)
    for (const pending of this.#pending.all()) if (pending.to === peer) pending.settle(error)
    this.#closings.get(peer)?.()
    this.#closings.delete(peer)
  }

  refused(peer: Address, error: GTStoreError): void {
    this.#refusals.set(peer, error)
  }

  #ask<K extends Question>(to: Address, kind: K, fields: Fields<K>): Promise<MessageOf<`${K}.ok`>> {
    return new Promise((resolve, reject) => {
      const id = this.#pending.add({
        to,
        answer: `${kind}.ok`,
        settle: (reply) => {
          this.#pending.delete(id)
          cancel()
          if (reply instanceof GTStoreError) reject(reply)
          else resolve(reply as MessageOf<`${K}.ok`>)
        },
      })
      const cancel = this.#runtime.after(this.#timeoutMs, 'admin.timeout', () =>
        this.#pending.get(id)?.settle(timeout(to, kind, this.#timeoutMs)),
      )
      const question = { kind, id, ...fields } as unknown as MessageOf<K>
      if (!this.#runtime.send(to, question)) this.#pending.get(id)?.settle(this.#lost(to))
    })
  }

  /** What a question that is not answered fails with when the connection to `peer` ends. */
  #lost(peer: Address): GTStoreError {
    if (this.#opened.has(peer)) {
      const message = `${peer} ended the connection before it answered; look at \`gtstore logs\``
      return new GTStoreError('CANNOT_CONNECT', message, { definite: false })
    }
    if (peer === 'manager') return cannotConnect(this.#run, undefined)
    return new GTStoreError('CANNOT_CONNECT', `node ${peer} does not run in ${this.#run}`)
  }
}

function timeout(peer: Address, kind: string, ms: number): GTStoreError {
  const message = `${peer} did not answer ${kind} within ${ms} ms; look at \`gtstore logs\``
  return new GTStoreError('TIMEOUT', message, { definite: false })
}
