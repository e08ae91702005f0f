/**
 * The forwarder's part of a request in a chain: hand it to the one node that may take it, the head or the
 * reader, and pass the answer on, which for a write comes from the end of the chain.
 *
 * Where that node is gone, refuses because of its state, or the ring changes, the request goes out again
 * with the same stamp, to whoever takes it then: a chain decides it once. An answer may be lost with any
 * of the links on its way, which nobody tells the forwarder; so it also asks again now and then.
 */
import type { ErrorReply, Message } from '../../shared/protocol/messages.js'
import type { NodeId } from '../../shared/ring/description.js'
import { chainRetryMs, peerLateMs, sweepIntervalMs } from '../../shared/runtime/limits.js'
import type { Address } from '../../shared/runtime/runtime.js'
import type { Desk, Exchange } from '../desk.js'
import { coordinateMessage, passedOn } from '../passing-on.js'
import { coordinatorsOf, isDefinite, type Request, replyError } from '../request.js'
import type { Chain } from './chain.js'

/** Counted in sweeps, so that a node which is held up itself does not blame others. */
const retrySweeps = Math.ceil(chainRetryMs / sweepIntervalMs)
const repeatSweeps = Math.ceil(peerLateMs / sweepIntervalMs)

export class ChainForward implements Exchange {
  private readonly desk: Desk
  private readonly chain: Chain
  private readonly request: Request
  private id = 0
  /** Who has it. */
  private given: Address | undefined
  private wasGiven = false
  /** Until it is given again. */
  private sweeps = 0

  constructor(desk: Desk, chain: Chain, request: Request) {
    this.desk = desk
    this.chain = chain
    this.request = request
  }

  begin(): void {
    this.id = this.desk.inFlight.add(this)
    this.give()
  }

  received(from: Address, reply: Message): void {
    this.desk.peers.heard(from)
    const success = passedOn(reply, this.request, this.desk.self)
    if (success !== undefined) this.finish(success)
    else if (reply.kind === 'error') this.refused(reply)
    else if (reply.kind === 'stale') {
      this.again(1)
      if (reply.epoch > this.desk.ring.epoch) this.desk.catchUp()
    }
  }

  closed(peer: Address): void {
    if (peer !== this.given) return
    this.again(retrySweeps)
    // Any other member explains as well.
    if (this.request.kind === 'explain') this.give()
  }

  ringChanged(): void {
    this.give()
  }

  sweep(): void {
    const { runtime } = this.desk
    if (runtime.hostMicros() <= this.request.deadline) {
      if (--this.sweeps <= 0) this.give()
      return
    }
    this.request.begun ||= this.wasGiven
    this.desk.inFlight.delete(this.id)
    replyError(runtime, this.request, 'TIMEOUT', this.missing())
  }

  private missing(): string {
    const { ring, peers, self } = this.desk
    const { owners } = ring.arcOf(this.request.token)
    const isGone = (owner: NodeId) => owner !== self && !peers.isReachable(ring.address(owner))
    const gone = owners.filter(isGone)
    const why = gone.length === 0 ? '' : `: ${gone.join(', ')} cannot be reached`
    return `the deadline passed before the chain ${owners.join(' > ')} answered${why}`
  }

  /** What was given may have been begun. */
  private again(sweeps: number): void {
    this.request.begun ||= this.wasGiven
    this.given = undefined
    this.sweeps = sweeps
  }

  private give(): void {
    const { desk, request } = this
    const { ring, self, isNamed, runtime, peers } = desk
    this.again(repeatSweeps)
    const candidates = coordinatorsOf(ring.arcOf(request.token), request.kind)
    const isThere = (it: NodeId) => it === self || peers.isReachable(ring.address(it))
    const reached = candidates.find(isThere)
    if (reached === undefined && request.kind === 'explain') {
      desk.inFlight.delete(this.id)
      return desk.route(request)
    }
    const node = reached ?? candidates[0]
    if (node === self && isNamed && request.kind === 'write') {
      this.wasGiven = true
      return this.chain.write({ ...request, from: this.chain.address, id: this.id, direct: false })
    }
    if (node === self && isNamed) {
      desk.inFlight.delete(this.id)
      return desk.route(request)
    }
    const address = node === undefined ? undefined : ring.address(node)
    const message = coordinateMessage(request, this.id, ring.epoch)
    if (address === undefined || !runtime.send(address, message)) {
      this.sweeps = retrySweeps
      return
    }
    this.given = address
    this.wasGiven = true
  }

  /** A condition that failed is a result, the only one; otherwise it depends on what came before. */
  private refused(reply: ErrorReply): void {
    if (reply.code === 'STOPPING') return this.again(retrySweeps)
    const isResult = reply.code === 'CONDITION_FAILED'
    if (!reply.definite) this.request.begun = true
    this.finish({ ...reply, id: this.request.id, definite: isResult || isDefinite(this.request) })
  }

  private finish(reply: Message): void {
    this.desk.inFlight.delete(this.id)
    this.desk.runtime.send(this.request.from, reply)
  }
}
