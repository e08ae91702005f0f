/**
 * Explaining a get: a real one is made, by the same rules and the same code as any other, and beside it
 * every owner of the key is asked what it holds, on both sides of a change. The report puts the two
 * together. The owners are asked first, so that what the get mends afterwards is told as it was.
 *
 * The report waits for the get and for all owners, but no longer than explainPatienceMs: who has not
 * answered by then is late, which is what whoever asks wants to know. It needs no fence of its own: the
 * get that it tells of has passed one. When the ring changes, the whole starts again.
 *
 * In a chain the reader alone answers gets; its members say what they hold all the same, whether or not
 * it is committed. Where no owner can be reached, the forwarder explains that.
 */
import { noVersion } from '../shared/data/chain-record.js'
import type { StoredRecord } from '../shared/data/record.js'
import { compareVersions } from '../shared/data/version.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Arc } from '../shared/ring/ring.js'
import { explainPatienceMs } from '../shared/runtime/limits.js'
import type { Address, Millis } from '../shared/runtime/runtime.js'
import { everyOwner } from './coordination.js'
import type { Desk, Exchange } from './desk.js'
import {
  nobodyAnswers,
  type Outcome,
  reasonsOf,
  roleOf,
  type Said,
  type Seen,
  stateOf,
} from './explain-reasons.js'
import { GetCoordination, heldOf } from './get-coordination.js'
import { answerOf, type ExplainRequest, replyExplain } from './request.js'
import { readQuorumOf } from './weak-reads.js'

/** A get under way whose outcome the explanation is told instead of a client. */
export interface WatchedGet {
  begin(): void
  /** Nobody waits for it any more. */
  drop(): void
  /** What else there is to say of it, asked at the end: in a chain, whether its reader may serve. */
  readonly remarks: readonly string[]
}

/** Makes the get of the mode; `settled` is called at most once. */
export type Watch = (
  desk: Desk,
  request: ExplainRequest,
  settled: (outcome: Outcome) => void,
) => WatchedGet

export class Explanation implements Exchange {
  private readonly desk: Desk
  private readonly request: ExplainRequest
  private readonly epoch: number
  private readonly arc: Arc
  private readonly owners: readonly NodeId[]
  private readonly id: number
  private readonly begunAt: Millis
  private readonly patienceMs: Millis
  private readonly askedAtMicros: number
  private readonly get: WatchedGet
  /** Of each owner; undefined until something is known. */
  private readonly said: (Said | undefined)[]
  private outcome: Outcome | undefined
  private bytes = 0
  private over = false

  constructor(desk: Desk, request: ExplainRequest, watch: Watch) {
    const { runtime, ring } = desk
    this.desk = desk
    this.request = request
    this.epoch = ring.epoch
    this.arc = ring.arcOf(request.token)
    this.owners = everyOwner(this.arc)
    this.said = this.owners.map(() => undefined)
    this.begunAt = runtime.now()
    this.askedAtMicros = runtime.hostMicros()
    const leftMs = (request.deadline - this.askedAtMicros) / 1000
    this.patienceMs = Math.min(explainPatienceMs, leftMs / 2)
    this.id = desk.inFlight.add(this)
    this.get = watch(desk, request, (outcome) => {
      const isAnswered = outcome.is === 'answered'
      this.outcome = isAnswered ? { ...outcome, record: writtenOf(outcome.record) } : outcome
      this.reportIfComplete()
    })
  }

  begin(): void {
    for (const owner of this.owners) this.ask(owner)
    if (!this.over) this.get.begin()
  }

  received(from: Address, reply: Message): void {
    const node = this.desk.nodeAt(from)
    if (node === undefined) return
    if (reply.kind === 'replica.get.ok') this.says(node, this.held(heldOf(reply)))
    else if (reply.kind === 'error') {
      this.says(node, { is: 'refused', why: `${reply.code}: ${reply.message}` })
    } else if (reply.kind === 'stale') {
      if (reply.epoch > this.epoch) this.desk.catchUp()
      this.says(node, { is: 'other epoch', epoch: reply.epoch })
    }
  }

  closed(peer: Address): void {
    const node = this.desk.nodeAt(peer)
    if (node !== undefined) this.says(node, { is: 'down' })
  }

  ringChanged(): void {
    if (this.over) return
    this.end()
    this.desk.route(this.request)
  }

  sweep(now: Millis): void {
    if (now - this.begunAt < this.patienceMs) return
    for (const [index, owner] of this.owners.entries()) this.said[index] ??= this.silenceOf(owner)
    const waitedMs = Math.round(now - this.begunAt)
    this.outcome ??= { is: 'refused', why: `nothing was decided within ${waitedMs} ms` }
    this.report()
  }

  private ask(owner: NodeId): void {
    const { ring, runtime, engine, self } = this.desk
    const { token, key } = this.request
    if (owner === self) {
      engine.read(token, key, (error, record) => {
        if (error !== undefined) this.desk.storageFailed(error)
        else this.says(self, this.held(record))
      })
      return
    }
    const address = ring.address(owner)
    const { id, epoch } = this
    if (address === undefined) this.says(owner, { is: 'down' })
    else if (!runtime.send(address, { kind: 'replica.get', id, epoch, token, key })) {
      this.says(owner, { is: 'refused', why: 'too much is queued for it' })
    }
  }

