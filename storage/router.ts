/**
 * A request's way through this node under the ring it holds now: coordinate it as an owner of its key,
 * forward it for a client, send another forwarder on, or refuse it. Every restart of a request comes
 * through here again.
 */
import type { Version } from '../shared/data/version.js'
import type { NodeId } from '../shared/ring/description.js'
import { tokenOf } from '../shared/ring/token.js'
import { nodeInFlightMax } from '../shared/runtime/limits.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { Chain } from './chain/chain.js'
import { ChainForward } from './chain/chain-forward.js'
import { ChainGet } from './chain/chain-get.js'
import type { Desk } from './desk.js'
import { Explanation, explainNobody, watchQuorumGet } from './explain.js'
import { watchChainGet } from './explain-chain.js'
import { Forward } from './forward.js'
import { GetCoordination } from './get-coordination.js'
import { postpone } from './postponed.js'
import { PutCoordination } from './put-coordination.js'
import { stampRefusal } from './replica.js'
import {
  type ClientRequest,
  coordinatorsOf,
  type ExplainRequest,
  type Request,
  replyError,
  requestOf,
  wrongWith,
} from './request.js'
import { SiblingWrites, type SiblingWritesOptions } from './sibling-write.js'
import { unsupportedBy } from './supported.js'
import { isWeakRead, turnOf } from './weak-reads.js'

export type RouterOptions = SiblingWritesOptions

export class Router {
  private readonly desk: Desk
  private readonly options: RouterOptions
  private readonly siblings: SiblingWrites

  constructor(desk: Desk, options: RouterOptions) {
    this.desk = desk
    this.options = options
    this.siblings = new SiblingWrites(desk, options)
  }

  /** From a client, for which this node is the forwarder. */
  accept(from: Address, message: ClientRequest): void {
    const { ring, runtime } = this.desk
    const wrong = wrongWith(message, ring, this.options.valueBytesMax)
    if (wrong === undefined) return this.route(requestOf(from, message, tokenOf(message.key)))
    const { id } = message
    const code = 'INVALID_ARGUMENT'
    runtime.send(from, { kind: 'error', id, code, definite: true, message: wrong })
  }

  route(request: Request): void {
    const { runtime, ring, inFlight, readBytes, self, isNamed } = this.desk
    if (runtime.hostMicros() > request.deadline) {
      return replyError(runtime, request, 'TIMEOUT', 'the deadline passed')
    }
    if (request.kind === 'put' || request.kind === 'write') {
      const refusal = this.refusalOf(request.kind === 'put' ? request.version : request.stamp)
      if (refusal !== undefined) return replyError(runtime, request, 'EXPIRED', refusal)
    }
    if (ring.forming) return this.refuseForming(request)
    if (inFlight.size >= nodeInFlightMax || readBytes.isSpent) {
      return replyError(runtime, request, 'OVERLOADED', `${self} has too many requests`)
    }
    const arc = ring.arcOf(request.token)
    const isOwner = coordinatorsOf(arc, request.kind).includes(self)
    const isRead = request.kind === 'get' || request.kind === 'explain'
    if (isRead && request.direct && isWeakRead(arc, request.r)) {
      return this.spread(request, isOwner && isNamed)
    }
    if (!isOwner || !isNamed) return this.passOn(request, isOwner)
    this.coordinate(request)
  }

  /** A weak read goes to whichever owner's turn it is. */
  private spread(request: Request, isOwner: boolean): void {
    const { ring, self } = this.desk
    const owner = turnOf(this.desk, ring.arcOf(request.token))
    if (owner === self && isOwner) return this.coordinate(request)
    const coordinator = owner === undefined ? undefined : ring.address(owner)
    if (coordinator === undefined) return new Forward(this.desk, request).begin()
    const takeBack = isOwner ? () => this.takeBack(request) : undefined
    new Forward(this.desk, request, { coordinator, takeBack }).begin()
  }

