/** What users of the library see: its options, results and the client's methods. */
import type { Mode } from '../shared/data/mode.js'
import type { ValueEncoding, ValueTypes } from './encodings.js'

/** Keys are bytes; a string stands for its UTF-8, and must be well-formed. 1 to 1024 bytes. */
export type Key = string | Uint8Array

export interface InitOptions<E extends ValueEncoding = ValueEncoding> {
  /** Name of the swarm; GTSTORE_SWARM, else `default`. */
  readonly swarm?: string | undefined
  /** Run directory of the swarm; GTSTORE_DIR unless `swarm` is given, else derived from the name. */
  readonly dir?: string | undefined
  /**
   * How long `init` tries to reach the swarm, and how long each call tries, in milliseconds, unless
   * it says otherwise: 1 to 60000. Default 5000. A call that fails by it may do so a tenth of a second
   * later, with word of who did not answer.
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

export interface GetOptions extends CallOptions {
  /**
   * How many owners are read: 1 to N. Default: the swarm's read quorum. Not in mode `chain`, where one
   * member answers (UNSUPPORTED).
   */
  readonly r?: number | undefined
}

export interface WriteOptions extends CallOptions {
  /**
   * How many owners must have the write durably: 1 to N. Default: the swarm's write quorum. Not in
   * mode `chain`, where every member confirms (UNSUPPORTED).
   */
  readonly w?: number | undefined
}

/** What a write may ask of the key that it meets; CONDITION_FAILED where it is not so. */
export interface Conditions {
  /**
   * The key must have a value. In mode `chain` atomic; in the others a read, then the write: what
   * another client writes between the two is not seen. That read gives a put no context: of siblings
   * it supersedes what `context` covers, as ever.
   */
  readonly ifPresent?: boolean | undefined
  /** The key must have this version. Atomic, and in mode `chain` alone (else UNSUPPORTED). */
  readonly ifVersion?: string | undefined
}

export interface UpdateOptions extends WriteOptions {
  readonly ifVersion?: string | undefined
  /**
   * In mode `siblings`, of the get of this key before: the write supersedes what that saw, nothing else.
   * In the other modes UNSUPPORTED.
   */
  readonly context?: string | undefined
}

/** At most one condition, else INVALID_ARGUMENT. */
export interface PutOptions extends UpdateOptions, Conditions {
  /** The key must have no value. Atomic, and in mode `chain` alone (else UNSUPPORTED). */
  readonly ifAbsent?: boolean | undefined
}

export interface DeleteOptions extends UpdateOptions, Conditions {}

/** What a get found. */
export interface Found<V> {
  /** In mode `siblings` the newest of them. */
  readonly value: V
  /** Orders the values of a key: `boot.micros.writer`. */
  readonly version: string
  /** Id of the node that coordinated the read. */
  readonly node: string
  /** In mode `siblings` alone: all that were written concurrently, oldest first. */
  readonly values?: readonly V[]
  /** In mode `siblings` alone: a write with it supersedes these values. */
  readonly context?: string
}

/** One owner's part in a get that was explained. */
export interface ExplainedOwner {
  readonly node: string
  /** `primary` or `owner`, `next` while the ring changes; in a chain `head`, `middle` or `tail`. */
  readonly role: string
  /** `current`, `stale`, `missing`, `late`, `down`, `refused` or `other epoch`. */
  readonly state: string
  /** null: it has none, or did not say. */
  readonly version: string | null
  readonly isDeleted: boolean
  /** Its reply counted towards the quorum of the answer. */
  readonly counted: boolean
  /** null: it did not answer. */
  readonly tookMicros: number | null
}

/** How a get came about. */
export interface Explanation<V> {
  readonly mode: Mode
  readonly epoch: number
  /** The key's place on the ring: 0 to 2^32 - 1. */
  readonly token: number
  /** Whom the request passed, the forwarder first. */
  readonly path: readonly string[]
  /** N, and the R and W that held. */
  readonly quorums: { readonly n: number; readonly r: number; readonly w: number }
  readonly owners: readonly ExplainedOwner[]
  /** Why a get was not answered at that moment; null: it was, and what follows is its answer. */
  readonly refusal: string | null
  /** null: the key is missing. */
  readonly version: string | null
  /** Empty where the key is missing; several in mode `siblings`, oldest first. */
  readonly values: readonly V[]
  /** In words: why this, and what is wrong, if something is. */
  readonly reasons: readonly string[]
}