  private held(record: StoredRecord | undefined): Said {
    const tookMicros = this.desk.runtime.hostMicros() - this.askedAtMicros
    return { is: 'held', record: writtenOf(record), tookMicros }
  }

  private says(node: NodeId, said: Said): void {
    const index = this.owners.indexOf(node)
    if (this.over || index < 0 || this.said[index] !== undefined) return
    this.said[index] = said
    const bytes = said.is === 'held' ? (said.record?.value?.length ?? 0) : 0
    this.bytes += bytes
    this.desk.readBytes.take(bytes)
    this.reportIfComplete()
  }

  private silenceOf(owner: NodeId): Said {
    const { ring, peers, self } = this.desk
    const isDown = owner !== self && !peers.mayAnswer(ring.address(owner))
    return isDown ? { is: 'down' } : { is: 'late', patienceMs: Math.round(this.patienceMs) }
  }

  private reportIfComplete(): void {
    if (this.outcome === undefined || this.said.includes(undefined)) return
    this.report()
  }

  private report(): void {
    const { outcome, desk, arc, epoch, request } = this
    if (this.over || outcome === undefined) return
    this.end()
    const { mode, merge, self } = desk
    const remarks = this.get.remarks
    const { n, w } = arc.quorums
    const quorums = { n, r: readQuorumOf(arc, request.r), w }
    const seen = this.owners.map((node, index): Seen => {
      return { node, role: roleOf(arc, node), said: this.said[index] as Said }
    })
    const records = seen.map(({ said }) => (said.is === 'held' ? said.record : undefined))
    if (outcome.is === 'answered') records.push(outcome.record)
    const newest = records.reduce(
      (all, each) => (each === undefined ? all : merge(all, each)),
      undefined,
    )
    const answered = outcome.is === 'answered' ? outcome.record : undefined
    const counted = outcome.is === 'answered' ? outcome.counted : []
    replyExplain(desk.runtime, request, {
      mode,
      epoch,
      token: request.token,
      path: [self],
      quorums,
      owners: seen.map(({ node, role, said }) => ({
        node,
        role,
        state: stateOf(said, newest),
        version: said.is === 'held' ? (said.record?.version ?? null) : null,
        isDeleted: said.is === 'held' && said.record !== undefined && said.record.value === null,
        counted: counted.includes(node),
        tookMicros: said.is === 'held' ? said.tookMicros : null,
      })),
      ...answerOf(mode, answered),
      refusal: outcome.is === 'refused' ? outcome.why : null,
      reasons: reasonsOf({ mode, epoch, arc, quorums, outcome, seen, newest, remarks }),
    })
  }

  private end(): void {
    this.over = true
    this.desk.inFlight.delete(this.id)
    this.get.drop()
    this.desk.readBytes.giveBack(this.bytes)
    this.bytes = 0
  }
}

/** The get of both quorum modes. */
class WatchedQuorumGet extends GetCoordination implements WatchedGet {
  readonly remarks = []
  private readonly settled: (outcome: Outcome) => void

  constructor(desk: Desk, request: ExplainRequest, settled: (outcome: Outcome) => void) {
    super(desk, { ...request, kind: 'get' })
    this.settled = settled
  }

  drop(): void {
    if (!this.over) this.end()
  }

  /** The explanation starts again, and with it the get. */
  override ringChanged(): void {
    this.drop()
  }

  protected override deliver(record: StoredRecord | undefined): void {
    const counted = this.acknowledged()
    this.settled({ is: 'answered', record, counted, wroteBack: this.hasWrittenBack })
  }

  protected override refuse(code: string, message: string): void {
    if (this.over) return
    this.end()
    this.settled({ is: 'refused', why: `${code}: ${message}` })
  }

  /** An explanation is no operation of a client. */
  protected override succeeded(): void {}
}

/** What the router makes of an `explain` where any owner may answer. */
export const watchQuorumGet: Watch = (desk, request, settled) =>
  new WatchedQuorumGet(desk, request, settled)

/** A get that nobody can make. */
class UnansweredGet implements WatchedGet {
  readonly remarks: readonly string[] = []
  private readonly why: string
  private readonly settled: (outcome: Outcome) => void

  constructor(why: string, settled: (outcome: Outcome) => void) {
    this.why = why
    this.settled = settled
  }

  begin(): void {
    this.settled({ is: 'refused', why: this.why })
  }

  drop(): void {}
}

/** What explains why no get is made, and what the owners hold all the same. */
export function watchNobody(why: string): Watch {
  return (_desk, _request, settled) => new UnansweredGet(why, settled)
}

/** Where no owner can be reached. */
export function explainNobody(desk: Desk, request: ExplainRequest): void {
  const why = nobodyAnswers(desk.ring.arcOf(request.token))
  new Explanation(desk, request, watchNobody(why)).begin()
}

/** In a chain a key may have requests beside it and was never written. */
function writtenOf(record: StoredRecord | undefined): StoredRecord | undefined {
  const isWritten = record !== undefined && compareVersions(record.version, noVersion) !== 0
  return isWritten ? record : undefined
}