  /** Under the ring held now, in which this node may be no owner any more. */
  private takeBack(request: Request): void {
    const { ring, self, isNamed } = this.desk
    const isOwner = coordinatorsOf(ring.arcOf(request.token), request.kind).includes(self)
    if (isOwner && isNamed) this.coordinate(request)
    else new Forward(this.desk, request).begin()
  }

  private coordinate(request: Request): void {
    const refusal = unsupportedBy(this.desk.mode, request)
    if (refusal !== undefined) {
      return replyError(this.desk.runtime, request, 'UNSUPPORTED', refusal)
    }
    const { desk } = this
    const { chain } = desk
    switch (request.kind) {
      case 'put':
        return new PutCoordination(desk, request).begin()
      case 'get':
        if (chain === undefined) return new GetCoordination(desk, request).begin()
        return new ChainGet(desk, chain, request).begin()
      case 'write':
        if (chain === undefined) return this.siblings.coordinate(request)
        // The end answers: where a client waits here, the write is forwarded, to oneself too.
        if (request.direct) return new ChainForward(desk, chain, request).begin()
        return chain.write(request)
      case 'explain':
        if (chain !== undefined) return this.explainInChain(chain, request)
        return new Explanation(desk, request, watchQuorumGet).begin()
    }
  }

  /** The reader does, where it can be reached; else any member, which says that it cannot. */
  private explainInChain(chain: Chain, request: ExplainRequest): void {
    const { ring, peers, self } = this.desk
    const reader = ring.arcOf(request.token).chain?.reader ?? ''
    const isForReader = reader !== self && peers.isReachable(ring.address(reader))
    if (request.direct && isForReader) new ChainForward(this.desk, chain, request).begin()
    else new Explanation(this.desk, request, watchChainGet(chain)).begin()
  }

  /** A write is called in the present life of the host; one of an earlier would lose to all since. */
  private refusalOf(version: Version): string | undefined {
    const { boot } = this.options
    if (version.boot < boot) return 'the version is of an earlier life of the host'
    return stampRefusal(this.desk.runtime, boot, version, version.micros)
  }

  /** Not by an old ring: the newest may have the nodes that the one held lacks. */
  private refuseForming(request: Request): void {
    const { desk } = this
    const { epoch } = desk.ring
    desk.catchUp()
    if (desk.ring.epoch !== epoch) return this.route(request)
    if (this.options.isAdopting()) return postpone(desk, request, 'route again')
    const { replicas } = desk.ring.description.placement
    const message = `the swarm has ${desk.ring.nodes.length} of the ${replicas} nodes that it needs`
    replyError(desk.runtime, request, 'FORMING', message)
  }

  /** Where another life of this node is the owner, its copy counts and the one here does not. */
  private passOn(request: Request, isOthers: boolean): void {
    const { runtime, ring, self } = this.desk
    const isMade = request.kind === 'write' && request.made !== undefined
    if (isMade && !isOthers) return this.siblings.coordinate(request)
    if (request.direct && !isMade) return this.forward(request)
    if (isOthers) {
      const message = `this is not the life of ${self} that the ring of epoch ${ring.epoch} names`
      return replyError(runtime, request, 'STOPPING', message)
    }
    runtime.send(request.from, { kind: 'stale', id: request.id, epoch: ring.epoch })
  }

  private forward(request: Request): void {
    const { desk } = this
    if (request.kind === 'explain' && !this.isAnyoneThere(request)) {
      return explainNobody(desk, request)
    }
    if (desk.chain === undefined) return new Forward(desk, request).begin()
    const refusal = unsupportedBy(desk.mode, request)
    if (refusal === undefined) new ChainForward(desk, desk.chain, request).begin()
    else replyError(desk.runtime, request, 'UNSUPPORTED', refusal)
  }
  private isAnyoneThere({ token, kind }: Request): boolean {
    const { ring, peers } = this.desk
    const isThere = (owner: NodeId) => peers.isReachable(ring.address(owner))
    return coordinatorsOf(ring.arcOf(token), kind).some(isThere)
  }
}
