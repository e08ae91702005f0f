import test from 'ava'
import { preferenceList, preferenceLists } from './preference.js'

const placement = (replicas: number, nodes: string[]) => ({
  replicas,
  readQuorum: 1,
  writeQuorum: 1,
  tokens: nodes.map((_, i) => i * 10),
  nodes,
})

test('the owners are the first distinct nodes clockwise, the primary first', (t) => {
  const ring = placement(3, ['n1', 'n2', 'n1', 'n1', 'n3', 'n4'])
  t.deepEqual(preferenceList(ring, 0), ['n1', 'n2', 'n3'])
  t.deepEqual(preferenceList(ring, 2), ['n1', 'n3', 'n4'])
  t.deepEqual(preferenceList(ring, 5), ['n4', 'n1', 'n2'])
  t.deepEqual(preferenceLists(ring)[1], ['n2', 'n1', 'n3'])
})

test('with fewer nodes than replicas every node is an owner', (t) => {
  t.deepEqual(preferenceList(placement(3, ['n1', 'n2', 'n1']), 1), ['n2', 'n1'])
  t.deepEqual(preferenceList(placement(3, ['n1']), 0), ['n1'])
  t.deepEqual(preferenceLists(placement(3, [])), [])
})
