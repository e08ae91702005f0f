/** Refusals that several requests share, in words that say what to do. */
import { GTStoreError } from '../shared/protocol/errors.js'
import { addressOf, type Member, type NodeId } from '../shared/ring/description.js'
import { hasLeft, type ManagerState, wasDismissed } from './state.js'

/**
 * Of an id under which nobody may take part. NOT_FOUND: its process gives it up, with its store, and
 * joins as a new node; with anything else it ends.
 */
export function notEnrolled(state: ManagerState, node: NodeId): GTStoreError {
  if (wasDismissed(state, node)) {
    const text = `a command took ${node} out of the swarm: start a node without an id instead`
    return new GTStoreError('CHANGE_REFUSED', text)
  }
  if (hasLeft(state, node) || state.nodes[node]?.lost === true) return forgotten(node)
  const text = `${node} was never a node of this swarm: start it with the data directory of its own swarm`
  return new GTStoreError('INVALID_ARGUMENT', text)
}

/** The process of such a node erases its store. */
export function forgotten(node: NodeId): GTStoreError {
  const text = `${node} has left the swarm, and its id is not used again: start a node without an id`
  return new GTStoreError('NOT_FOUND', text)
}

/** Its store is safe with its own manager, wherever that is. */
export function foreignNode(node: NodeId): GTStoreError {
  const text =
    `${node} belongs to another swarm than this manager: ` +
    'start the manager with the data directory of that swarm, or the node in another run directory'
  return new GTStoreError('CHANGE_REFUSED', text)
}

/** Others are copying what it held; it keeps its data until that is done, or given up. */
export function evictionUnderWay(node: NodeId): GTStoreError {
  const text =
    `${node} was down for too long, and its eviction is under way: it joins as a new node after it, ` +
    'or goes on with its data where the others cannot do without'
  return new GTStoreError('CHANGE_REFUSED', text)
}

/** A life of this swarm that its journal has never heard of. */
export function unknownLife(member: Member): GTStoreError {
  const text =
    `the manager's journal is older than ${addressOf(member)}: was it restored from a copy? ` +
    'The node keeps its data and waits'
  return new GTStoreError('CHANGE_REFUSED', text)
}

/** Its nodes would be taken for ours. */
export function foreignSwarm(runDirectory: string): GTStoreError {
  const text =
    `nodes of another swarm run in ${runDirectory}: start the manager with their data directory, ` +
    'stop them, or use another run directory'
  return new GTStoreError('CHANGE_REFUSED', text)
}
