/**
 * Brings every call to its one outcome: sends it to the forwarder, and again, with the same stamp,
 * to another node when that one dies, refuses, finds too few owners or stays silent. A write that
 * keeps siblings goes out again only while it surely did not happen: a second one would be another.
 *
 * A call is either waiting for a place (see clientInFlightMax, for some writes first that of their key:
 * key-lines.ts) or among those in flight. The hot path, from `add` to the first answer, holds no timer,
 * promise or copy: one coarse sweep looks after deadlines and silent nodes, and passes over all calls
 * only when the earliest of them is due. Pauses before retries have timers of their own, since they are
 * rare and finer than the sweep.
 */
import type { Micros } from '../shared/data/version.js'
import { type ErrorCode, GTStoreError } from '../shared/protocol/errors.js'
import type { ErrorReply } from '../shared/protocol/messages.js'
import { InFlight } from '../shared/runtime/in-flight.js'
import {
  attemptsCount,
  clientInFlightMax,
  clientWaitingMax,
  retryPauseMaxMs,
  retryPauseMs,
  silentNodeMs,
  sweepIntervalMs,
  unavailableRetryMs,
} from '../shared/runtime/limits.js'
import type { Address, Millis, Runtime } from '../shared/runtime/runtime.js'
import { type Answer, conditionFailed, isAnswered, tell } from './answers.js'
import { Call, type CallRequest } from './calls.js'
import { KeyLines } from './key-lines.js'
import type { Routes } from './routes.js'
import { WaitingLine } from './waiting-line.js'

export interface DispatcherOptions {
  readonly runtime: Runtime
  readonly routes: Routes
  /** No node is known: `rerouted` must follow once one is. */
  readonly onLost: () => void
  /** The last pending call has settled. */
  readonly onIdle: () => void
}

export class Dispatcher {
  private readonly runtime: Runtime
  private readonly routes: Routes
  private readonly options: DispatcherOptions
  private readonly inFlight = new InFlight<Call>()
  private readonly waiting = new WaitingLine<Call>((call) => call.state === 'settled')
  private readonly keyLines = new KeyLines()
  /** Calls in flight, sent or not; a call may have several ids. */
  private begun = 0
  /** Nodes whose connection was established: what was sent to others was surely not received. */
  private readonly reached = new Set<Address>()
  private sweeping = false
  /** Who has answered anything since the last sweep, and when that was: a slow call is no sign then. */
  private readonly heard = new Set<Address>()
  private lastHeard: Address = ''
  private readonly heardAt = new Map<Address, Micros>()
  /** No call needs a look before this. */
  private earliest: Micros = Number.POSITIVE_INFINITY
  /** Why no node is known, for the calls that wait for one. */
  private reason: GTStoreError | undefined

  constructor(options: DispatcherOptions) {
    this.options = options
    this.runtime = options.runtime
    this.routes = options.routes
  }

  get pending(): number {
    return this.begun + this.waitingCount
  }

  add(request: CallRequest): Call {
    const call = new Call(request)
    const hasPassed = call.state !== 'lined' || this.keyLines.pass(call)
    if (hasPassed && this.begun < clientInFlightMax) this.begin(call)
    else if (this.waitingCount >= clientWaitingMax) this.refuse(call)
    else if (hasPassed) this.wait(call)
    else this.keyLines.push(call)
    if (call.checkAt < this.earliest) this.earliest = call.checkAt
    if (!this.sweeping) this.scheduleSweep()
    return call
  }

  /** The user gave the call up. */
  abort(call: Call, cause: unknown): void {
    if (call.state === 'settled') return
    this.fail(call, call.error('ABORTED', 'the call was aborted', cause))
  }

  answered(from: Address, message: Answer): void {
    if (from !== this.lastHeard) this.hear(from)
    const call = this.inFlight.get(message.id)
    if (call === undefined || !isAnswered(call.request, message)) return
    this.settle(call)
    tell(call.request, message)
    this.afterSettled()
  }

  /** What is pending was asked of a swarm that is no more. */
  failAll(code: ErrorCode, message: string): void {
    for (const call of this.everyone()) {
      if (call.state === 'settled') continue
      if (call.state === 'sent' && !this.reached.has(call.node)) this.concludeAttempt(call)
      this.fail(call, call.error(code, message))
    }
  }

