/**
 * One call of the user, from its first attempt to its one outcome.
 *
 * What decides how a failure is reported is `unsure`: whether some attempt was sent and its end is
 * not known. Only a write of which every attempt surely came to nothing is a definite failure. A
 * read changes nothing, so its failures are always definite.
 */
import type { Condition } from '../shared/data/mode.js'
import type { Micros, Version } from '../shared/data/version.js'
import { type ErrorCode, GTStoreError } from '../shared/protocol/errors.js'
import type { Explain, ExplainReport, Get, Put, Write } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { clientKeyWritesMax, clientLastWordMs } from '../shared/runtime/limits.js'
import type { Address, CancelTimer } from '../shared/runtime/runtime.js'

export interface GetResult {
  /** May alias the buffer it arrived in: copy what is kept. Of siblings the newest. */
  readonly value: Uint8Array
  readonly version: Version
  /** The owner that coordinated the read. */
  readonly node: NodeId
  /** In mode `siblings` alone. */
  readonly siblings?: FoundSiblings
}

export interface FoundSiblings {
  /** At least one, oldest first. */
  readonly values: readonly Uint8Array[]
  /** Encoded: what a write that has seen them passes on. */
  readonly context: Uint8Array
}

export type PutDone = (error: GTStoreError | undefined, version?: Version) => void
/** Neither an error nor a result: the key is missing. */
export type GetDone = (error: GTStoreError | undefined, result?: GetResult) => void
export type ExplainDone = (error: GTStoreError | undefined, report?: ExplainReport) => void

interface RequestBase {
  readonly key: Uint8Array
  /** R or W of this call; 0 is the swarm's. */
  readonly quorum: number
  readonly born: Micros
  readonly deadline: Micros
}

interface WritingBase extends RequestBase {
  readonly value: Uint8Array | null
  readonly done: PutDone
}

/** In mode `latest`: the stamp is the value's version. */
export interface PutRequest extends WritingBase {
  readonly kind: 'put'
  readonly stamp: Version
}

/** In the other modes. */
export interface WriteRequest extends WritingBase {
  readonly kind: 'write'
  /** In a chain it is drawn when the write is sent first, and the writes of a key wait for one another. */
  readonly stamp: Version | (() => Version)
  readonly condition: Condition | null
  readonly context: Uint8Array | null
  /** A second attempt would be a second write: there is none once one may have begun. */
  readonly once: boolean
}

export interface GetRequest extends RequestBase {
  readonly kind: 'get'
  readonly done: GetDone
}

export interface ExplainRequest extends RequestBase {
  readonly kind: 'explain'
  readonly done: ExplainDone
}

export type CallRequest = PutRequest | WriteRequest | GetRequest | ExplainRequest

export type CallState =
  /** Behind writes of its key that are in flight. */
  | 'lined'
  /** Behind the calls that fill the client's in-flight limit. */
  | 'waiting'
  /** No node is known: goes out when one is. */
  | 'parked'
  /** An attempt was sent to `node` and is not answered. */
  | 'sent'
  /** Between two attempts. */
  | 'paused'
  | 'settled'

export class Call {
  readonly request: CallRequest
  state: CallState
  /** When a write was called, or in a chain sent first, and by whom. Its retries carry the same. */
  stamp: Version | undefined
  /** Of the attempt that was sent last, or goes out next. */
  id = 0
  /** When the last attempt was sent. */
  sentAt: Micros = 0
  /** Of earlier attempts that were given up without an answer: the first answer counts. */
  older: number[] | undefined
  node: Address = ''
  /** It is one of the writes of its key that may be in flight: see key-lines.ts. */
  isCounted = false
  /** Some attempt may have taken effect, or may still. */
  unsure = false
  retries = 0
  lastError: GTStoreError | undefined
  /** When too few owners were first reported; 0: never. */
  unavailableSince: Micros = 0
  /** When somebody must look at the call again: its deadline, or an attempt without an answer. */
  checkAt: Micros
  cancelPause: CancelTimer | undefined

  constructor(request: CallRequest) {
    this.request = request
    const isStampedLater = request.kind === 'write' && typeof request.stamp === 'function'
    this.state = isStampedLater ? 'lined' : 'waiting'
    if ('stamp' in request && typeof request.stamp !== 'function') this.stamp = request.stamp
    this.checkAt = request.deadline
  }

  get isWrite(): boolean {
    return 'stamp' in this.request
  }

  /** When it fails: at its deadline, or, where a node may tell why it did, a moment later. */
  get end(): Micros {
    const { deadline } = this.request
    return this.state === 'sent' ? deadline + clientLastWordMs * 1000 : deadline
  }

  /** It goes out for the first time. */
  drawStamp(): void {
    const { request } = this
    if (request.kind === 'write' && typeof request.stamp === 'function')
      this.stamp = request.stamp()
  }

  /** See WriteRequest. */
  get isOnce(): boolean {
    return this.request.kind === 'write' && this.request.once
  }

  message(): Put | Get | Write | Explain {
    const { request, id } = this
    switch (request.kind) {
      case 'put': {
        const { key, value, stamp, quorum, deadline } = request
        return { kind: 'put', id, key, value, version: stamp, w: quorum, deadline }
      }
      case 'get': {
        const { key, quorum, born, deadline } = request
        return { kind: 'get', id, key, r: quorum, born, deadline }
      }
      case 'write': {
        const { key, value, condition, context, quorum, deadline } = request
        const { stamp } = this
        if (stamp === undefined) throw new Error('a write is sent that was not stamped')
        return { kind: 'write', id, key, value, stamp, condition, context, w: quorum, deadline }
      }
      case 'explain': {
        const { key, quorum, born, deadline } = request
        return { kind: 'explain', id, key, r: quorum, born, deadline }
      }
    }
  }

  error(code: ErrorCode, message: string, cause?: unknown): GTStoreError {
    const definite = !this.isWrite || !(this.unsure || this.state === 'sent')
    return new GTStoreError(code, definite ? message : message + this.hint, { definite, cause })
  }

  /** What to do about an outcome that is not known. */
  private get hint(): string {
    const what = '; the write may have happened: read the key'
    return this.request.kind === 'put' ? `${what}, or put it again` : `${what} before another`
  }

  /** The outcome when the deadline passes. */
  expired(): GTStoreError {
    const ms = Math.round((this.request.deadline - this.request.born) / 1000)
    const last = this.lastError
    if (this.state === 'lined') {
      const why = `${clientKeyWritesMax} writes of this key were in flight`
      return this.error('TIMEOUT', `not sent within ${ms} ms: ${why}`)
    }
    if (this.state === 'waiting')
      return this.error('OVERLOADED', `not sent within ${ms} ms: too many calls in flight`)
    if (this.state === 'sent' || this.unsure)
      return this.error('TIMEOUT', `no answer from ${this.node} within ${ms} ms`, last)
    if (last !== undefined) return this.error(last.code, `${last.message} (tried for ${ms} ms)`)
    return this.error('CANNOT_CONNECT', `no storage node could be reached within ${ms} ms`)
  }
}
