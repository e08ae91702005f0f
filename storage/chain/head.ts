/**
 * The head's part of a write: take it or refuse it, decide it on the newest record (decide.ts), and make
 * that durable. Refusals are definite: nothing was begun here.
 */
import type { DecidedRequest } from '../../shared/data/chain-record.js'
import { requestsOf } from '../../shared/data/chain-record.js'
import type { StoredRecord } from '../../shared/data/record.js'
import type { Version } from '../../shared/data/version.js'
import type { ErrorCode } from '../../shared/protocol/errors.js'
import type { ErrorReply } from '../../shared/protocol/messages.js'
import { chainFollowedMax, chainRequestsMax } from '../../shared/runtime/limits.js'
import type { Desk } from '../desk.js'
import type { WriteRequest } from '../request.js'
import type { Barrier } from './barrier.js'
import { type Decision, decide } from './decide.js'
import type { Noted, Uncommitted } from './uncommitted.js'

export interface HeadOptions {
  readonly desk: Desk
  readonly boot: number
  readonly index: Uncommitted
  readonly barrier: Barrier
}

export interface Taker {
  refused(reply: ErrorReply): void
  /** The record with the request, decided now or before, is durable here. */
  ordered(record: StoredRecord, decided: DecidedRequest): void
}

export class Head {
  private readonly options: HeadOptions

  constructor(options: HeadOptions) {
    this.options = options
  }

  take(request: WriteRequest, isLinkFull: boolean, { refused, ordered }: Taker): void {
    const { desk, barrier, index } = this.options
    const { id, token, key } = request
    const refuse = (code: ErrorCode, message: string) =>
      refused({ kind: 'error', id, code, definite: true, message })
    const refusal = this.refusalOf(request, isLinkFull)
    if (refusal !== undefined) return refuse(...refusal)
    let decision: Decision | undefined
    let noted: Noted = []
    const ended = barrier.begin()
    const change = (held: StoredRecord | undefined) => {
      decision = this.decide(request, held)
      const decided = decision.is === 'new' ? decision.record : undefined
      noted = index.note(token, key, requestsOf(decided ?? held), desk.runtime.now())
      return decided
    }
    desk.engine.update(token, key, change, (error, record) => {
      if (error !== undefined) {
        desk.storageFailed(error)
        return refused({ ...storageFailed, id, message: error.message })
      }
      index.areDurable(noted)
      if (decision !== undefined && 'request' in decision && record !== undefined) {
        ordered(record, decision.request)
      }
      ended()
    })
    if (decision?.is === 'forgotten') return refused({ ...forgotten, id })
    if (decision?.is !== 'crowded') return
    const message = `the key has ${chainRequestsMax} requests under way`
    refuse('OVERLOADED', `${message}: its chain does not keep up`)
  }

  private refusalOf(request: WriteRequest, isLinkFull: boolean): [ErrorCode, string] | undefined {
    const { runtime, disk, self } = this.options.desk
    if (runtime.hostMicros() > request.deadline) return ['TIMEOUT', 'the deadline passed']
    if (disk.isLow()) return ['DISK_FULL', `the disk of ${self} is nearly full; reads go on`]
    if (isLinkFull) return ['OVERLOADED', `the chain behind ${self} does not keep up`]
    if (this.options.index.size < chainFollowedMax) return undefined
    return ['OVERLOADED', `${self} has too many writes that may still be sent again`]
  }

  private decide(request: WriteRequest, held: StoredRecord | undefined): Decision {
    const { desk, boot, index } = this.options
    const { key } = request
    return decide(held, request, {
      boot,
      epoch: desk.ring.epoch,
      now: desk.runtime.hostMicros(),
      isCommitted: (stamp: Version) => index.isCommitted(key, stamp),
    })
  }
}

/** It may have been decided long ago, among many. */
const forgotten = {
  kind: 'error',
  code: 'EXPIRED',
  definite: false,
  message:
    'the key was written so often since the call that nobody knows whether this one was done',
} as const

/** Begun, and nobody knows how far it came. */
const storageFailed = { kind: 'error', code: 'STORAGE_FAILED', definite: false } as const
