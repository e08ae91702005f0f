import test from 'ava'
import type { RingDescription } from '../shared/ring/description.js'
import { peerPatienceMs, readHedgeMs, sweepIntervalMs } from '../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'

const four = ['n1', 'n2', 'n3', 'n4']

/** Four nodes, N=3, W=2 and the given R; the key's owners are n1, n2, n3, and all of them have it. */
function fourNodes(readQuorum: number): { cluster: Cluster; key: string } {
  const cluster = new Cluster()
  cluster.writeRing(quorums(evenRing(1, four), readQuorum))
  for (const id of four) cluster.add(id)
  const key = keyOf(0, 4)
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(1_000)
  cluster.trace.length = 0
  let draws = 0
  cluster.random = () => (draws++ % 10) / 10 + 0.05
  return { cluster, key }
}

function quorums(ring: RingDescription, readQuorum: number): RingDescription {
  return { ...ring, placement: { ...ring.placement, readQuorum } }
}

/** Who answered each of `count` gets through the node. */
function answerers(cluster: Cluster, via: string, key: string, count: number, r = 0): string[] {
  const answered: string[] = []
  for (let i = 1; i <= count; i++) {
    const client = `c-${via}-${i}`
    cluster.get(client, via, key, i, r)
    cluster.run()
    const answer = cluster.answer(client)
    if (answer?.kind === 'get.ok') answered.push(answer.node)
  }
  return answered
}

function shares(answered: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const node of [...answered].sort()) counts[node] = (counts[node] ?? 0) + 1
  return counts
}

function lines(cluster: Cluster, kind: string): string[] {
  return cluster.trace.filter((line) => line.endsWith(` ${kind}`))
}

test('with R + W <= N the gets through any node are spread over the owners', (t) => {
  const { cluster, key } = fourNodes(1)
  for (const via of ['n4.1', 'n1.1', 'n3.1']) {
    const counts = shares(answerers(cluster, via, key, 100))
    t.deepEqual(Object.keys(counts), ['n1', 'n2', 'n3'], via)
    for (const count of Object.values(counts)) t.true(count >= 20, JSON.stringify(counts))
  }
  t.deepEqual(lines(cluster, 'replica.get'), [], 'each read its own copy alone')
})

test('the r of a call spreads it as the R of the swarm does', (t) => {
  const { cluster, key } = fourNodes(2)
  t.deepEqual(Object.keys(shares(answerers(cluster, 'n1.1', key, 50, 1))), ['n1', 'n2', 'n3'])
  t.deepEqual(shares(answerers(cluster, 'n1.1', key, 50)), { n1: 50 }, 'R + W > N')
  const raised = fourNodes(1)
  t.deepEqual(shares(answerers(raised.cluster, 'n1.1', key, 50, 2)), { n1: 50 }, 'R + W > N')
})

test('a weak get asks R owners, whoever else there is, and writes nothing back', (t) => {
  const cluster = new Cluster()
  const six = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6']
  cluster.writeRing(quorums(evenRing(1, six, 5), 2))
  for (const id of six) cluster.add(id)
  const key = keyOf(0, 6)
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(1_000)
  for (const id of ['n2.1', 'n3.1', 'n4.1']) cluster.seat(id).engine.entries.clear()
  cluster.trace.length = 0
  let draws = 0
  cluster.random = () => (draws++ % 10) / 10 + 0.05
  const answered = answerers(cluster, 'n1.1', key, 40)
  t.is(answered.length, 40)
  t.is(lines(cluster, 'replica.get').length, 40, 'each its own copy and that of one other')
  const others = new Set(lines(cluster, 'replica.get').map((line) => line.split(' ')[2]))
  t.is(others.size, 5, 'not always the same')
  t.deepEqual(lines(cluster, 'replica.put'), [])
  t.is(cluster.stored('n2.1', key), undefined)
})

test('a stale answer is possible then, and only then', (t) => {
  const weak = fourNodes(1)
  weak.cluster.mayArrive = ({ kind }, _from, to) => kind !== 'replica.put' || to !== 'n3.1'
  weak.cluster.put('c-1', 'n1.1', weak.key, 'two', 7)
  weak.cluster.run()
  t.like(weak.cluster.answer('c-1'), { kind: 'put.ok', id: 7 })
  const read = (cluster: Cluster, key: string) => {
    answerers(cluster, 'n4.1', key, 20)
    const answers = [...cluster.inbox].filter(([client]) => client.startsWith('c-n4'))
    return new Set(
      answers.map(([, [it]]) =>
        it?.kind === 'get.ok' ? Buffer.from(it.value ?? []).toString() : '',
      ),
    )
  }
  t.deepEqual([...read(weak.cluster, weak.key)].sort(), ['one', 'two'])
  const strong = fourNodes(2)
  strong.cluster.mayArrive = ({ kind }, _from, to) => kind !== 'replica.put' || to !== 'n3.1'
  strong.cluster.put('c-1', 'n1.1', strong.key, 'two', 7)
  strong.cluster.run()
  t.deepEqual([...read(strong.cluster, strong.key)], ['two'])
})

test('a lowered R that still meets every W is a strong read', (t) => {
  const cluster = new Cluster()
  const ring = evenRing(1, four)
  cluster.writeRing({ ...ring, placement: { ...ring.placement, writeQuorum: 3 } })
  for (const id of four) cluster.add(id)
  const key = keyOf(0, 4)
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(1_000)
  cluster.mayArrive = ({ kind }, from, to) =>
    kind !== 'replica.put' || from !== 'n1.1' || to !== 'n3.1'
  cluster.put('c-1', 'n1.1', key, 'two', 2)
  cluster.run()
  cluster.mayArrive = () => true
  cluster.get('c-2', 'n1.1', key, 3, 1)
  cluster.run()
  const answer = cluster.answer('c-2')
  t.is(answer?.kind === 'get.ok' && Buffer.from(answer.value ?? []).toString(), 'two')
  t.is(cluster.stored('n3.1', key), 'two', 'written back before the answer')
})

test('an owner whose turn it is and who is gone costs nothing, who is silent a moment', (t) => {
  const { cluster, key } = fourNodes(1)
  cluster.random = () => 0.99
  cluster.kill('n3.1')
  t.deepEqual(answerers(cluster, 'n1.1', key, 1), ['n2'], 'known to be gone')
  cluster.mute('n2.1')
  cluster.get('c-1', 'n1.1', key, 3)
  cluster.advance(peerPatienceMs + 2 * sweepIntervalMs)
  t.like(cluster.answer('c-1'), { kind: 'get.ok', id: 3, node: 'n1' })
  cluster.get('c-2', 'n4.1', key, 4)
  cluster.advance(peerPatienceMs + readHedgeMs)
  t.like(cluster.answer('c-2'), { kind: 'get.ok', id: 4, node: 'n1' })
})

test('an owner that nobody else answers reads its own copy', (t) => {
  const { cluster, key } = fourNodes(1)
  cluster.kill('n2.1', 'n3.1')
  t.deepEqual(shares(answerers(cluster, 'n1.1', key, 10)), { n1: 10 })
})
