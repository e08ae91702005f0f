/**
 * Who keeps a copy: clockwise from a vnode, the first N distinct nodes. The vnodes that follow of a
 * node already met are skipped, so that a node never holds two copies of a key.
 */
import type { NodeId, Placement } from './description.js'

/**
 * The owners of the range of vnode `index`, its primary first. Fewer than N where the placement has
 * fewer nodes; none where it is empty.
 */
export function preferenceList(placement: Placement, index: number): readonly NodeId[] {
  const { nodes, replicas } = placement
  const list: NodeId[] = []
  for (let step = 0; step < nodes.length && list.length < replicas; step++) {
    const node = nodes[(index + step) % nodes.length] as NodeId
    if (!list.includes(node)) list.push(node)
  }
  return list
}

/** The preference lists of all vnodes, by index. */
export function preferenceLists(placement: Placement): readonly (readonly NodeId[])[] {
  return placement.tokens.map((_, index) => preferenceList(placement, index))
}
