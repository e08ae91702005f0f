/**
 * What the command line and the drivers ask of a swarm besides its data: status, membership
 * changes, repair, stopping, and what each node stores. One connection to the manager, and one to each
 * node asked; no retries, since whoever watches decides about these.
 */
import { randomBytes } from 'node:crypto'
import { isProcessAlive, isProcessPaused } from '../shared/os/linux.js'
import { listProcesses } from '../shared/os/process-files.js'
import { cannotConnect, checkRunDirectory } from '../shared/os/reach.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { openSocketRuntime, type SocketRuntime } from '../shared/os/sockets.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type {
  ChangeReport,
  ChangeSubmit,
  Message,
  MessageOf,
  NodeDumpOk,
  NodeStatsOk,
  StatusReport,
} from '../shared/protocol/messages.js'
import type { Member, NodeId, RingDescription } from '../shared/ring/description.js'
import { InFlight } from '../shared/runtime/in-flight.js'
import { callTimeoutMs, managerAnswerMs } from '../shared/runtime/limits.js'
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
  /** The manager's; a node's (`manager` null) where the manager is down or silent for a second. */
  status(): Promise<StatusReport>
  /** The newest ring, from its file: there also without the manager. */
  ring(): RingDescription | undefined
  /** Whether the process of this life runs; it may be paused. */
  isAlive(member: Member): boolean
  /** Asks for a membership change; `query` its ticket for progress. `node`: empty for `add`. */
  submit(
    change: ChangeSubmit['change'],
    node: NodeId | '',
    how?: Partial<Pick<ChangeSubmit, 'force' | 'acceptLoss'>>,
  ): Promise<{ readonly ticket: number; readonly node: NodeId }>
  query(ticket: number): Promise<ChangeReport>
  /** Has the manager stop every process; resolves once it agreed. */
  stop(): Promise<void>
  /** What a node stores, tombstones included, in order of token and key. */
  dump(node: Address): AsyncGenerator<Entry, void, undefined>
  /** One page of the same, from behind the cursor; see `NodeDump`. */
  page(node: Address, from: DumpFrom): Promise<NodeDumpOk>
  stats(node: Address): Promise<NodeStatsOk>
  /** Begins a repair pass of the node; `stats` shows how far the pass of that number is. */
  repair(node: Address): Promise<number>
  /** Has the supervisor start a node that does not run; resolves once it was told. */
  spawn(node: NodeId): Promise<void>
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

type Question =
  | 'swarm.status'
  | 'change.submit'
  | 'change.query'
  | 'swarm.stop'
  | 'node.dump'
  | 'node.stats'
  | 'repair.start'
