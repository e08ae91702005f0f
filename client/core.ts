/**
 * The client, without its sockets and promises: registers, stamps writes, checks arguments, and
 * hands calls to the dispatcher. Every call has exactly one outcome, given to its callback, never
 * before the method that made it returned.
 *
 * A delete is a read followed by the write of a tombstone, because it tells whether the key
 * existed. The two are one call with one deadline, but not one step: in between another client may
 * write.
 */
import type { Version } from '../shared/data/version.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { keyBytesMax, maxFlightMs } from '../shared/runtime/limits.js'
import type { RingFiles } from '../shared/runtime/ports.js'
import type {
  Address,
  CancelTimer,
  Log,
  Millis,
  Process,
  Runtime,
} from '../shared/runtime/runtime.js'
import type { Call, GetDone, PutDone } from './calls.js'
import { Dispatcher } from './dispatcher.js'
import { type Grant, nodeRegistrationId, Registration } from './registration.js'
import { Routes } from './routes.js'
import { Stamps } from './stamps.js'

export type { GetDone, GetResult, PutDone } from './calls.js'

/** Gives a call up, for a reason: it fails with ABORTED unless it is over. */
export type Cancel = (cause?: unknown) => void
export type DeleteDone = (
  error: GTStoreError | undefined,
  result?: { readonly existed: boolean },
) => void

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

export interface PutOptions {
  readonly w?: number | undefined
  readonly timeoutMs?: Millis | undefined
}

export interface GetOptions {
  readonly r?: number | undefined
  readonly timeoutMs?: Millis | undefined
}

export class ClientCore implements Process {
  private readonly options: ClientCoreOptions
  private readonly runtime: Runtime
  private readonly stamps: Stamps
  private readonly routes: Routes
  private readonly dispatcher: Dispatcher
  private readonly registration: Registration
  private grant: Grant | undefined
  private registering: { done: PutDone; cancelTimer: CancelTimer } | undefined
  private finalizing: (() => void) | undefined
  private state: 'open' | 'finalizing' | 'closed' = 'open'