  /**
   * A node's error counts for the attempt it was asked in; those given up on are `unsure` already. A
   * condition that failed is an answer, and counts like one.
   */
  refused(from: Address, message: ErrorReply): void {
    if (from !== this.lastHeard) this.hear(from)
    const call = this.inFlight.get(message.id)
    if (call === undefined) return
    const { code, definite } = message
    // One request has one result, whichever of its attempts is told it.
    if (code === 'CONDITION_FAILED') return this.fail(call, conditionFailed(message))
    if (call.id !== message.id || call.state !== 'sent') return
    const error = new GTStoreError(code, message.message, { definite })
    if (!definite) call.unsure = true
    this.concludeAttempt(call)
    call.lastError = error
    if (call.unsure && call.isOnce) return this.fail(call, call.error(code, message.message))
    switch (code) {
      case 'STOPPING':
        this.routes.forget(call.node)
        this.retry(call, call.retries === 0)
        break
      case 'OVERLOADED':
        this.retry(call, false)
        break
      case 'QUORUM_UNAVAILABLE':
      case 'STORAGE_FAILED':
        this.retryUnavailable(call, error)
        break
      default:
        this.fail(call, call.error(code, message.message))
    }
  }

  opened(node: Address): void {
    this.reached.add(node)
  }

  /** The connection to `node` ended or was not made: what it was asked goes to another node. */
  closed(node: Address): void {
    const wasReached = this.reached.delete(node)
    this.heardAt.delete(node)
    this.routes.forget(node)
    const lost = this.all().filter((call) => call.state === 'sent' && call.node === node)
    for (const call of lost) {
      if (wasReached) call.unsure = true
      this.concludeAttempt(call)
      if (call.unsure && call.isOnce) {
        this.fail(call, call.error('TIMEOUT', `${node} went away before it answered`))
      } else this.retry(call, call.retries === 0)
    }
  }

  /** New nodes are known. */
  rerouted(): void {
    this.reason = undefined
    for (const call of this.all()) if (call.state === 'parked') this.transmit(call)
  }

  /** No node is known yet; calls that find none in their time fail with this. */
  unroutable(reason: GTStoreError): void {
    const before = this.reason
    this.reason = reason
    for (const call of this.all()) {
      if (call.state === 'parked' && call.lastError === before) call.lastError = reason
    }
  }

  private get waitingCount(): number {
    return this.waiting.size + this.keyLines.size
  }

  private wait(call: Call): void {
    call.state = 'waiting'
    this.waiting.push(call)
  }

  private begin(call: Call): void {
    this.begun++
    call.id = this.inFlight.add(call)
    call.drawStamp()
    this.transmit(call)
  }

  private refuse(call: Call): void {
    call.state = 'settled'
    this.keyLines.leave(call)
    const message = `${clientWaitingMax} calls wait already; await some of them first`
    const error = new GTStoreError('OVERLOADED', message)
    this.runtime.after(0, 'client.refused', () => call.request.done(error))
  }

  private transmit(call: Call): void {
    const now = this.runtime.hostMicros()
    const { stamp } = call
    if (stamp !== undefined && stamp.micros > now) {
      this.pause(call, Math.ceil((stamp.micros - now) / 1000))
      return
    }
    // A retry goes behind the node that failed it; without one, to the forwarder.
    const node =
      (call.node === '' ? undefined : this.routes.after(call.node)) ?? this.routes.forwarder
    if (node === undefined) this.park(call)
    else if (!this.runtime.send(node, call.message())) this.retry(call, false)
    else {
      call.node = node
      call.state = 'sent'
      this.watch(call, now)
    }
  }

  private watch(call: Call, now: Micros): void {
    call.sentAt = now
    call.checkAt = this.patienceEnd(call)
    if (call.checkAt < this.earliest) this.earliest = call.checkAt
  }

  /**
   * When another node is to be asked. A node that answers nothing at all is stuck, and is not waited
   * for; one that answers others is slow with this call, which would be slow elsewhere as well.
   */
  private patienceEnd(call: Call): Micros {
    const { born, deadline } = call.request
    const patience = Math.max(silentNodeMs * 1000, (deadline - born) / attemptsCount)
    const patienceEnd = Math.min(deadline, call.sentAt + patience)
    if ((call.older?.length ?? 0) >= attemptsCount - 1) return patienceEnd
    const heardAt = Math.max(call.sentAt, this.heardAt.get(call.node) ?? 0)
    return Math.min(patienceEnd, heardAt + silentNodeMs * 1000)
  }