type Fields<K extends Question> = Omit<MessageOf<K>, 'id' | 'kind'>
export type DumpFrom = Fields<'node.dump'>

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
  readonly #openings = new Map<Address, () => void>()
  readonly #closings = new Map<Address, (error: GTStoreError) => void>()

  constructor(runtime: SocketRuntime, run: string, timeoutMs: number) {
    this.#runtime = runtime
    this.#run = run
    this.#timeoutMs = timeoutMs
  }

  async status(): Promise<StatusReport> {
    const asked = this.#ask('manager', 'swarm.status', {})
    const { status } = await Promise.any([asked, this.#standIn(asked)]).catch(() => asked)
    return status
  }

  /** A node's answer, once the manager failed or is late; rejects where it is not needed. */
  async #standIn(asked: Promise<unknown>): Promise<MessageOf<'swarm.status.ok'>> {
    const needed = await new Promise<boolean>((resolve) => {
      this.#runtime.after(managerAnswerMs, 'admin.manager', () => resolve(true))
      asked.then(
        () => resolve(false),
        () => resolve(true),
      )
    })
    const nodes = needed ? this.#livingNodes() : []
    return Promise.any(nodes.map((node, turn) => this.#askInTurn(node, turn)))
  }

  /** A node that does not answer in time must not keep the next one from being asked. */
  async #askInTurn(node: Address, turn: number): Promise<MessageOf<'swarm.status.ok'>> {
    if (turn > 0) {
      await new Promise<void>((resolve) => {
        this.#runtime.after(turn * managerAnswerMs, 'admin.node', resolve)
      })
    }
    return this.#ask(node, 'swarm.status', {})
  }

  /** Those that are paused come last. */
  #livingNodes(): Address[] {
    const nodes = listProcesses(this.#run).filter(({ address }) => /^n\d/.test(address))
    const paused = nodes.filter(isProcessPaused)
    const awake = nodes.filter((node) => !paused.includes(node))
    return [...awake, ...paused].map(({ address }) => address)
  }

  ring(): RingDescription | undefined {
    return openRingFiles(this.#run).newest()
  }

  isAlive(member: Member): boolean {
    return isProcessAlive(member)
  }

  async submit(
    change: ChangeSubmit['change'],
    node: NodeId | '',
    { force = false, acceptLoss = false } = {},
  ): Promise<{ ticket: number; node: NodeId }> {
    const fields = { change, node, force, acceptLoss }
    const reply = await this.#ask('manager', 'change.submit', fields)
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
      const from = { keysOnly: false, cursor, limitBytes: dumpPageBytes }
      const page: NodeDumpOk = await this.page(node, from)
      yield* page.entries
      if (page.next === null) return
      cursor = page.next
    }
  }

  page(node: Address, from: DumpFrom): Promise<NodeDumpOk> {
    return this.#ask(node, 'node.dump', from)
  }

  stats(node: Address): Promise<NodeStatsOk> {
    return this.#ask(node, 'node.stats', {})
  }

  async repair(node: Address): Promise<number> {
    const { pass } = await this.#ask(node, 'repair.start', {})
    return pass
  }

  spawn(node: NodeId): Promise<void> {
    return this.#tell('supervisor', { kind: 'node.spawn', node }, (resolve, reject) => {
      if (this.#opened.has('supervisor')) return resolve()
      this.#openings.set('supervisor', resolve)
      this.#closings.set('supervisor', reject)
    })
  }

  stopNode(node: Address): Promise<void> {
    return this.#tell(node, { kind: 'node.stop' }, (resolve) => this.#closings.set(node, resolve))
  }

  /** Sends what has no reply; `watch` sees from the connection that it arrived. */
  #tell(
    to: Address,
    message: Message,
    watch: (resolve: () => void, reject: (error: GTStoreError) => void) => void,
  ): Promise<void> {
    const told = new Promise<void>((resolve, reject) => {
      const cancel = this.#runtime.after(this.#timeoutMs, 'admin.told', () =>
        reject(timeout(to, message.kind, this.#timeoutMs)),
      )
      const settled =
        <T>(settle: (result: T) => void) =>
        (result: T) => {
          cancel()
          settle(result)
        }
      watch(settled<void>(resolve), settled(reject))
      if (!this.#runtime.send(to, message)) this.closed(to)
    })
    return told.finally(() => {
      this.#openings.delete(to)
      this.#closings.delete(to)
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
    this.#openings.get(peer)?.()
  }

  closed(peer: Address): void {
    const error = this.#refusals.get(peer) ?? this.#lost(peer)
    this.#opened.delete(peer)
    this.#refusals.delete(peer)
    for (const pending of this.#pending.all()) if (pending.to === peer) pending.settle(error)
    this.#closings.get(peer)?.(error)
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
    if (peer === 'supervisor') {
      return new GTStoreError('CANNOT_CONNECT', `no supervisor answers in ${this.#run}`)
    }
    return new GTStoreError('CANNOT_CONNECT', `node ${peer} does not run in ${this.#run}`)
  }
}

function timeout(peer: Address, kind: string, ms: number): GTStoreError {
  const message = `${peer} did not answer ${kind} within ${ms} ms; look at \`gtstore logs\``
  return new GTStoreError('TIMEOUT', message, { definite: false })
}