/** Of a call that has an encoding of its own. */
type As<Options, E extends ValueEncoding> = Options & { readonly valueEncoding: E }

export interface Written {
  /** That the value has now. */
  readonly version: string
}

/**
 * A connection to a swarm; to that one: once another is found in its place, every call fails with
 * VERSION_MISMATCH. Any number of calls may run at once; calls on one key that overlap have no order
 * among them. Every call ends with a result or a GTStoreError whose `definite` says whether the write
 * surely did not happen. An option that a method does not know is refused with INVALID_ARGUMENT.
 */
export interface Client<Put = string, Got = Put> extends AsyncDisposable {
  /** The swarm's number for this client; 0 where neither the manager nor a node could give one. */
  readonly id: number
  /** How the swarm replicates: what it promises of its keys. */
  readonly mode: Mode
  /**
   * Writes a value; resolves once a write quorum of owners, or all of a chain, has it as durable as
   * the swarm promises. Bytes of key and value must not change until then. In mode `siblings` a put
   * without `context` keeps all that the key holds.
   */
  put(key: Key, value: Put, options?: PutOptions): Promise<Written>
  put<E extends ValueEncoding>(
    key: Key,
    value: ValueTypes[E]['put'],
    options: As<PutOptions, E>,
  ): Promise<Written>
  /** Reads the newest value; undefined where there is none. The caller owns what it gets. */
  get(key: Key, options?: GetOptions): Promise<Found<Got> | undefined>
  get<E extends ValueEncoding>(
    key: Key,
    options: As<GetOptions, E>,
  ): Promise<Found<ValueTypes[E]['got']> | undefined>
  /**
   * Deletes a key; `existed` tells whether it had a value just before. In mode `chain` that is one
   * step. In the others it is a read and a write: in mode `latest` what another client writes between
   * them is deleted too, without showing in `existed`; in mode `siblings` exactly what was read is
   * deleted, or what `context` covers.
   */
  delete(key: Key, options?: DeleteOptions): Promise<{ existed: boolean }>
  /**
   * Writes a value where the key has none, and fails with CONDITION_FAILED where it has. In mode
   * `chain` atomic: of several clients one creates. In the others a read, then the write: two clients
   * may both create a key at once.
   */
  create(key: Key, value: Put, options?: WriteOptions): Promise<Written>
  create<E extends ValueEncoding>(
    key: Key,
    value: ValueTypes[E]['put'],
    options: As<WriteOptions, E>,
  ): Promise<Written>
  /** As `get`, but fails with NOT_FOUND where the key has no value. */
  read(key: Key, options?: GetOptions): Promise<Found<Got>>
  read<E extends ValueEncoding>(
    key: Key,
    options: As<GetOptions, E>,
  ): Promise<Found<ValueTypes[E]['got']>>
  /**
   * Writes a value where the key has one already, and fails with CONDITION_FAILED where it has none.
   * In mode `chain` atomic. In the others a read, then the write, as with `ifPresent`; in mode
   * `siblings` it supersedes what it read, unless a `context` is given.
   */
  update(key: Key, value: Put, options?: UpdateOptions): Promise<Written>
  update<E extends ValueEncoding>(
    key: Key,
    value: ValueTypes[E]['put'],
    options: As<UpdateOptions, E>,
  ): Promise<Written>
  /** A get that tells how it came about. Of swarms alone: a capability, not part of every store. */
  explain(key: Key, options?: GetOptions): Promise<Explanation<Got>>
  explain<E extends ValueEncoding>(
    key: Key,
    options: As<GetOptions, E>,
  ): Promise<Explanation<ValueTypes[E]['got']>>
  /**
   * Ends the client: calls fail with CLOSED from now on; resolves when the pending ones are over,
   * by their own timeouts at the latest.
   */
  finalize(): Promise<void>
}
