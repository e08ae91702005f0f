/// <reference types="node" preserve="true" />
/**
 * GTStore's library: `init` connects to a swarm of this machine, the client puts, gets and deletes.
 *
 * ```ts
 * import { init } from 'gtstore'
 * const store = await init()
 * await store.put('city', 'Bochum')
 * const found = await store.get('city') // { value: 'Bochum', version: '1.841.5f…', node: 'n2' }
 * await store.finalize() // or declare it with `await using`
 * ```
 *
 * An open client does not keep its process alive, a call without an outcome does.
 */
import { randomBytes } from 'node:crypto'
import { formatVersion } from '../shared/data/version.js'
import { swarmDirectories } from '../shared/os/directories.js'
import { cannotConnect, checkRunDirectory } from '../shared/os/reach.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { openSocketRuntime, type SocketRuntime } from '../shared/os/sockets.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import { callTimeoutMs } from '../shared/runtime/limits.js'
import type { RingFiles } from '../shared/runtime/ports.js'
import type { Log } from '../shared/runtime/runtime.js'
import { type Cancel, ClientCore, type GetResult, timeoutRefusal } from './core.js'
import {
  type Encoding,
  encodingNamed,
  keyBytes,
  type ValueEncoding,
  type ValueTypes,
} from './encodings.js'

export { type ErrorCode, GTStoreError } from '../shared/protocol/errors.js'
export type { ValueEncoding, ValueTypes } from './encodings.js'

/** Keys are bytes; a string stands for its UTF-8. 1 to 1024 bytes. */
export type Key = string | Uint8Array

export interface InitOptions<E extends ValueEncoding = ValueEncoding> {
  /** Name of the swarm; GTSTORE_SWARM, else `default`. */
  readonly swarm?: string | undefined
  /** Run directory of the swarm; GTSTORE_DIR unless `swarm` is given, else derived from the name. */
  readonly dir?: string | undefined
  /**
   * How long `init` tries to reach the swarm, and how long each call tries, in milliseconds, unless
   * it says otherwise: 1 to 60000. Default 5000.
   */
  readonly timeoutMs?: number | undefined
  /** How values are put and got: `utf8` (default), `buffer`, `json` or `cbor`. */
  readonly valueEncoding?: E | undefined
  /**
   * Id of the node to which calls go first, while it is up. Default: the manager chooses, in turn.
   */
  readonly via?: string | undefined
  /** Aborts `init`. */
  readonly signal?: AbortSignal | undefined
}

export interface CallOptions {
  /**
   * Gives the call up with ABORTED. A write that was sent by then may still happen: the error is
   * not `definite`.
   */
  readonly signal?: AbortSignal | undefined
  /** How long this call tries, in milliseconds: 1 to 60000. Default: that of `init`. */
  readonly timeoutMs?: number | undefined
}

export interface PutOptions extends CallOptions {
  /** How many owners must have the write durably: 1 to N. Default: the swarm's write quorum. */
  readonly w?: number | undefined
}

export interface GetOptions extends CallOptions {
  /** How many owners are read: 1 to N. Default: the swarm's read quorum. */
  readonly r?: number | undefined
}

/** What a get found. */
export interface Found<V> {
  readonly value: V
  /** Orders the values of a key: `boot.micros.writer`. */
  readonly version: string
  /** Id of the node that coordinated the read. */
  readonly node: string
}

/**
 * A connection to a swarm. Any number of calls may run at once; calls on one key that overlap have
 * no order among them. Every call ends with a result or a GTStoreError whose `definite` says
 * whether the write surely did not happen.
 */
