/**
 * Writes on their way down a chain, and their acknowledgements on the way back: what the head ordered or
 * the one before sent is made durable, and goes on; at the end it is committed and answered.
 */

import { unlessMalformed } from '../../shared/data/byte-stream.js'
import {
  type DecidedRequest,
  positionOf,
  requestsOf,
  union,
  withRequests,
} from '../../shared/data/chain-record.js'
import type { StoredRecord } from '../../shared/data/record.js'
import { formatVersion, type Version } from '../../shared/data/version.js'
import type { ChainAck, ChainPut, Message } from '../../shared/protocol/messages.js'
import type { Token } from '../../shared/ring/description.js'
import type { Address } from '../../shared/runtime/runtime.js'
import type { Desk } from '../desk.js'
import { operationOf } from '../operations.js'
import { recordOf } from '../replica.js'
import type { WriteRequest } from '../request.js'
import type { Barrier } from './barrier.js'
import { withoutExpired } from './decide.js'
import { Head } from './head.js'
import type { Link } from './link.js'
import type { Seat } from './seat.js'
import type { Noted, Uncommitted } from './uncommitted.js'

/** What goes on with a key once it is durable here. */
interface Passage {
  readonly token: Token
  readonly key: Uint8Array
  readonly record: StoredRecord
  /** Those of this message; what else is uncommitted beside the key goes with them. */
  readonly requests: readonly DecidedRequest[]
  /** Whom the end answers which of them, and as what. */
  readonly origin: Address | ''
  readonly request: number
  readonly stamp: Version | null
}

const nobody = { requests: [], origin: '', request: 0, stamp: null } as const

export interface ConveyorOptions {
  readonly desk: Desk
  /** Of this life of the node. */
  readonly address: Address
  readonly boot: number
  readonly index: Uncommitted
  readonly barrier: Barrier
  /** A newer ring waits for its wipe. */
  isAdopting(): boolean
  /** Undefined: the node is no member of the key's chain. */
  seatOf(token: Token): Seat | undefined
  linkTo(successor: Address): Link
}

export class Conveyor {
  private readonly options: ConveyorOptions
  private readonly head: Head

  constructor(options: ConveyorOptions) {
    this.options = options
    this.head = new Head(options)
  }

  /** The head's part. */
  order(seat: Seat, request: WriteRequest): void {
    const { token, key, from: origin, id, stamp } = request
    // The wipe has begun: what was decided now would outlive it.
    if (this.options.isAdopting()) return this.refuseForNow(origin, id, seat.epoch)
    const { successor } = seat
    const isLinkFull = successor !== undefined && this.options.linkTo(successor).state === 'full'
    this.head.take(request, isLinkFull, {
      refused: (reply) => this.reply(origin, reply),
      ordered: (record, decided) => {
        this.count('replicated', request.value, key, decided)
        const passage = { token, key, record, requests: [decided], origin, request: id, stamp }
        this.passUnder(seat.epoch, passage)
      },
    })
  }

  /** From the one before. */
  take(from: Address, message: ChainPut): void {
    const { desk, index, barrier } = this.options
    const { id, epoch, token, key, origin, request, stamp } = message
    const incoming = recordOf(message)
    const requests = unlessMalformed(() => requestsOf(incoming))
    const isFromBefore = this.options.seatOf(token)?.predecessor === from
    if (requests === undefined || !isFromBefore || !hasStamp(requests, stamp)) {
      return this.ignore(from, message)
    }
    // The wipe has begun: what came now would outlive it.
    if (this.options.isAdopting()) return this.refuseForNow(from, id, epoch)
    const now = desk.runtime.hostMicros()
    const isCommitted = (each: Version) => index.isCommitted(key, each)
    const ended = barrier.begin()
    let noted: Noted = []
    const change = (held: StoredRecord | undefined): StoredRecord | undefined => {
      const merged = desk.merge(held, incoming)
      const beside = requestsOf(merged)
      noted = index.note(token, key, beside, desk.runtime.now())
      if (merged === held) return undefined
      const kept = withoutExpired(beside, { now, isCommitted })
      return kept.length === beside.length ? merged : withRequests(merged, kept)
    }
    desk.engine.update(token, key, change, (error, record) => {
      if (error !== undefined) return desk.storageFailed(error)
      index.areDurable(noted)
      if (record === undefined) throw new Error('a merged record is gone')
      const decided = stamp === null ? undefined : withStamp(requests, stamp)
      if (decided !== undefined) this.count('replicated', incoming.value, key, decided)
      this.passUnder(epoch, { token, key, record, requests, origin, request, stamp })
      ended()
    })
  }

