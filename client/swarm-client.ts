/** The client that users hold: promises, encodings and signals around the core. */
import { formatVersion } from '../shared/data/version.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type {
  CallOptions,
  Client,
  DeleteOptions,
  Explanation,
  Found,
  GetOptions,
  Key,
  PutOptions,
  UpdateOptions,
  WriteOptions,
  Written,
} from './api.js'
import { contextText } from './contexts.js'
import type { Cancel, ClientCore, GetResult } from './core.js'
import { type Encoding, encodingNamed, keyBytes, type ValueEncoding } from './encodings.js'
import { explanationOf } from './explanation.js'
import { checkOptions, type Method } from './options.js'
import { aborted, cancelOn } from './signals.js'
import { wishOf } from './wishes.js'

/** The sockets, as far as the client cares. */
export interface Connections {
  /** Whether they keep the process alive. */
  ref(): void
  unref(): void
  close(): Promise<void>
}

/** Makes a call that ends with an error or a result. */
type Begin<T> = (done: (error: GTStoreError | undefined, result?: T) => void) => Cancel

interface Encoded {
  readonly valueEncoding?: ValueEncoding | undefined
}

export class SwarmClient implements Client<unknown> {
  readonly #core: ClientCore
  readonly #connections: Connections
  readonly #encoding: Encoding
  #pending = 0
  #finalized: Promise<void> | undefined

  constructor(core: ClientCore, connections: Connections, encoding: Encoding) {
    this.#core = core
    this.#connections = connections
    this.#encoding = encoding
  }

  get id(): number {
    return this.#core.id
  }

  get mode(): Client['mode'] {
    return this.#core.mode
  }

  put(key: Key, value: unknown, options: PutOptions & Encoded = {}): Promise<Written> {
    return new Promise((resolve, reject) => {
      checkOptions('put', options)
      let release: (() => void) | undefined
      const name = keyBytes(key)
      const wish = wishOf(name, options, this.mode)
      const bytes = this.#encodingOf(options).encode(value)
      this.#begin(options.signal)
      const cancel = this.#core.put(name, bytes, wish, (error, version) => {
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
      checkOptions('get', options)
      let release: (() => void) | undefined
      const encoding = this.#encodingOf(options)
      const name = keyBytes(key)
      this.#begin(options.signal)
      const cancel = this.#core.get(name, options, (error, result) => {
        this.#end()
        release?.()
        if (error !== undefined) reject(error)
        else if (result === undefined) resolve(undefined)
        else decode(name, result, encoding, resolve, reject)
      })
      release = cancelOn(options.signal, cancel)
    })
  }

  create(key: Key, value: unknown, options: WriteOptions & Encoded = {}): Promise<Written> {
    return this.#call('create', options, () => {
      const { w, timeoutMs } = options
      const bytes = this.#encodingOf(options).encode(value)
      const name = keyBytes(key)
      return (done) =>
        this.#core.create(name, bytes, { w, timeoutMs }, (error, version) => {
          done(error, version && { version: formatVersion(version) })
        })
    })
  }

  update(key: Key, value: unknown, options: UpdateOptions & Encoded = {}): Promise<Written> {
    return this.#call('update', options, () => {
      // Which version it must have says already that it must have one.
      const ifPresent = options.ifVersion === undefined ? true : undefined
      const name = keyBytes(key)
      const wish = { ...wishOf(name, { ...options, ifPresent }, this.mode), supersedesRead: true }
      const bytes = this.#encodingOf(options).encode(value)
      return (done) =>
        this.#core.put(name, bytes, wish, (error, version) => {
          done(error, version && { version: formatVersion(version) })
        })
    })
  }

  read(key: Key, options: GetOptions & Encoded = {}): Promise<Found<unknown>> {
    return this.get(key, options).then((found) => {
      if (found !== undefined) return found
      throw new GTStoreError(
        'NOT_FOUND',
        `there is no key ${JSON.stringify(Buffer.from(keyBytes(key)).toString())}`,
      )
    })
  }

  delete(key: Key, options: DeleteOptions = {}): Promise<{ existed: boolean }> {
    return this.#call('delete', options, () => {
      const name = keyBytes(key)
      const wish = wishOf(name, options, this.mode)
      return (done) => this.#core.delete(name, wish, done)
    })
  }

  explain(key: Key, options: GetOptions & Encoded = {}): Promise<Explanation<unknown>> {
    return this.#call('explain', options, () => {
      const encoding = this.#encodingOf(options)
      const name = keyBytes(key)
      return (done) =>
        this.#core.explain(name, options, (error, report) => {
          if (report === undefined) done(error)
          else attempt(() => explanationOf(report, encoding), done)
        })
    })
  }

  finalize(): Promise<void> {
    this.#finalized ??= new Promise<void>((resolve) => {
      this.#connections.ref()
      this.#core.finalize(() => resolve(this.#connections.close()))
    })
    return this.#finalized
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.finalize()
  }

  /** `prepare` checks the arguments, and gives what begins the call; the rarer calls go this way. */
  #call<T>(method: Method, options: CallOptions, prepare: () => Begin<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      checkOptions(method, options)
      let release: (() => void) | undefined
      const begin = prepare()
      this.#begin(options.signal)
      const cancel = begin((error, result) => {
        this.#end()
        release?.()
        if (result === undefined) reject(error)
        else resolve(result)
      })
      release = cancelOn(options.signal, cancel)
    })
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
    if (this.#pending++ === 0) this.#connections.ref()
  }

  #end(): void {
    if (--this.#pending === 0 && this.#finalized === undefined) this.#connections.unref()
  }
}

/** Bytes that the encoding did not make are the caller's error, not the socket's. */
function attempt<T>(
  work: () => T,
  done: (error: GTStoreError | undefined, result?: T) => void,
): void {
  let result: T
  try {
    result = work()
  } catch (error) {
    return done(error as GTStoreError)
  }
  done(undefined, result)
}

function decode(
  key: Uint8Array,
  { value, version, node, siblings }: GetResult,
  encoding: Encoding,
  resolve: (found: Found<unknown>) => void,
  reject: (error: unknown) => void,
): void {
  try {
    const found = { value: encoding.decode(value), version: formatVersion(version), node }
    if (siblings === undefined) return resolve(found)
    const values = siblings.values.map((sibling) => encoding.decode(sibling))
    const context = contextText(key, siblings.context)
    resolve({ ...found, values, context })
  } catch (error) {
    reject(error)
  }
}
