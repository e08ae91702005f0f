/**
 * The client, without its sockets and promises: registers, stamps writes, checks arguments, and
 * hands calls to the dispatcher (operations.ts). Every call has exactly one outcome, given to its
 * callback, never before the method that made it returned.
 */
import type { Mode } from '../shared/data/mode.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { RingFiles } from '../shared/runtime/ports.js'
import type {
  Address,
  CancelTimer,
  Log,
  Millis,
  Process,
  Runtime,
} from '../shared/runtime/runtime.js'
import type { ExplainDone, GetDone, PutDone } from './calls.js'
import { Dispatcher } from './dispatcher.js'
import {
  type Cancel,
  type DeleteDone,
  type GetOptions,
  Operations,
  type PutOptions,
} from './operations.js'
import { type Grant, nodeRegistrationId, Registration } from './registration.js'
import { Routes } from './routes.js'
import { Stamps } from './stamps.js'

export type { ExplainDone, GetDone, GetResult, PutDone } from './calls.js'
export type { Cancel, DeleteDone, GetOptions, PutOptions } from './operations.js'

export interface ClientCoreOptions {
  readonly runtime: Runtime
  readonly ringFiles: Pick<RingFiles, 'newest'>
  /** 64 random bits of this instance, as 16 hexadecimal digits. */
  readonly writer: string
  /** The forwarder, as long as it can be reached. */
  readonly via?: NodeId | undefined
  /** Of calls that name no other. */
  readonly timeoutMs: Millis
  readonly log: Log
}

export class ClientCore implements Process {
  private readonly options: ClientCoreOptions
  private readonly runtime: Runtime
  private readonly routes: Routes
  private readonly dispatcher: Dispatcher
  private readonly operations: Operations
  private readonly registration: Registration
  private grant: Grant | undefined
  /** Random id of the swarm that this client was begun with, once somebody has said it. */
  private swarm: string | undefined
  /** Another swarm was found in its place: why no call may begin any more. */
  private replaced: string | undefined
  private registering: { done: PutDone; cancelTimer: CancelTimer } | undefined
  private finalizing: (() => void) | undefined
  private state: 'open' | 'finalizing' | 'closed' = 'open'

  constructor(options: ClientCoreOptions) {
    this.options = options
    this.runtime = options.runtime
    this.routes = new Routes(options.via)
    this.dispatcher = new Dispatcher({
      runtime: this.runtime,
      routes: this.routes,
      onLost: () => this.registration.begin(),
      onIdle: () => this.finishIfIdle(),
    })
    this.operations = new Operations({
      runtime: this.runtime,
      dispatcher: this.dispatcher,
      stamps: new Stamps(options.runtime, options.writer),
      timeoutMs: options.timeoutMs,
      access: () => this.access(),
    })
    this.registration = new Registration({
      runtime: this.runtime,
      ringFiles: options.ringFiles,
      isWanted: () => this.registering !== undefined || this.isLost,
      onGranted: (grant) => this.granted(grant),
    })
  }

  /** The swarm's number for this client; 0 until the manager or a node has given one. */
  get id(): number {
    return this.grant?.client ?? 0
  }

  /** `latest` as long as nobody has said it: no call is taken before. */
  get mode(): Mode {
    return this.grant?.mode ?? 'latest'
  }

  /** Calls without an outcome. */
  get pending(): number {
    return this.dispatcher.pending
  }

  /** Must succeed before the first call. Fails with CANNOT_CONNECT, or NOT_FOUND for `via`. */
  register(timeoutMs: Millis, done: (error: GTStoreError | undefined) => void): void {
    const cancelTimer = this.runtime.after(timeoutMs, 'client.register.timeout', () => {
      const message = `neither manager nor node could be reached within ${timeoutMs} ms`
      this.registered(new GTStoreError('CANNOT_CONNECT', message))
    })
    this.registering = { done, cancelTimer }
    this.registration.begin()
  }

  /**
   * Writes a value; null deletes. `key` and `value` must not change until `done`, which gets the
   * version that the value has, whichever attempt succeeded. A chain decides the condition and writes
   * in one step; the other modes know `present` alone, as a read before the write.
   */
  put(key: Uint8Array, value: Uint8Array | null, options: PutOptions, done: PutDone): Cancel {
    return this.operations.put(key, value, options, done)
  }

  /** Writes where the key has no value, else fails: in a chain one step, else a read and a write. */
  create(key: Uint8Array, value: Uint8Array, options: PutOptions, done: PutDone): Cancel {
    return this.operations.create(key, value, options, done)
  }

  /** Reads the newest value; `done` gets neither an error nor a result where the key is missing. */
  get(key: Uint8Array, options: GetOptions, done: GetDone): Cancel {
    return this.operations.get(key, options, done)
  }

  /**
   * Deletes a key. In a chain that is one step. Otherwise it reads whether the key exists, then writes
   * a tombstone, stamped after the read: `existed` is what the read saw. In mode `latest` a write
   * between the two is deleted as well, without a trace in it; of siblings only what was read is
   * deleted, or what `context` covers.
   */
  delete(key: Uint8Array, options: PutOptions, done: DeleteDone): Cancel {
    return this.operations.delete(key, options, done)
  }

