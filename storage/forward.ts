/**
 * The forwarder's part of a request: hand it to an owner of the key and pass its answer back. When
 * that coordinator's connection closes, or it falls silent for peerPatienceMs, the next owner gets the
 * request with the same stamp; the first answer is passed on.
 *
 * A write of siblings takes effect at each coordinator that begins it, so it goes to one: where that one
 * is lost, or silent to the end, the write may have happened and nobody else is asked.
 *
 * Silent is a coordinator that has answered no request at all for so long, though it owes this one. One
 * that answers others is busy: to give its work to the next as well would make two busy.
 */
import type { ErrorReply, Message } from '../shared/protocol/messages.js'
import {
  explainPatienceMs,
  forwarderLastWordMs,
  peerPatienceMs,
  sweepIntervalMs,
} from '../shared/runtime/limits.js'
import type { Address, Millis } from '../shared/runtime/runtime.js'
import type { Desk, Exchange } from './desk.js'
import { explainNobody } from './explain.js'
import { nobodyAnswers } from './explain-reasons.js'
import { coordinateMessage, passedOn } from './passing-on.js'
import { postpone } from './postponed.js'
import { coordinatorsOf, isDefinite, type Request, replyError } from './request.js'

/**
 * Patience is counted in sweeps and not in time, so that a node which is held up itself does not lose
 * it with others.
 */
const patienceSweeps = Math.ceil(peerPatienceMs / sweepIntervalMs)
/** Whoever explains a get waits for silent owners itself. */
const explainSweeps = Math.ceil((explainPatienceMs + peerPatienceMs) / sweepIntervalMs)

/** Of a read that is spread over the owners: whom it goes to first. */
export interface Turn {
  readonly coordinator: Address
  /** This node is an owner, too: it reads by itself where the other is gone or silent. */
  readonly takeBack: (() => void) | undefined
}

export class Forward implements Exchange {
  private readonly desk: Desk
  private readonly request: Request
  private readonly turn: Turn | undefined
  private readonly tried: Address[] = []
  /** Those tried that may still answer, the last one tried at the end. */
  private pending: Address[] = []
  private sweeps = 0
  private id = 0

  constructor(desk: Desk, request: Request, turn?: Turn) {
    this.desk = desk
    this.request = request
    this.turn = turn
  }

  begin(): void {
    this.id = this.desk.inFlight.add(this)
    if (this.turn === undefined) this.tryNext()
    else this.give(this.turn.coordinator)
  }

  received(from: Address, reply: Message): void {
    if (!this.pending.includes(from)) return
    this.desk.peers.heard(from)
    const success = passedOn(reply, this.request, this.desk.self)
    if (success !== undefined) this.finish(success)
    else if (reply.kind === 'error') this.refused(from, reply)
    else if (reply.kind === 'stale') this.routeAnew(reply.epoch)
  }

  closed(peer: Address): void {
    if (!this.pending.includes(peer)) return
    this.request.begun = true
    if (this.isOnce) return this.failLost(peer)
    this.givenUp(peer)
  }

  /** The coordinator starts the request again by itself, or answers `stale`. */
  ringChanged(): void {}

  sweep(now: Millis): void {
    const lateMicros = this.desk.runtime.hostMicros() - this.request.deadline
    if (lateMicros <= 0) return this.sweepOpen(now)
    // The coordinator knows better what is missing, and says so at the same time.
    if (lateMicros < forwarderLastWordMs * 1000) return
    this.request.begun = true
    const { tried } = this
    this.fail('TIMEOUT', `the deadline passed before the coordinator, ${tried.at(-1)}, answered`)
  }

