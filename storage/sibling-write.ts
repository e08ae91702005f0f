/**
 * Coordinating a write where siblings are kept (shared/data/siblings.ts): an owner makes the dot on its
 * own replica, in one step with what that holds, not yet durable writes included; then the whole
 * resulting record goes to the other owners and is merged there. It is answered after W durable
 * acknowledgements (quorum-write.ts).
 *
 * The dot is made once. When the ring changes meanwhile, the same record is brought to the owners of the
 * new one, also by a node that is none of them any more: merging it twice changes nothing, while a
 * second dot would be a sibling that nobody wrote. For the same reason a forwarder gives a write that may
 * have begun to nobody else (forward.ts).
 *
 * The actor changes with every plan that wiped a part of the store, since a dot must never be newer than
 * one of the same actor that its maker does not hold.
 */

import { unlessMalformed } from '../shared/data/byte-stream.js'
import type { StoredRecord } from '../shared/data/record.js'
import {
  actorOf,
  type Context,
  contextActorsMax,
  contextRefusal,
  type Dot,
  parseContext,
  swarmTag,
  written,
} from '../shared/data/siblings.js'
import type { Micros } from '../shared/data/version.js'
import { frameValuesMax, siblingsMax, siblingValuesMax } from '../shared/runtime/limits.js'
import type { Desk } from './desk.js'
import { operationOf } from './operations.js'
import { postpone } from './postponed.js'
import { QuorumWrite } from './quorum-write.js'
import { diskNearlyFull } from './replica.js'
import { replyError, replyWrite, type WriteRequest } from './request.js'
import { wipedForPlan } from './ring-keeper.js'

export interface SiblingWritesOptions {
  readonly boot: number
  /** The id of the swarm. */
  readonly swarm: string
  readonly valueBytesMax: number
  /** A newer ring waits for its wipe. */
  isAdopting(): boolean
}

/** The writes that this process coordinates, which draw their dots from one source. */
export class SiblingWrites {
  private readonly desk: Desk
  private readonly options: SiblingWritesOptions
  private readonly tag: string
  private last: Micros = 0

  constructor(desk: Desk, options: SiblingWritesOptions) {
    this.desk = desk
    this.options = options
    this.tag = swarmTag(options.swarm)
  }

  /** As an owner, or with a record that an earlier attempt has made. */
  coordinate(request: WriteRequest): void {
    const { runtime } = this.desk
    if (request.made === undefined && this.options.isAdopting()) {
      // Part of the store is going, and the actor has not changed yet. Nothing is late by it: no answer
      // could pass the fence now.
      return postpone(this.desk, request, 'write under the next ring')
    }
    const context = contextOf(request.context)
    const judge = { boot: this.options.boot, now: runtime.hostMicros(), tag: this.tag }
    const refusal =
      context === undefined
        ? 'the context is not one that a get gave'
        : contextRefusal(context, judge)
    if (context !== undefined && refusal === undefined) {
      return new SiblingWrite(this.desk, request, (held) =>
        this.make(request, context, held),
      ).begin()
    }
    replyError(runtime, request, 'INVALID_ARGUMENT', refusal ?? '')
  }

  /** What the key holds after the write; undefined: that would be too much. */
  private make(
    { value }: WriteRequest,
    context: Context,
    held: StoredRecord | undefined,
  ): StoredRecord | undefined {
    const { boot, valueBytesMax } = this.options
    const at = this.desk.runtime.hostMicros()
    const draw = (seen: Context) => this.draw(seen)
    // Where there are many owners, what all of them let in must still fit a frame.
    const { replicas } = this.desk.ring.description.placement
    const values = Math.min(siblingValuesMax, frameValuesMax / replicas)
    const bytes = values * valueBytesMax
    const limits = { count: siblingsMax, bytes, actors: contextActorsMax }
    return written(held, { value, context, draw, boot, at }, limits)
  }

  /** Strictly increasing, whatever the clock says. */
  private draw(seen: Context): Dot {
    const { ring, self, engine, runtime } = this.desk
    const address = ring.address(self)
    if (address === undefined) throw new Error('only an owner makes dots')
    const actor = actorOf(address, this.options.boot, wipedForPlan(engine), this.tag)
    const after = Math.max(this.last, seen.get(actor) ?? 0)
    this.last = Math.max(runtime.hostMicros(), after + 1)
    return { actor, micros: this.last }
  }
}

class SiblingWrite extends QuorumWrite<WriteRequest> {
  private readonly makeOf: (held: StoredRecord | undefined) => StoredRecord | undefined
  /** The own replica is written by the making, in this attempt or in an earlier one. */
  private isOwnWritten = false
  private isOwnDurable = false
  private ownAcknowledged: (() => void) | undefined

  constructor(
    desk: Desk,
    request: WriteRequest,
    makeOf: (held: StoredRecord | undefined) => StoredRecord | undefined,
  ) {
    super(desk, request, request.stamp.micros)
    this.makeOf = makeOf
  }

  /** Without room on the own disk no dot can be made. */
  override begin(): void {
    const { self, disk } = this.desk
    if (this.request.made !== undefined || !disk.isLow()) return super.begin()
    this.ownDiskFull(this.request.value)
    this.refuse('DISK_FULL', `${self} cannot begin the write: ${diskNearlyFull}; reads go on`)
  }

  protected override make(): StoredRecord | undefined {
    const { request, desk } = this
    const { token, key } = request
    if (request.made !== undefined) return request.made
    let isAsked = false
    const change = (held: StoredRecord | undefined) => {
      isAsked = true
      request.made = this.makeOf(held)
      return request.made
    }
    desk.engine.update(token, key, change, (error) => this.ownWritten(error))
    this.isOwnWritten = true
    this.isTouched = true
    if (request.made === undefined) this.refuseToMake(isAsked)
    return request.made
  }

  protected override writeOwn(record: StoredRecord, acknowledged: () => void): void {
    if (!this.isOwnWritten) super.writeOwn(record, acknowledged)
    else if (this.isOwnDurable) acknowledged()
    else this.ownAcknowledged = acknowledged
  }

  protected override reply(): void {
    const { made } = this.request
    if (made === undefined) throw new Error('nothing was written')
    replyWrite(this.desk.runtime, this.request, made.version)
  }

  private ownWritten(error: Error | undefined): void {
    const { desk, request } = this
    if (error !== undefined) desk.storageFailed(error)
    if (request.made === undefined) return
    desk.operations.ended('replicated', operationOf(request.value), request.key, error?.message)
    if (error !== undefined) return this.failed(desk.self)
    this.isOwnDurable = true
    if (!this.over) this.ownAcknowledged?.()
  }

  /** A store that failed was not asked to make anything: another owner can. */
  private refuseToMake(isAsked: boolean): void {
    if (!isAsked) return this.refuse('STOPPING', `the store of ${this.desk.self} failed`)
    const advice = 'get it, and put with the context that it gives'
    this.refuse(
      'TOO_MANY_SIBLINGS',
      `the key has as many siblings, or writers in its context, as may be: ${advice}`,
    )
  }
}

/** undefined: malformed. */
function contextOf(given: Uint8Array | null): Context | undefined {
  return given === null ? new Map() : unlessMalformed(() => parseContext(given))
}
