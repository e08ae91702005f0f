/** Whether a life of a node may take part: what a join is answered by, before it changes anything. */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { MessageOf } from '../shared/protocol/messages.js'
import type { Member } from '../shared/ring/description.js'
import type { ChangeQueue } from './changes.js'
import type { Life } from './peers.js'
import { evictionUnderWay, foreignNode, forgotten, unknownLife } from './refusals.js'
import { hasLeft, type ManagerState } from './state.js'

type Join = MessageOf<'node.join'>

/**
 * `known`: the latest life of the node that was heard of. NOT_FOUND makes the node erase its store:
 * only for what this very swarm has dismissed.
 */
export function joinRefusal(
  state: ManagerState,
  known: Member | undefined,
  { swarm, member }: Join,
): GTStoreError | undefined {
  const { id, incarnation } = member
  const record = state.nodes[id]
  if (swarm !== state.swarm) return foreignNode(id)
  if (record?.lost === true || hasLeft(state, id)) return forgotten(id)
  if (record === undefined || incarnation > record.incarnation) return unknownLife(member)
  if (state.evicted.includes(id)) return evictionUnderWay(id)
  if (known === undefined || incarnation >= known.incarnation) return undefined
  const text = `${id}.${incarnation} is an earlier life of ${id}.${known.incarnation}: this process must end`
  return new GTStoreError('CHANGE_REFUSED', text)
}

/** Nodes repeat themselves until they are answered: that must cost next to nothing. */
export function isRepeatedJoin(
  state: ManagerState,
  queue: ChangeQueue,
  known: Life | undefined,
  { swarm, member, store, epoch, boot }: Join,
): boolean {
  const { id } = member
  const isSame =
    swarm === state.swarm &&
    known?.store === store &&
    known.member.incarnation === member.incarnation
  const isNews = epoch > state.epoch || boot > state.boot
  const isPlaced = state.ring?.placement.nodes.includes(id) === true || queue.has('join', id)
  return isSame && !isNews && isPlaced && state.nodes[id]?.lost !== true
}