export interface Client<Put = string, Got = Put> extends AsyncDisposable {
  /** The swarm's number for this client; 0 where neither the manager nor a node could give one. */
  readonly id: number
  /**
   * Writes a value; resolves once a write quorum of owners has it as durable as the swarm promises.
   * Bytes of key and value must not change until then.
   */
  put(key: Key, value: Put, options?: PutOptions): Promise<{ version: string }>
  put<E extends ValueEncoding>(
    key: Key,
    value: ValueTypes[E]['put'],
    options: PutOptions & { readonly valueEncoding: E },
  ): Promise<{ version: string }>
  /** Reads the newest value; undefined where there is none. The caller owns what it gets. */
  get(key: Key, options?: GetOptions): Promise<Found<Got> | undefined>
  get<E extends ValueEncoding>(
    key: Key,
    options: GetOptions & { readonly valueEncoding: E },
  ): Promise<Found<ValueTypes[E]['got']> | undefined>
  /**
   * Deletes a key. `existed` tells whether it had a value just before: the read and the write are
   * two steps, and what another client writes between them is deleted too, without showing in
   * `existed`.
   */
  delete(key: Key, options?: PutOptions): Promise<{ existed: boolean }>
  /**
   * Ends the client: calls fail with CLOSED from now on; resolves when the pending ones are over,
   * by their own timeouts at the latest.
   */
  finalize(): Promise<void>
}

/**
 * Connects to a swarm. Asks its manager for an id and a forwarder; where that is down, one of the
 * nodes that the published ring names. Fails with CANNOT_CONNECT when neither works within
 * `timeoutMs`.
 */
export function init(options?: InitOptions<'utf8'>): Promise<Client<string>>
export function init(options: InitOptions<'buffer'>): Promise<Client<Uint8Array, Buffer>>
export function init<T = unknown>(options: InitOptions<'json' | 'cbor'>): Promise<Client<T>>
export async function init(options: InitOptions = {}): Promise<Client<unknown>> {
  checkOptions(options)
  const { timeoutMs = callTimeoutMs, valueEncoding = 'utf8', via, signal } = options
  const encoding = encodingNamed(valueEncoding)
  const refusal = timeoutRefusal(timeoutMs)
  if (refusal !== undefined) throw refusal
  const { run } = swarmDirectories(options)
  checkRunDirectory(run)
  const writer = randomBytes(8).toString('hex')
  const runtime = await openSocketRuntime({
    run,
    self: `c-${writer}`,
    listen: false,
    log: silent,
    valueBytesMax: valueBytesCap,
    unref: true,
    onRefused: (_peer, error) => core.refused(error),
  })
  const ringFiles = readable(openRingFiles(run))
  const core = new ClientCore({ runtime, ringFiles, writer, via, timeoutMs, log: silent })
  runtime.attach(core)
  runtime.ref()
  try {
    await register(core, timeoutMs, signal)
  } catch (error) {
    await close(runtime)
    const isUnreached = error instanceof GTStoreError && error.code === 'CANNOT_CONNECT'
    throw isUnreached ? cannotConnect(run, error) : error
  }
  runtime.unref()
  return new SwarmClient(core, runtime, encoding)
}

/** A ring file that cannot be read is as good as none: it must not end the user's process. */
function readable(ringFiles: RingFiles): Pick<RingFiles, 'newest'> {
  return {
    newest() {
      try {
        return ringFiles.newest()
      } catch {
        return undefined
      }
    },
  }
}

/** The swarm's limit may be above the default, and is known only once connected. */
const valueBytesCap = 512 * 1024 * 1024
/** A library writes nothing: what matters comes as errors. */
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

class SwarmClient implements Client<unknown> {
  readonly #core: ClientCore
  readonly #runtime: SocketRuntime
  readonly #encoding: Encoding
  #pending = 0
  #finalized: Promise<void> | undefined

  constructor(core: ClientCore, runtime: SocketRuntime, encoding: Encoding) {
    this.#core = core
    this.#runtime = runtime
    this.#encoding = encoding
  }

  get id(): number {
    return this.#core.id
  }