  constructor(options: ClientCoreOptions) {
    this.options = options
    this.runtime = options.runtime
    this.stamps = new Stamps(options.runtime, options.writer)
    this.routes = new Routes(options.via)
    this.dispatcher = new Dispatcher({
      runtime: this.runtime,
      routes: this.routes,
      onLost: () => this.registration.begin(),
      onIdle: () => this.finishIfIdle(),
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
   * Writes a value; null writes a tombstone. `key` and `value` must not change until `done`.
   * `done` gets the version that the write carries, whichever attempt succeeded.
   */
  put(key: Uint8Array, value: Uint8Array | null, options: PutOptions, done: PutDone): Cancel {
    const error = this.refusal(key, value, 'w', options.w, options.timeoutMs)
    if (error !== undefined) return this.refuse(error, done)
    const version = this.nextVersion()
    const born = version.micros
    const deadline = born + this.timeLimitMs(options.timeoutMs) * 1000
    const quorum = options.w ?? 0
    return this.dispatch(this.dispatcher.add({ key, value, version, quorum, born, deadline, done }))
  }

  /** Reads the newest value; `done` gets neither an error nor a result where the key is missing. */
  get(key: Uint8Array, options: GetOptions, done: GetDone): Cancel {
    const error = this.refusal(key, null, 'r', options.r, options.timeoutMs)
    if (error !== undefined) return this.refuse(error, done)
    const born = this.runtime.hostMicros()
    const deadline = born + this.timeLimitMs(options.timeoutMs) * 1000
    return this.dispatch(this.dispatcher.add({ key, quorum: options.r ?? 0, born, deadline, done }))
  }

  /**
   * Reads whether the key exists, then writes a tombstone, stamped after the read. `existed` is
   * what the read saw: a write between the two is deleted as well, without a trace in it.
   */
  delete(key: Uint8Array, options: PutOptions, done: DeleteDone): Cancel {
    const error = this.refusal(key, null, 'w', options.w, options.timeoutMs)
    if (error !== undefined) return this.refuse(error, done)
    const born = this.runtime.hostMicros()
    const deadline = born + this.timeLimitMs(options.timeoutMs) * 1000
    const write = (existed: boolean) => {
      const version = this.nextVersion()
      const written: PutDone = (failure) =>
        failure === undefined ? done(undefined, { existed }) : done(failure)
      const quorum = options.w ?? 0
      call = this.dispatcher.add({
        key,
        value: null,
        version,
        quorum,
        born,
        deadline,
        done: written,
      })
    }
    const read: GetDone = (failure, result) =>
      failure === undefined ? write(result !== undefined) : done(failure)
    let call = this.dispatcher.add({ key, quorum: 0, born, deadline, done: read })
    return (cause) => this.dispatcher.abort(call, cause)
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

  opened(peer: Address): void {
    this.dispatcher.opened(peer)
  }

  closed(peer: Address): void {
    if (peer === 'manager') return this.registration.failed(undefined)
    const before = this.routes.count
    this.dispatcher.closed(peer)
    // With the last one nobody would be left to ask while a registration goes on.
    if (before > 1 && this.routes.count === 1) this.registration.begin()
    // Last, since what follows may send to this peer again, over another connection.
    this.registration.failedAt(peer)
  }

  /** Calls are pending and there is no node to send them to. */
  private get isLost(): boolean {
    return this.routes.forwarder === undefined && this.dispatcher.pending > 0
  }

  private granted(grant: Grant): void {
    this.grant = grant
    this.routes.adopt(grant.nodes)
    if (this.registering !== undefined) this.registered(this.viaRefusal())
    if (grant.nodes.length > 0) {
      this.dispatcher.rerouted()
      return
    }
    this.dispatcher.unroutable(this.nobodyIsUp())
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

  private dispatch(call: Call): Cancel {
    return (cause) => this.dispatcher.abort(call, cause)
  }

  private refuse(error: GTStoreError, done: (error: GTStoreError) => void): Cancel {
    return this.runtime.after(0, 'client.refused', () => done(error))
  }

  private nextVersion(): Version {
    return this.stamps.next(this.grant?.boot ?? 0)
  }

  private timeLimitMs(timeoutMs: Millis | undefined): Millis {
    return timeoutMs ?? this.options.timeoutMs
  }

  /** What is wrong with a call, before anything is sent. */
  private refusal(
    key: Uint8Array,
    value: Uint8Array | null,
    quorumName: 'r' | 'w',
    quorum: number | undefined,
    timeoutMs: Millis | undefined,
  ): GTStoreError | undefined {
    if (this.state !== 'open') return new GTStoreError('CLOSED', 'the client was finalized')
    const { grant } = this
    if (grant === undefined)
      return new GTStoreError('CANNOT_CONNECT', 'the client did not register')
    if (key.length === 0) return invalid('the key is empty')
    if (key.length > keyBytesMax)
      return tooLarge(`the key has ${key.length} bytes, the limit is ${keyBytesMax}`)
    const limit = grant.valueBytesMax
    if (value !== null && value.length > limit) {
      const whose = this.id === 0 ? 'while nobody can be asked for it' : 'of this swarm'
      return tooLarge(`the value has ${value.length} bytes, the limit ${whose} is ${limit}`)
    }
    if (
      quorum !== undefined &&
      !(Number.isInteger(quorum) && 1 <= quorum && quorum <= grant.replicas)
    )
      return invalid(
        `${quorumName} is ${quorum}, it must be a whole number from 1 to N=${grant.replicas}`,
      )
    return timeoutMs === undefined ? undefined : timeoutRefusal(timeoutMs)
  }

  private finishIfIdle(): void {
    if (this.state !== 'finalizing' || this.dispatcher.pending > 0) return
    this.state = 'closed'
    this.registration.stop()
    this.finalizing?.()
    this.finalizing = undefined
  }
}

/** A write must not be on its way for longer than maxFlightMs; a time it had not would mislead. */
export function timeoutRefusal(timeoutMs: Millis): GTStoreError | undefined {
  if (typeof timeoutMs === 'number' && 1 <= timeoutMs && timeoutMs <= maxFlightMs) return undefined
  return invalid(`timeoutMs is ${timeoutMs}, it must be a number from 1 to ${maxFlightMs}`)
}

function invalid(message: string): GTStoreError {
  return new GTStoreError('INVALID_ARGUMENT', message)
}

function tooLarge(message: string): GTStoreError {
  return new GTStoreError('TOO_LARGE', message)
}
