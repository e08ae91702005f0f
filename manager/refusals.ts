/** Refusals that several requests share, in words that say what to do. */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { NodeId } from '../shared/ring/description.js'
import { hasLeft, type ManagerState } from './state.js'

/** Of an id under which nobody may take part: the process gives it up, with its store, or ends. */
export function notEnrolled(state: ManagerState, node: NodeId): GTStoreError {
  const isOver = hasLeft(state, node) || state.nodes[node]?.lost === true
  const text = isOver
    ? `${node} has left the swarm, and its id is not used again: start a node without an id`
    : `${node} was never a node of this swarm: start it with the data directory of its own swarm`
  return new GTStoreError('NOT_FOUND', text)
}
