/**
 * One call of the user, from its first attempt to its one outcome.
 *
 * What decides how a failure is reported is `unsure`: whether some attempt was sent and its end is
 * not known. Only a write of which every attempt surely came to nothing is a definite failure. A
 * read changes nothing, so its failures are always definite.
 */
import type { Micros, Version } from '../shared/data/version.js'
import { type ErrorCode, GTStoreError } from '../shared/protocol/errors.js'
import type { Get, Put } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Address, CancelTimer } from '../shared/runtime/runtime.js'

export interface GetResult {
  /** May alias the buffer it arrived in: copy what is kept. */
  readonly value: Uint8Array
  readonly version: Version
  /** The owner that coordinated the read. */
  readonly node: NodeId
}

export type PutDone = (error: GTStoreError | undefined, version?: Version) => void
/** Neither an error nor a result: the key is missing. */
export type GetDone = (error: GTStoreError | undefined, result?: GetResult) => void

interface CallBase {
  readonly key: Uint8Array
  /** R or W of this call; 0 is the swarm's. */
  readonly quorum: number
  readonly born: Micros
  readonly deadline: Micros
}

export interface PutRequest extends CallBase {
  readonly value: Uint8Array | null
  readonly version: Version
  readonly done: PutDone
}

export interface GetRequest extends CallBase {
  readonly done: GetDone
}

export type CallState =
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
  readonly request: PutRequest | GetRequest
  state: CallState = 'waiting'
  /** Of the attempt that was sent last, or goes out next. */
  id = 0
  /** When the last attempt was sent. */
  sentAt: Micros = 0
  /** Of earlier attempts that were given up without an answer: the first answer counts. */
  older: number[] | undefined
  node: Address = ''
  /** Some attempt may have taken effect, or may still. */
  unsure = false
  retries = 0
  lastError: GTStoreError | undefined
  /** When too few owners were first reported; 0: never. */
  unavailableSince: Micros = 0
  /** When somebody must look at the call again: its deadline, or an attempt without an answer. */
  checkAt: Micros
  cancelPause: CancelTimer | undefined

  constructor(request: PutRequest | GetRequest) {
    this.request = request
    this.checkAt = request.deadline
  }

  get isPut(): boolean {
    return 'version' in this.request
  }

  message(): Put | Get {
    const { request, id } = this
    if (!('version' in request)) {
      const { key, quorum, born, deadline } = request
      return { kind: 'get', id, key, r: quorum, born, deadline }
    }
    const { key, value, version, quorum, deadline } = request
    return { kind: 'put', id, key, value, version, w: quorum, deadline }
  }

  error(code: ErrorCode, message: string, cause?: unknown): GTStoreError {
    const definite = !this.isPut || !(this.unsure || this.state === 'sent')
    const hint = definite ? '' : '; the write may have happened: read the key, or put it again'
    return new GTStoreError(code, message + hint, { definite, cause })
  }

  /** The outcome when the deadline passes. */
  expired(): GTStoreError {
    const ms = Math.round((this.request.deadline - this.request.born) / 1000)
    const last = this.lastError
    if (this.state === 'waiting')
      return this.error('OVERLOADED', `not sent within ${ms} ms: too many calls in flight`)
    if (this.state === 'sent' || this.unsure)
      return this.error('TIMEOUT', `no answer from ${this.node} within ${ms} ms`, last)
    if (last !== undefined) return this.error(last.code, `${last.message} (tried for ${ms} ms)`)
    return this.error('CANNOT_CONNECT', `no storage node could be reached within ${ms} ms`)
  }
}
