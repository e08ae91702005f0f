/**
 * What a user can ask for, as requests of the dispatcher. Which requests those are is the mode's: in
 * `latest` a write is a `put`, whose stamp is the version; in the others it is a `write`.
 *
 * Only a chain decides a condition and writes in one step, since all writes of a key pass its head.
 * Elsewhere an operation that looks before it writes is a read and a write: one call with one
 * deadline, but not one step, and in between another client may write.
 */

import { Malformed } from '../shared/data/byte-stream.js'
import type { Condition, Mode } from '../shared/data/mode.js'
import { decodeSiblings, encodeContext } from '../shared/data/siblings.js'
import { formatVersion, type Micros, type Version } from '../shared/data/version.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Millis, Runtime } from '../shared/runtime/runtime.js'
import type { Call, ExplainDone, GetDone, GetResult, PutDone, WriteRequest } from './calls.js'
import type { Dispatcher } from './dispatcher.js'
import { callRefusal, modeRefusal } from './refusals.js'
import type { Grant } from './registration.js'
import type { Stamps } from './stamps.js'

/** Gives a call up, for a reason: it fails with ABORTED unless it is over. */
export type Cancel = (cause?: unknown) => void
export type DeleteDone = (
  error: GTStoreError | undefined,
  result?: { readonly existed: boolean },
) => void

export interface PutOptions {
  readonly w?: number | undefined
  readonly timeoutMs?: Millis | undefined
  /** What the key must be like: see `modeRefusal` for who has which. */
  readonly condition?: Condition | undefined
  /** Of the get that the writer has seen, encoded; siblings alone. */
  readonly context?: Uint8Array | undefined
  /** Of siblings, where no context is given: supersede those that the read for the condition saw. */
  readonly supersedesRead?: boolean | undefined
}

export interface GetOptions {
  readonly r?: number | undefined
  readonly timeoutMs?: Millis | undefined
}

export interface OperationsOptions {
  readonly runtime: Runtime
  readonly dispatcher: Dispatcher
  readonly stamps: Stamps
  /** Of calls that name no other. */
  readonly timeoutMs: Millis
  /** What is known of the swarm, or why no call may begin. */
  readonly access: () => Grant | GTStoreError
}

/** After the read: the error to end with, `done` where nothing is left to do, or undefined: write. */
type Decide = (found: GetResult | undefined) => GTStoreError | 'done' | undefined

export class Operations {
  private readonly options: OperationsOptions
  private readonly runtime: Runtime
  private readonly dispatcher: Dispatcher

  constructor(options: OperationsOptions) {
    this.options = options
    this.runtime = options.runtime
    this.dispatcher = options.dispatcher
  }

  put(key: Uint8Array, value: Uint8Array | null, options: PutOptions, done: PutDone): Cancel {
    const grant = this.admitted(key, value, 'w', options.w, options.timeoutMs)
    if (grant instanceof GTStoreError) return this.refuse(grant, done)
    const { mode, boot } = grant
    const { condition, context } = options
    const refusal = modeRefusal(mode, condition, context)
    if (refusal !== undefined) return this.refuse(refusal, done)
    if (condition !== undefined && mode !== 'chain') {
      const decide: Decide = (found) => (found === undefined ? missing() : undefined)
      return this.readThenWrite(grant, key, value, options, decide, done)
    }
    const { stamps } = this.options
    if (mode === 'chain') {
      const born = this.runtime.hostMicros()
      const deadline = this.deadlineOf(born, options.timeoutMs)
      const writing = { mode, key, value, stamp: () => stamps.next(boot), born, deadline, done }
      return this.cancelOf(this.dispatcher.add(writeOf(writing, options)))
    }
    const stamp = stamps.next(boot)
    const born = stamp.micros
    const deadline = this.deadlineOf(born, options.timeoutMs)
    if (mode === 'siblings') {
      const writing = { mode, key, value, stamp, born, deadline, done }
      return this.cancelOf(this.dispatcher.add(writeOf(writing, options)))
    }
    const quorum = options.w ?? 0
    return this.cancelOf(
      this.dispatcher.add({ kind: 'put', key, value, stamp, quorum, born, deadline, done }),
    )
  }

  /** Writes where the key has no value; elsewhere CONDITION_FAILED. */
  create(key: Uint8Array, value: Uint8Array, options: PutOptions, done: PutDone): Cancel {
    const grant = this.admitted(key, value, 'w', options.w, options.timeoutMs)
    if (grant instanceof GTStoreError) return this.refuse(grant, done)
    if (grant.mode === 'chain')
      return this.put(key, value, { ...options, condition: { is: 'absent' } }, done)
    const refusal = modeRefusal(grant.mode, undefined, options.context)
    if (refusal !== undefined) return this.refuse(refusal, done)
    const decide: Decide = (found) => (found === undefined ? undefined : exists(found.version))
    return this.readThenWrite(grant, key, value, options, decide, done)
  }

  get(key: Uint8Array, options: GetOptions, done: GetDone): Cancel {
    const grant = this.admitted(key, null, 'r', options.r, options.timeoutMs)
    if (grant instanceof GTStoreError) return this.refuse(grant, done)
    const born = this.runtime.hostMicros()
    const deadline = this.deadlineOf(born, options.timeoutMs)
    return this.cancelOf(this.read(grant.mode, key, options.r ?? 0, born, deadline, done))
  }

