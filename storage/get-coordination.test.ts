import test from 'ava'
import { peerLateMs, readHedgeMs, sweepIntervalMs } from '../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'

/** Four nodes, N=3, W=R=2; the key's owners are n1, n2, n3, and n1 and n2 are asked by n1. */
function fourNodes(): { cluster: Cluster; key: string } {
  const cluster = new Cluster()
  const nodes = ['n1', 'n2', 'n3', 'n4']
  cluster.writeRing(evenRing(1, nodes))
  for (const id of nodes) cluster.add(id)
  const key = keyOf(0, 4)
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(1_000)
  cluster.trace.length = 0
  return { cluster, key }
}

/** Whom n1 asked for its copy since the trace was last emptied. */
function asked(cluster: Cluster): string[] {
  const gets = cluster.trace.filter((line) => /^n1\.1 > \S+ replica\.get$/.test(line))
  cluster.trace.length = 0
  return gets.map((line) => line.split(' ')[2] as string)
}

/** Time for a late owner to be noticed. */
const patienceMs = readHedgeMs + 2 * sweepIntervalMs

test('the gets after one that met a silent owner ask it last, until a while has passed', (t) => {
  const { cluster, key } = fourNodes()
  cluster.mute('n2.1')
  cluster.get('c-1', 'n1.1', key)
  cluster.run()
  t.is(cluster.inbox.get('c-1')?.length, 1, 'the answer to the put')
  cluster.advance(patienceMs)
  t.is(cluster.answer('c-1')?.kind, 'get.ok')
  t.deepEqual(asked(cluster), ['n2.1', 'n3.1'])
  cluster.get('c-2', 'n1.1', key)
  cluster.run()
  t.is(cluster.answer('c-2')?.kind, 'get.ok', 'nothing was waited for')
  t.deepEqual(asked(cluster), ['n3.1'])
  cluster.unmute('n2.1')
  cluster.advance(peerLateMs)
  cluster.trace.length = 0
  cluster.get('c-3', 'n1.1', key)
  cluster.run()
  t.deepEqual(asked(cluster), ['n2.1'])
})

test('gossip looks after a silent owner at once', (t) => {
  const { cluster, key } = fourNodes()
  const late: string[] = []
  cluster.seat('n1.1').node.peers.onLate = (peer) => late.push(peer)
  cluster.mute('n2.1')
  cluster.get('c-1', 'n1.1', key)
  cluster.advance(patienceMs)
  t.deepEqual(late, ['n2.1'])
})

test('an owner that answers others is busy, not late', (t) => {
  const { cluster, key } = fourNodes()
  const { peers } = cluster.seat('n1.1').node
  cluster.mute('n2.1', 'n3.1')
  cluster.get('c-1', 'n1.1', key)
  cluster.advance(readHedgeMs / 2)
  peers.heard('n2.1')
  cluster.advance(patienceMs - readHedgeMs / 2)
  t.deepEqual(asked(cluster), ['n2.1', 'n3.1'])
  t.true(peers.isReachable('n2.1'))
})

test('a node that was itself held up holds nobody for late', (t) => {
  const { cluster, key } = fourNodes()
  cluster.mute('n2.1')
  cluster.get('c-1', 'n1.1', key)
  cluster.run()
  cluster.sleep(readHedgeMs)
  cluster.advance(0)
  t.deepEqual(asked(cluster), ['n2.1', 'n3.1'])
  t.true(cluster.seat('n1.1').node.peers.isReachable('n2.1'))
})
