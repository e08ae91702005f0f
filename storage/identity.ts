/**
 * Whose store this is. The identity is written with the first life and read by all later ones: a store
 * of another swarm or node is refused, and a store id that the manager does not know tells it that the
 * data of that member did not survive.
 */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Engine } from '../shared/runtime/ports.js'

const identityMeta = 'identity'

export interface Identity {
  readonly swarm: string
  readonly node: NodeId
  /** Random id of the store. */
  readonly store: string
}

/** Reads the store's identity, or writes `fresh` into a new one; an error if it is another's. */
export function claimIdentity(
  engine: Engine,
  fresh: Identity,
  done: (error: Error | undefined, identity: Identity | undefined, isNew: boolean) => void,
): void {
  const text = engine.meta(identityMeta)
  if (text === undefined) {
    engine.applyBatch([], { [identityMeta]: JSON.stringify(fresh) }, (error) => {
      done(error, error === undefined ? fresh : undefined, true)
    })
    return
  }
  const found: Identity = JSON.parse(text)
  if (found.swarm !== fresh.swarm || found.node !== fresh.node) {
    const message =
      `the store belongs to node ${found.node} of swarm ${found.swarm}, ` +
      `not to node ${fresh.node} of swarm ${fresh.swarm}; use another data directory`
    done(new GTStoreError('INVALID_ARGUMENT', message), undefined, false)
    return
  }
  done(undefined, found, false)
}