  put(key: Key, value: unknown, options: PutOptions & Encoded = {}): Promise<{ version: string }> {
    return new Promise((resolve, reject) => {
      checkOptions(options)
      let release: (() => void) | undefined
      const bytes = this.#encodingOf(options).encode(value)
      const name = keyBytes(key)
      this.#begin(options.signal)
      const cancel = this.#core.put(name, bytes, options, (error, version) => {
        this.#end()
        release?.()
        if (version === undefined) reject(error)
        else resolve({ version: formatVersion(version) })
      })
      release = cancelOn(options.signal, cancel)
    })
  }

  get(key: Key, options: GetOptions & Encoded = {}): Promise<Found<unknown> | undefined> {
    return new Promise((resolve, reject) => {
      checkOptions(options)
      let release: (() => void) | undefined
      const encoding = this.#encodingOf(options)
      const name = keyBytes(key)
      this.#begin(options.signal)
      const cancel = this.#core.get(name, options, (error, result) => {
        this.#end()
        release?.()
        if (error !== undefined) reject(error)
        else if (result === undefined) resolve(undefined)
        else decode(result, encoding, resolve, reject)
      })
      release = cancelOn(options.signal, cancel)
    })
  }

  delete(key: Key, options: PutOptions = {}): Promise<{ existed: boolean }> {
    return new Promise((resolve, reject) => {
      checkOptions(options)
      let release: (() => void) | undefined
      const name = keyBytes(key)
      this.#begin(options.signal)
      const cancel = this.#core.delete(name, options, (error, result) => {
        this.#end()
        release?.()
        if (result === undefined) reject(error)
        else resolve(result)
      })
      release = cancelOn(options.signal, cancel)
    })
  }

  finalize(): Promise<void> {
    this.#finalized ??= new Promise<void>((resolve) => {
      this.#runtime.ref()
      this.#core.finalize(() => resolve(close(this.#runtime)))
    })
    return this.#finalized
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.finalize()
  }

  #encodingOf(options: Encoded): Encoding {
    const { valueEncoding } = options
    return valueEncoding === undefined ? this.#encoding : encodingNamed(valueEncoding)
  }

  /** While calls are pending the process lives. Throws where no call may begin. */
  #begin(signal: AbortSignal | undefined): void {
    if (this.#finalized !== undefined) {
      throw new GTStoreError('CLOSED', 'the client was finalized; open another with init()')
    }
    if (signal?.aborted) throw aborted('the call', signal)
    if (this.#pending++ === 0) this.#runtime.ref()
  }

  #end(): void {
    if (--this.#pending === 0 && this.#finalized === undefined) this.#runtime.unref()
  }
}

interface Encoded {
  readonly valueEncoding?: ValueEncoding | undefined
}

function decode(
  { value, version, node }: GetResult,
  encoding: Encoding,
  resolve: (found: Found<unknown>) => void,
  reject: (error: unknown) => void,
): void {
  try {
    resolve({ value: encoding.decode(value), version: formatVersion(version), node })
  } catch (error) {
    reject(error)
  }
}

/** Of any realm, so by what it does. */
function isSignal(signal: unknown): signal is AbortSignal {
  if (typeof signal !== 'object' || signal === null) return false
  return 'aborted' in signal && 'addEventListener' in signal
}

/**
 * Whoever writes plain JavaScript has no compiler to tell them. Looked at before anything is sent:
 * a call that fails afterwards would take effect all the same.
 */
function checkOptions(options: { readonly signal?: AbortSignal | undefined }): void {
  if (typeof options !== 'object' || options === null) {
    throw new GTStoreError('INVALID_ARGUMENT', `the options are ${options}, not an object`)
  }
  const { signal } = options
  if (signal === undefined || isSignal(signal)) return
  const message = 'signal is not an AbortSignal; of an AbortController pass its `signal`'
  throw new GTStoreError('INVALID_ARGUMENT', message)
}

/** Calls `cancel` when the signal aborts; the result takes that back. */
function cancelOn(signal: AbortSignal | undefined, cancel: Cancel): (() => void) | undefined {
  if (signal === undefined) return undefined
  const abort = () => cancel(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  return () => signal.removeEventListener('abort', abort)
}

function aborted(what: string, signal: AbortSignal): GTStoreError {
  return new GTStoreError('ABORTED', `${what} was aborted`, { cause: signal.reason })
}

function register(
  core: ClientCore,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw aborted('init', signal)
    const release = signal && cancelOn(signal, () => reject(aborted('init', signal)))
    core.register(timeoutMs, (error) => {
      release?.()
      if (error === undefined) resolve()
      else reject(error)
    })
  })
}

/** The sockets alone would not keep the process alive until they are closed. */
async function close(runtime: SocketRuntime): Promise<void> {
  const keepAlive = setInterval(() => {}, 60_000)
  await runtime.close()
  clearInterval(keepAlive)
}