  private hear(node: Address): void {
    this.lastHeard = node
    this.heard.add(node)
  }

  private park(call: Call): void {
    call.state = 'parked'
    call.checkAt = call.request.deadline
    if (call.lastError === undefined) call.lastError = this.reason
    this.options.onLost()
  }

  /** The attempt had its answer: the next one has another id, so that nothing is taken for it. */
  private concludeAttempt(call: Call): void {
    this.inFlight.delete(call.id)
    call.id = this.inFlight.add(call)
    call.state = 'paused'
    call.checkAt = call.request.deadline
  }

  private retry(call: Call, atOnce: boolean): void {
    const ceiling = Math.min(retryPauseMaxMs, retryPauseMs * 2 ** call.retries)
    call.retries++
    if (atOnce) this.transmit(call)
    else this.pause(call, ceiling * (0.5 + this.runtime.random() / 2))
  }

  private retryUnavailable(call: Call, error: GTStoreError): void {
    const now = this.runtime.hostMicros()
    if (call.unavailableSince === 0) call.unavailableSince = now
    if (now - call.unavailableSince < unavailableRetryMs * 1000) this.retry(call, false)
    else this.fail(call, call.error(error.code, error.message))
  }

  private pause(call: Call, ms: Millis): void {
    call.state = 'paused'
    call.checkAt = call.request.deadline
    call.cancelPause = this.runtime.after(ms, 'client.retry', () => {
      call.cancelPause = undefined
      this.transmit(call)
    })
  }

  private lookAt(call: Call, now: Micros): void {
    if (call.state === 'sent') call.checkAt = this.patienceEnd(call)
    if (now >= call.checkAt) this.askAnother(call, now)
  }

  /** The node is silent: another is asked too, and the first answer of any counts. */
  private askAnother(call: Call, now: Micros): void {
    this.routes.avoid(call.node)
    if (call.isOnce) {
      call.checkAt = call.request.deadline
      return
    }
    const next = this.routes.after(call.node)
    if (next === undefined) {
      this.options.onLost()
      this.watch(call, now)
      return
    }
    call.unsure = true
    call.older = [...(call.older ?? []), call.id]
    call.id = this.inFlight.add(call)
    this.transmit(call)
  }

  private scheduleSweep(): void {
    this.sweeping = true
    this.runtime.after(sweepIntervalMs, 'client.sweep', () => this.sweep())
  }

  private sweep(): void {
    const now = this.runtime.hostMicros()
    for (const node of this.heard) this.heardAt.set(node, now)
    this.heard.clear()
    this.lastHeard = ''
    if (now >= this.earliest) this.sweepAll(now)
    this.sweeping = false
    if (this.pending > 0) this.scheduleSweep()
  }

  private sweepAll(now: Micros): void {
    this.earliest = Number.POSITIVE_INFINITY
    for (const call of this.everyone()) {
      if (call.state === 'settled') continue
      if (now >= call.end) this.fail(call, call.expired())
      else if (now >= call.request.deadline) call.checkAt = call.end
      else if (now >= call.checkAt) this.lookAt(call, now)
    }
    for (const call of this.everyone()) this.earliest = Math.min(this.earliest, call.checkAt)
  }

  /** Those that wait first: none of them is to take the place of one that fails just before it. */
  private everyone(): Call[] {
    return [...this.keyLines.all(), ...this.waiting.all(), ...this.all()]
  }

  /** Each call in flight once, in an order that repeats. */
  private all(): Call[] {
    return [...new Set(this.inFlight.all())]
  }

  private fail(call: Call, error: GTStoreError): void {
    this.settle(call)
    call.request.done(error)
    this.afterSettled()
  }

  private settle(call: Call): void {
    const { state } = call
    call.state = 'settled'
    if (state === 'lined') return this.keyLines.removed(call)
    const next = this.keyLines.leave(call)
    if (next !== undefined) this.wait(next)
    if (state === 'waiting') return this.waiting.removed()
    this.begun--
    this.inFlight.delete(call.id)
    if (call.older !== undefined) for (const id of call.older) this.inFlight.delete(id)
    call.cancelPause?.()
  }

  private afterSettled(): void {
    while (this.waiting.size > 0 && this.begun < clientInFlightMax) {
      const next = this.waiting.shift()
      if (next !== undefined) this.begin(next)
    }
    if (this.pending === 0) this.options.onIdle()
  }
}