  delete(key: Uint8Array, options: PutOptions, done: DeleteDone): Cancel {
    const grant = this.admitted(key, null, 'w', options.w, options.timeoutMs)
    if (grant instanceof GTStoreError) return this.refuse(grant, done)
    const { mode } = grant
    const { condition, context } = options
    const refusal = modeRefusal(mode, condition, context)
    if (refusal !== undefined) return this.refuse(refusal, done)
    if (mode === 'chain') return this.deleteInOneStep(key, options, done)
    let existed = false
    const decide: Decide = (found) => {
      existed = found !== undefined
      if (existed) return undefined
      if (condition !== undefined) return missing()
      // Of siblings, whoever saw none supersedes none.
      return mode === 'siblings' && context === undefined ? 'done' : undefined
    }
    return this.readThenWrite(grant, key, null, options, decide, (failure) => {
      if (failure === undefined) done(undefined, { existed })
      else done(failure)
    })
  }

  explain(key: Uint8Array, options: GetOptions, done: ExplainDone): Cancel {
    const grant = this.admitted(key, null, 'r', options.r, options.timeoutMs)
    if (grant instanceof GTStoreError) return this.refuse(grant, done)
    const born = this.runtime.hostMicros()
    const deadline = this.deadlineOf(born, options.timeoutMs)
    const quorum = options.r ?? 0
    return this.cancelOf(
      this.dispatcher.add({ kind: 'explain', key, quorum, born, deadline, done }),
    )
  }

  /** In a chain: the key must be present, so that the head's decision tells whether it was. */
  private deleteInOneStep(key: Uint8Array, options: PutOptions, done: DeleteDone): Cancel {
    const { condition = { is: 'present' } } = options
    return this.put(key, null, { ...options, condition }, (error) => {
      if (error === undefined) done(undefined, { existed: true })
      else if (error.code === 'CONDITION_FAILED' && options.condition === undefined)
        done(undefined, { existed: false })
      else done(error)
    })
  }

  /** The write is stamped after the read. Of siblings a delete supersedes what that saw, a put if told to. */
  private readThenWrite(
    { mode, boot }: Grant,
    key: Uint8Array,
    value: Uint8Array | null,
    options: PutOptions,
    decide: Decide,
    done: PutDone,
  ): Cancel {
    const born = this.runtime.hostMicros()
    const deadline = this.deadlineOf(born, options.timeoutMs)
    let call = this.read(mode, key, 0, born, deadline, (failure, found) => {
      const end = failure ?? decide(found)
      if (end !== undefined) return end === 'done' ? done(undefined) : done(end)
      const stamp = this.options.stamps.next(boot)
      const quorum = options.w ?? 0
      const supersedes = value === null || options.supersedesRead === true
      const context = options.context ?? (supersedes ? found?.siblings?.context : undefined)
      call = this.dispatcher.add(
        mode === 'latest'
          ? { kind: 'put', key, value, stamp, quorum, born, deadline, done }
          : writeOf({ mode, key, value, stamp, born, deadline, done }, { ...options, context }),
      )
    })
    return (cause) => this.dispatcher.abort(call, cause)
  }

  private read(
    mode: Mode,
    key: Uint8Array,
    quorum: number,
    born: Micros,
    deadline: Micros,
    done: GetDone,
  ): Call {
    const told = mode === 'siblings' ? unfolding(done) : done
    return this.dispatcher.add({ kind: 'get', key, quorum, born, deadline, done: told })
  }

  private admitted(
    key: Uint8Array,
    value: Uint8Array | null,
    quorumName: 'r' | 'w',
    quorum: number | undefined,
    timeoutMs: Millis | undefined,
  ): Grant | GTStoreError {
    const grant = this.options.access()
    if (grant instanceof GTStoreError) return grant
    return callRefusal(grant, key, value, quorumName, quorum, timeoutMs) ?? grant
  }

  private deadlineOf(born: Micros, timeoutMs: Millis | undefined): Micros {
    return born + (timeoutMs ?? this.options.timeoutMs) * 1000
  }

  private cancelOf(call: Call): Cancel {
    return (cause) => this.dispatcher.abort(call, cause)
  }

  private refuse(error: GTStoreError, done: (error: GTStoreError) => void): Cancel {
    return this.runtime.after(0, 'client.refused', () => done(error))
  }
}

interface Writing {
  readonly mode: Mode
  readonly key: Uint8Array
  readonly value: Uint8Array | null
  readonly stamp: WriteRequest['stamp']
  readonly born: Micros
  readonly deadline: Micros
  readonly done: PutDone
}

function writeOf({ mode, ...writing }: Writing, options: PutOptions): WriteRequest {
  const { w: quorum = 0, condition = null, context = null } = options
  const once = mode === 'siblings'
  // What a read has decided before, nobody need decide again.
  const asked = mode === 'chain' ? condition : null
  return { kind: 'write', ...writing, quorum, condition: asked, context, once }
}

/** A get of siblings answers with all of them in one value. */
function unfolding(done: GetDone): GetDone {
  return (error, result) => {
    if (result === undefined) return done(error)
    const found = unfolded(result)
    if (found instanceof GTStoreError) done(found)
    else done(undefined, found)
  }
}

function unfolded({
  value: answer,
  version,
  node,
}: GetResult): GetResult | GTStoreError | undefined {
  try {
    const { values, context } = decodeSiblings(answer)
    const newest = values.at(-1)
    if (newest === undefined) return undefined
    const siblings = { values: values.map(({ value }) => value), context: encodeContext(context) }
    return { value: newest.value, version, node, siblings }
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    const message = `${node} answered with siblings that cannot be read: ${cause.message}`
    return new GTStoreError('VERSION_MISMATCH', message, { cause })
  }
}

function missing(): GTStoreError {
  return new GTStoreError('CONDITION_FAILED', 'the key is missing')
}

function exists(met: Version): GTStoreError {
  const version = formatVersion(met)
  return new GTStoreError('CONDITION_FAILED', `the key exists, in version ${version}`, { version })
}
