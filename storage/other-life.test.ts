import test from 'ava'
import type { RingDescription } from '../shared/ring/description.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'

const four = ['n1', 'n2', 'n3', 'n4']

/** A ring in which n1 is the second life of it. */
function ofSecondLife(ring: RingDescription): RingDescription {
  const members = ring.members.map((each) =>
    each.id === 'n1' ? { ...each, incarnation: 2 } : each,
  )
  return { ...ring, members }
}

/** N=3, W=R=2. Two processes run as n1, each with a store of its own. */
function twoLives(): Cluster {
  const cluster = new Cluster()
  cluster.writeRing(evenRing(1, four))
  for (const id of four) cluster.add(id)
  cluster.add('n1', undefined, 2)
  cluster.run()
  return cluster
}

test('a life that the ring does not name forwards what it would own, to its namesake too', (t) => {
  const cluster = twoLives()
  const key = keyOf(0, 4)
  cluster.publish(ofSecondLife(evenRing(2, four)))
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(cluster.answer('c-1')?.kind, 'put.ok')
  t.is(cluster.stored('n1.1', key), undefined, 'its copy would count as that of its namesake')
  t.is(cluster.stored('n1.2', key), 'one')
  cluster.get('c-1', 'n1.1', key)
  cluster.run()
  t.true(cluster.trace.includes('n1.1 > n1.2 coordinate.get'))
  t.is(cluster.answer('c-1')?.kind, 'get.ok')
})

test('a life that the ring does not name coordinates for nobody', (t) => {
  const cluster = twoLives()
  cluster.writeRing(ofSecondLife(evenRing(2, four)))
  cluster.add('n1', undefined, 3)
  const born = cluster.hostMicros
  const deadline = born + 1_000_000
  const request = { id: 7, epoch: 2, token: 5, key: Buffer.from('a'), r: 0, born, deadline }
  cluster.send('x-1', 'n1.3', { kind: 'coordinate.get', ...request })
  cluster.run()
  t.like(cluster.answer('x-1'), {
    kind: 'error',
    code: 'STOPPING',
    definite: true,
    message: 'this is not the life of n1 that the ring of epoch 2 names',
  })
})

test('hints for the namesake go there', (t) => {
  const cluster = twoLives()
  const key = keyOf(1, 4)
  cluster.kill('n4.1')
  cluster.put('c-1', 'n2.1', key, 'one')
  cluster.run()
  t.is(cluster.seat('n1.1').hints.entries.size, 1)
  const ring = ofSecondLife(evenRing(2, four))
  const nodes = ['n1', 'n2', 'n3', 'n1']
  cluster.publish({ ...ring, placement: { ...ring.placement, nodes } })
  cluster.advance(50)
  t.is(cluster.stored('n1.1', key), undefined)
  t.is(cluster.stored('n1.2', key), 'one')
})

test('what the namesake gains is not pulled, and not confirmed in its name', (t) => {
  const cluster = twoLives()
  const ring = ofSecondLife(evenRing(2, four))
  const transfer = { from: 0, to: 5, gainer: 'n1', sources: ['n2'], needed: 1, wipe: false }
  const change = { plan: 1, next: ring.placement, transfers: [transfer] }
  cluster.trace.length = 0
  cluster.publish({ ...ring, change })
  cluster.advance(50)
  const told = cluster.trace.filter((line) => /handoff\.(pull|complete)/.test(line))
  t.deepEqual(told, ['n1.2 > n2.1 handoff.pull', 'n1.2 > manager handoff.complete'])
})
