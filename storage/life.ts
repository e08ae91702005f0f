/**
 * Runs the node's machine: feeds it what the rings say, and keeps its answers (which state, what is
 * permitted) as plain fields, so that the path of a request never asks XState.
 */
import { createActor } from 'xstate'
import type { MessageKind, NodeState } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Ring } from '../shared/ring/ring.js'
import { type NodeEvent, nodeMachine, permissionNeeded } from './machine.js'

export class Life {
  state: Exclude<NodeState, 'down'> = 'starting'
  isDonating = false
  isReceiving = false
  private mayForward = false
  private mayReplicate = false
  private readonly actor = createActor(nodeMachine)

  constructor(changed: (state: NodeState, before: NodeState) => void) {
    this.actor.subscribe((snapshot) => {
      const before = this.state
      this.state = snapshot.value.membership
      this.isDonating = snapshot.value.donating === 'streaming'
      this.isReceiving = snapshot.value.receiving === 'merging'
      this.mayForward = snapshot.hasTag('forward')
      this.mayReplicate = snapshot.hasTag('replicate')
      if (before !== this.state) changed(this.state, before)
    })
    this.actor.start()
  }

  permits(kind: MessageKind): boolean {
    const needed = permissionNeeded[kind]
    if (needed === 'forward') return this.mayForward
    if (needed === 'replicate') return this.mayReplicate
    return needed === null
  }

  tell(type: NodeEvent['type']): void {
    this.actor.send({ type })
  }

  /** What a newly adopted ring means for this node, this life of it. */
  follow(ring: Ring, self: NodeId, incarnation: number, isReceiving: boolean): void {
    this.tell(standing(ring, self, incarnation))
    const donates =
      ring.description.change?.transfers.some(({ sources }) => sources.includes(self)) ?? false
    if (donates !== this.isDonating) this.tell(donates ? 'donate.begun' : 'donate.ended')
    if (isReceiving !== this.isReceiving) this.tell(isReceiving ? 'receive.begun' : 'receive.ended')
  }
}

/** How the ring names this life of the node. */
function standing(ring: Ring, self: NodeId, incarnation: number): NodeEvent['type'] {
  const { placement, change } = ring.description
  if (ring.member(self)?.incarnation !== incarnation) return 'ring.absent'
  const owns = placement.nodes.includes(self)
  const willOwn = (change?.next ?? placement).nodes.includes(self)
  if (owns) return willOwn ? 'ring.member' : 'ring.leaver'
  return willOwn ? 'ring.joiner' : 'ring.absent'
}