  /** A get that tells how it came about. */
  explain(key: Uint8Array, options: GetOptions, done: ExplainDone): Cancel {
    return this.operations.explain(key, options, done)
  }

  /**
   * Refuses new calls; `done` follows when those pending are over, by their deadlines at the
   * latest.
   */
  finalize(done: () => void): void {
    const before = this.finalizing
    this.finalizing = () => {
      before?.()
      done()
    }
    if (this.state === 'open') this.state = 'finalizing'
    this.runtime.after(0, 'client.finalize', () => this.finishIfIdle())
  }

  received(from: Address, message: Message): void {
    switch (message.kind) {
      case 'get.ok':
      case 'put.ok':
      case 'write.ok':
      case 'explain.ok':
        this.dispatcher.answered(from, message)
        break
      case 'error':
        if (from === 'manager') this.registration.failed(message.id)
        else if (message.id === nodeRegistrationId) this.registration.failedAt(from)
        else this.dispatcher.refused(from, message)
        break
      case 'client.register.ok':
        this.registration.received(message)
        break
      case 'swarm.status.ok':
        this.registration.told(message.status.mode)
        break
      case 'forwarder.moved':
        this.routes.moved(from, message.nodes, this.runtime.random())
        break
      default:
        this.options.log.warn({ from, kind: message.kind }, 'unexpected message')
    }
  }

  /** A process did not take our connection; one of another version never will. */
  refused(error: GTStoreError): void {
    if (error.code === 'VERSION_MISMATCH' && this.registering !== undefined) this.registered(error)
  }

  /**
   * Whether a process of this swarm may be asked anything; empty: it does not say of which it is. A
   * directory may hold another swarm than before, with nodes that are called alike: it knows nothing of
   * what was put, and where its mode is another one, its answers mean something else.
   */
  isOurs(swarm: string): boolean {
    if (swarm === '') return true
    this.swarm ??= swarm
    if (swarm !== this.swarm) this.replace('another swarm has taken the place of the one')
    return swarm === this.swarm
  }

  opened(peer: Address): void {
    this.dispatcher.opened(peer)
  }

  closed(peer: Address): void {
    if (peer === 'manager') return this.registration.failed(undefined)
    const before = this.routes.count
    this.dispatcher.closed(peer)
    // With the last one nobody would be left to ask while a registration goes on.
    const isLast = before > 1 && this.routes.count === 1
    if (isLast && this.replaced === undefined) this.registration.begin()
    // Last, since what follows may send to this peer again, over another connection.
    this.registration.failedAt(peer)
  }

  /** Calls are pending and there is no node to send them to. */
  private get isLost(): boolean {
    return this.routes.forwarder === undefined && this.dispatcher.pending > 0
  }

  private granted(grant: Grant): void {
    const mode = this.grant?.mode ?? grant.mode
    if (grant.mode !== mode) {
      return this.replace(
        `a swarm of mode ${grant.mode} has taken the place of the one of mode ${mode}`,
      )
    }
    if (!this.isOurs(grant.swarm ?? '')) return
    this.grant = grant
    this.routes.adopt(grant.nodes)
    if (this.registering !== undefined) this.registered(this.viaRefusal())
    if (grant.nodes.length > 0) {
      this.dispatcher.rerouted()
      return
    }
    this.dispatcher.unroutable(this.nobodyIsUp())
  }

  /** Nothing that this client has said or heard is of the swarm that is there now. */
  private replace(what: string): void {
    this.replaced ??= `${what} that this client was begun with: init another client`
    const error = new GTStoreError('VERSION_MISMATCH', this.replaced)
    this.dispatcher.failAll(error.code, error.message)
    this.registered(error)
  }

  private nobodyIsUp(): GTStoreError {
    const hasMembers = (this.options.ringFiles.newest()?.members.length ?? 0) > 0
    if (!hasMembers) {
      const message = 'no storage node has joined the swarm yet; start one with `gtstore node add`'
      return new GTStoreError('FORMING', message)
    }
    const message = 'no storage node is up: `gtstore status` shows them, `gtstore up` starts them'
    return new GTStoreError('QUORUM_UNAVAILABLE', message)
  }

  private registered(error: GTStoreError | undefined): void {
    const { registering } = this
    this.registering = undefined
    registering?.cancelTimer()
    if (!this.isLost) this.registration.stop()
    registering?.done(error)
  }

  private viaRefusal(): GTStoreError | undefined {
    const { via } = this.options
    if (via === undefined || this.routes.knowsVia) return undefined
    return new GTStoreError('NOT_FOUND', `no node ${via} is up; \`gtstore status\` lists the nodes`)
  }

  /** Whether calls may begin. */
  private access(): Grant | GTStoreError {
    if (this.state !== 'open') return new GTStoreError('CLOSED', 'the client was finalized')
    if (this.replaced !== undefined) return new GTStoreError('VERSION_MISMATCH', this.replaced)
    return this.grant ?? new GTStoreError('CANNOT_CONNECT', 'the client did not register')
  }

  private finishIfIdle(): void {
    if (this.state !== 'finalizing' || this.dispatcher.pending > 0) return
    this.state = 'closed'
    this.registration.stop()
    this.finalizing?.()
    this.finalizing = undefined
  }
}
