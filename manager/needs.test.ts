import test from 'ava'
import type { Chain, NodeId } from '../shared/ring/description.js'
import { neededNodes } from './needs.js'

/** One vnode each: the owners of a range are a node and the two that follow. */
function placementOf(writeQuorum: number, ...nodes: readonly NodeId[]) {
  const tokens = nodes.map((_, index) => index + 1)
  return { replicas: 3, readQuorum: 2, writeQuorum, tokens, nodes }
}

const parties = (dead: readonly NodeId[], givenUp: readonly NodeId[] = []) => ({
  helps: (node: NodeId) => !dead.includes(node),
  isGivenUp: (node: NodeId) => givenUp.includes(node),
})

test('quorums: the dead owners of a range that too few have are needed, no others', (t) => {
  const five = { placement: placementOf(2, 'n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7') }
  const needed = (...dead: NodeId[]) => neededNodes(five, parties(dead))
  t.deepEqual(needed(), [])
  t.deepEqual(needed('n1'), [])
  t.deepEqual(needed('n2', 'n1'), ['n1', 'n2'])
  t.deepEqual(needed('n1', 'n4'), [], 'they have no range in common')
  t.deepEqual(needed('n1', 'n2', 'n5'), ['n1', 'n2'])
})

test('quorums: of N nodes, too', (t) => {
  const needed = (writeQuorum: number, ...dead: NodeId[]) =>
    neededNodes({ placement: placementOf(writeQuorum, 'n1', 'n2', 'n3') }, parties(dead))
  t.deepEqual(needed(2, 'n1'), [])
  t.deepEqual(needed(2, 'n1', 'n3'), ['n1', 'n3'])
  t.deepEqual(needed(3, 'n1', 'n3'), [], 'who is left has every acknowledged write')
  t.deepEqual(needed(3, 'n1', 'n2', 'n3'), ['n1', 'n2', 'n3'])
  t.deepEqual(needed(1, 'n1'), ['n1'], 'it may be the only one that has a write')
})

test('quorums: what is given up is not needed, what the others hold is', (t) => {
  const three = { placement: placementOf(2, 'n1', 'n2', 'n3') }
  t.deepEqual(neededNodes(three, parties(['n1', 'n2'], ['n1'])), ['n2'])
  t.deepEqual(neededNodes(three, parties(['n1', 'n2'], ['n1', 'n2'])), [])
})

test('chains: full members are needed where none of them is up', (t) => {
  const placement = placementOf(3, 'n1', 'n2', 'n3')
  const chain = (to: number, members: NodeId[], full = members.length): Chain => {
    return { from: 0, to, members, full, reader: members[full - 1] as NodeId }
  }
  const needed = (chains: Chain[], dead: NodeId[], givenUp: NodeId[] = []) =>
    neededNodes({ placement, chains }, parties(dead, givenUp))
  t.deepEqual(needed([chain(1, ['n1', 'n2', 'n3'])], ['n1', 'n3']), [])
  t.deepEqual(needed([chain(1, ['n3'])], ['n1', 'n2', 'n3']), ['n3'])
  t.deepEqual(needed([chain(1, ['n3', 'n2'])], ['n2', 'n3']), ['n2', 'n3'])
  t.deepEqual(needed([chain(1, ['n3', 'n1'], 1)], ['n3']), ['n3'], 'a joiner has not all of it')
  t.deepEqual(needed([chain(1, ['n3', 'n2'])], ['n2', 'n3'], ['n3']), ['n2'])
  t.deepEqual(needed([chain(1, ['n3'])], ['n3'], ['n3']), [])
})