  private sweepOpen(now: Millis): void {
    const { kind } = this.request
    if (++this.sweeps < (kind === 'explain' ? explainSweeps : patienceSweeps)) return
    this.sweeps = 0
    const { peers } = this.desk
    const coordinator = this.pending.at(-1)
    if (coordinator === undefined || now - peers.heardAt(coordinator) < peerPatienceMs) return
    peers.late(coordinator)
    if (this.turn?.takeBack !== undefined) return this.takeBack(this.turn.takeBack)
    if (this.isOnce) return
    const next = this.nextOwner()
    if (next === undefined) return
    this.request.begun = true
    this.give(next)
  }

  private takeBack(takeBack: () => void): void {
    this.desk.inFlight.delete(this.id)
    takeBack()
  }

  private tryNext(): void {
    if (this.turn?.takeBack !== undefined) return this.takeBack(this.turn.takeBack)
    const coordinator = this.nextOwner()
    if (coordinator === undefined) return this.failQuorum()
    this.give(coordinator)
  }

  private give(coordinator: Address): void {
    const { ring, runtime } = this.desk
    this.sweeps = 0
    this.tried.push(coordinator)
    this.pending.push(coordinator)
    const message = coordinateMessage(this.request, this.id, ring.epoch)
    if (!runtime.send(coordinator, message)) this.givenUp(coordinator)
  }

  /** No answer will come from there; another may have been asked already. */
  private givenUp(coordinator: Address): void {
    this.pending = this.pending.filter((address) => address !== coordinator)
    if (this.pending.length === 0) this.tryNext()
  }

  /** The first owner that can be reached and was not asked yet; failing that, any not asked yet. */
  private nextOwner(): Address | undefined {
    const { ring, peers, self, isNamed } = this.desk
    let unreachable: Address | undefined
    const arc = ring.arcOf(this.request.token)
    for (const owner of coordinatorsOf(arc, this.request.kind)) {
      const address = owner === self && isNamed ? undefined : ring.address(owner)
      if (address === undefined || this.tried.includes(address)) continue
      if (peers.isReachable(address)) return address
      unreachable ??= address
    }
    return unreachable
  }

  private refused(from: Address, reply: ErrorReply): void {
    if (!reply.definite) this.request.begun = true
    const isElsewhere = reply.code === 'STOPPING' || reply.code === 'OVERLOADED'
    if (isElsewhere && (reply.definite || !this.isOnce)) return this.givenUp(from)
    this.finish({ ...reply, id: this.request.id, definite: isDefinite(this.request) })
  }

  /**
   * The coordinator holds another ring: meet it there. It may have begun under the one before, except
   * with what goes to one coordinator only, which that one finishes whatever the ring.
   */
  private routeAnew(epoch: number): void {
    const { ring, inFlight } = this.desk
    if (!this.isOnce) this.request.begun = true
    const held = ring.epoch
    inFlight.delete(this.id)
    if (epoch > held) this.desk.catchUp()
    if (this.desk.ring.epoch !== held) return this.desk.route(this.request)
    postpone(this.desk, this.request, 'forward again')
  }

  private finish(reply: Message): void {
    this.desk.inFlight.delete(this.id)
    this.desk.runtime.send(this.request.from, reply)
  }

  /** A second coordinator would write a second sibling: no other gets what one may have begun. */
  private get isOnce(): boolean {
    return this.request.kind === 'write' && this.desk.mode === 'siblings'
  }

  private failLost(coordinator: Address): void {
    const message = `the coordinator, ${coordinator}, is gone; the write may have happened`
    this.fail('QUORUM_UNAVAILABLE', message)
  }

  private failQuorum(): void {
    const { desk, request } = this
    if (request.kind !== 'explain') {
      return this.fail('QUORUM_UNAVAILABLE', nobodyAnswers(desk.ring.arcOf(request.token)))
    }
    desk.inFlight.delete(this.id)
    explainNobody(desk, request)
  }

  private fail(code: 'TIMEOUT' | 'QUORUM_UNAVAILABLE', message: string): void {
    this.desk.inFlight.delete(this.id)
    replyError(this.desk.runtime, this.request, code, message)
  }
}