  /** What is uncommitted beside the key, for nobody who waits. */
  passAgain(token: Token, key: Uint8Array, record: StoredRecord): void {
    this.pass({ ...nobody, token, key, record })
  }

  /** From the next one: passed on also where it is no news here, since the one before asked again. */
  acknowledged(from: Address, { token, key, stamps }: ChainAck): void {
    const { index, seatOf } = this.options
    const seat = seatOf(token)
    if (seat?.successor !== from) return
    // By its copy a joiner may hold what has not come down to those before it, or is not durable there.
    const passed = stamps.filter((stamp) => index.holds(key, stamp))
    index.commit(key, passed)
    this.acknowledge(seat, token, key, passed)
  }

  refuseForNow(to: Address, id: number, epoch: number): void {
    this.reply(to, { kind: 'stale', id, epoch })
  }

  ignore(from: Address, { kind }: Message): void {
    const { log } = this.options.desk
    log.warn({ from, kind }, 'ignored what the one before in the chain did not send')
  }

  /**
   * Not under another ring than it was taken by: what is here still was sent down anew for that one, and
   * what is not any more, since it was wiped between, must not be answered for.
   */
  private passUnder(epoch: number, passage: Passage): void {
    if (this.options.desk.ring.epoch === epoch) this.pass(passage)
  }

  /** Durable here: it goes on to the next member, or is committed. */
  private pass(passage: Passage): void {
    const { token, key, record, origin, request, stamp } = passage
    const seat = this.options.seatOf(token)
    if (seat === undefined) return
    const beside = requestsOf(record)
    const requests = union(this.options.index.openOf(key, beside), passage.requests)
    if (seat.successor === undefined) return this.end(seat, { ...passage, requests })
    const link = this.options.linkTo(seat.successor)
    const isAll = requests === beside
    const { version, value, attached = null } = isAll ? record : withRequests(record, requests)
    const about = { id: link.session, epoch: seat.epoch, token, key }
    const reply = { origin, request, stamp }
    link.send({ kind: 'chain.put', ...about, value, version, attached, ...reply })
  }

  /** All members have it. */
  private end(seat: Seat, { key, token, record, requests, origin, request, stamp }: Passage): void {
    const stamps = requests.map((each) => each.stamp)
    this.options.index.commit(key, stamps)
    this.acknowledge(seat, token, key, stamps)
    if (stamp === null) return
    const decided = withStamp(requests, stamp)
    if (decided === undefined) throw new Error('a request to be answered is not among those passed')
    this.count('coordinated', record.value, key, decided, seat)
    if (origin !== '') this.reply(origin, resultOf(request, decided))
  }

  private count(
    part: 'coordinated' | 'replicated',
    value: Uint8Array | null,
    key: Uint8Array,
    { version, met }: DecidedRequest,
    seat?: Seat,
  ): void {
    const refusal = version === null ? refusalOf(met) : undefined
    this.options.desk.operations.ended(part, operationOf(value), key, refusal, seat)
  }

  /** To a forwarder or a member; the forwarder may be this node. */
  private reply(to: Address, reply: Message & { readonly id: number }): void {
    const { desk, address } = this.options
    if (to === address) desk.inFlight.get(reply.id)?.received(to, reply)
    else desk.runtime.send(to, reply)
  }

  private acknowledge(
    { predecessor, epoch }: Seat,
    token: Token,
    key: Uint8Array,
    stamps: readonly Version[],
  ): void {
    if (predecessor === undefined || stamps.length === 0) return
    const { runtime } = this.options.desk
    runtime.send(predecessor, { kind: 'chain.ack', id: 0, epoch, token, key, stamps })
  }
}

function hasStamp(requests: readonly DecidedRequest[], stamp: Version | null): boolean {
  return stamp === null || withStamp(requests, stamp) !== undefined
}

function withStamp(requests: readonly DecidedRequest[], stamp: Version) {
  return requests[positionOf(requests, stamp)]
}

/** What was decided first, however often it is asked for. */
function resultOf(id: number, { version, met }: DecidedRequest): Message & { readonly id: number } {
  if (version !== null) return { kind: 'coordinate.write.ok', id, version }
  const code = 'CONDITION_FAILED'
  const error = { kind: 'error', id, code, definite: true, message: refusalOf(met) } as const
  return met === null ? error : { ...error, met }
}

function refusalOf(met: Version | null): string {
  return met === null ? 'the key is missing' : `the key has version ${formatVersion(met)}`
}
