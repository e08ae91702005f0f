/**
 * One question to one peer, and its one outcome: the reply, or that there will be none. Whoever asks
 * under a ring is not answered any more once the node holds another; it hears of that by itself.
 */
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Address, Millis } from '../shared/runtime/runtime.js'
import type { Desk, Exchange } from './desk.js'

/** Makes the question, with the id to be answered and the epoch to be asked under. */
export type Question = (id: number, epoch: number) => Message
/** undefined: the peer is gone, late, under another epoch, or refused. */
export type Heard = (reply: Message | undefined) => void

class Ask implements Exchange {
  private readonly desk: Desk
  private readonly peer: Address | undefined
  private readonly heard: Heard
  private readonly patienceMs: Millis
  private readonly id: number
  private readonly askedAt: Millis

  constructor(desk: Desk, node: NodeId, patienceMs: Millis, heard: Heard) {
    this.desk = desk
    this.peer = desk.ring.address(node)
    this.heard = heard
    this.patienceMs = patienceMs
    this.askedAt = desk.runtime.now()
    this.id = desk.inFlight.add(this)
  }

  begin(question: Question): void {
    const { runtime, ring } = this.desk
    const { peer } = this
    if (peer === undefined || !runtime.send(peer, question(this.id, ring.epoch))) {
      this.settle(undefined)
    }
  }

  received(from: Address, reply: Message): void {
    if (from !== this.peer) return
    const isAnswer = reply.kind !== 'error' && reply.kind !== 'stale'
    if (reply.kind === 'stale' && reply.epoch > this.desk.ring.epoch) this.desk.catchUp()
    this.settle(isAnswer ? reply : undefined)
  }

  closed(peer: Address): void {
    if (peer === this.peer) this.settle(undefined)
  }

  ringChanged(): void {
    this.desk.inFlight.delete(this.id)
  }

  sweep(now: Millis): void {
    if (now - this.askedAt > this.patienceMs) this.settle(undefined)
  }

  private settle(reply: Message | undefined): void {
    if (this.desk.inFlight.delete(this.id)) this.heard(reply)
  }
}

/** Asks one node, which is late after `patienceMs`. */
export function ask(
  desk: Desk,
  node: NodeId,
  patienceMs: Millis,
  question: Question,
  heard: Heard,
): void {
  new Ask(desk, node, patienceMs, heard).begin(question)
}

/** Asks several at once; called with all replies, in the order of the nodes. */
export function askEach(
  desk: Desk,
  nodes: readonly NodeId[],
  patienceMs: Millis,
  question: Question,
  heard: (replies: readonly (Message | undefined)[]) => void,
): void {
  const replies: (Message | undefined)[] = nodes.map(() => undefined)
  let open = nodes.length
  if (open === 0) return heard(replies)
  for (const [index, node] of nodes.entries()) {
    ask(desk, node, patienceMs, question, (reply) => {
      replies[index] = reply
      open--
      if (open === 0) heard(replies)
    })
  }
}
