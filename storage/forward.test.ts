import test from 'ava'
import type { Message } from '../shared/protocol/messages.js'
import { peerLateMs, peerPatienceMs, sweepIntervalMs } from '../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'

const four = ['n1', 'n2', 'n3', 'n4']
/** When a silent coordinator has had its time, at the latest. */
const patienceMs = peerPatienceMs + 2 * sweepIntervalMs

/** Four nodes, N=3, W=R=2; the key's owners are n1, n2, n3, and n4 forwards. */
function fourNodes(): { cluster: Cluster; key: string } {
  const cluster = new Cluster()
  cluster.writeRing(evenRing(1, four))
  for (const id of four) cluster.add(id)
  cluster.run()
  cluster.trace.length = 0
  return { cluster, key: keyOf(0, 4) }
}

function between(cluster: Cluster, from: string, to: string): string[] {
  const start = `${from} > ${to} `
  return cluster.trace.filter((it) => it.startsWith(start)).map((it) => it.slice(start.length))
}

function outcome(message: Message | undefined): string | undefined {
  return message?.kind === 'error' ? `${message.code} definite=${message.definite}` : message?.kind
}

test('a silent coordinator costs a put a moment, and gossip looks after it', (t) => {
  const { cluster, key } = fourNodes()
  cluster.mute('n1.1')
  cluster.put('c-1', 'n4.1', key, 'one')
  cluster.advance(peerPatienceMs - sweepIntervalMs)
  t.is(cluster.answer('c-1'), undefined)
  cluster.advance(patienceMs - peerPatienceMs + sweepIntervalMs)
  t.is(outcome(cluster.answer('c-1')), 'put.ok')
  t.deepEqual(between(cluster, 'n4.1', 'n1.1'), ['coordinate.put', 'gossip.ping'])
  t.is(cluster.stored('n2.1', key), 'one')
  t.is(cluster.stored('n3.1', key), 'one')
})

test('the requests after it go to the next owner at once', (t) => {
  const { cluster, key } = fourNodes()
  cluster.mute('n1.1')
  cluster.put('c-1', 'n4.1', key, 'one')
  cluster.advance(patienceMs)
  cluster.trace.length = 0
  cluster.get('c-1', 'n4.1', key, 2)
  cluster.advance(patienceMs)
  t.deepEqual(between(cluster, 'n4.1', 'n1.1'), [])
  t.like(cluster.answer('c-1'), { kind: 'get.ok', id: 2, node: 'n2' })
})

test('a late answer of the first coordinator is the answer, and the only one', (t) => {
  const { cluster, key } = fourNodes()
  cluster.mute('n1.1', 'n2.1', 'n3.1')
  cluster.put('c-1', 'n4.1', key, 'one')
  cluster.advance(3 * patienceMs)
  const asked = ['n1.1', 'n2.1', 'n3.1'].map((it) => between(cluster, 'n4.1', it)[0])
  t.deepEqual(asked, ['coordinate.put', 'coordinate.put', 'coordinate.put'])
  t.is(cluster.answer('c-1'), undefined)
  const id = idOfForward(cluster)
  for (const owner of ['n1.1', 'n2.1']) {
    cluster.seat('n4.1').node.received(owner, { kind: 'coordinate.put.ok', id })
  }
  cluster.run()
  t.deepEqual(cluster.inbox.get('c-1')?.map(outcome), ['put.ok'])
})

test('once two were asked, a definite refusal of the second leaves the outcome open', (t) => {
  const { cluster, key } = fourNodes()
  cluster.mute('n1.1', 'n2.1')
  cluster.put('c-1', 'n4.1', key, 'one')
  cluster.advance(patienceMs)
  const id = idOfForward(cluster)
  const refusal = { kind: 'error', id, code: 'QUORUM_UNAVAILABLE', message: '' } as const
  cluster.seat('n4.1').node.received('n2.1', { ...refusal, definite: true })
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'QUORUM_UNAVAILABLE definite=false')
})

test('a second coordinator that is stopping leaves the first its time', (t) => {
  const { cluster, key } = fourNodes()
  cluster.mute('n1.1', 'n2.1', 'n3.1')
  cluster.put('c-1', 'n4.1', key, 'one')
  cluster.advance(patienceMs)
  const id = idOfForward(cluster)
  const refusal = { kind: 'error', id, code: 'STOPPING', definite: true, message: '' } as const
  cluster.seat('n4.1').node.received('n2.1', refusal)
  cluster.run()
  t.is(cluster.answer('c-1'), undefined)
  cluster.seat('n4.1').node.received('n1.1', { kind: 'coordinate.put.ok', id })
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'put.ok')
})

test('a coordinator that answers others is busy, not silent: its request stays with it alone', (t) => {
  const { cluster, key } = fourNodes()
  for (const node of ['n1.1', 'n2.1', 'n3.1']) cluster.seat(node).engine.isHeld = true
  cluster.put('c-1', 'n4.1', key, 'one')
  cluster.run()
  for (let i = 0; i < 10; i++) {
    cluster.seat('n4.1').node.peers.heard('n1.1')
    cluster.advance(peerPatienceMs / 2)
  }
  t.false(between(cluster, 'n4.1', 'n2.1').includes('coordinate.put'))
  cluster.advance(2 * patienceMs)
  t.true(between(cluster, 'n4.1', 'n2.1').includes('coordinate.put'))
})

test('an owner that was late is asked first again after a while', (t) => {
  const { cluster } = fourNodes()
  const { peers } = cluster.seat('n4.1').node
  peers.late('n1.1')
  t.false(peers.isReachable('n1.1'))
  t.true(peers.mayAnswer('n1.1'))
  cluster.advance(peerLateMs)
  t.true(peers.isReachable('n1.1'))
  peers.late('n1.1')
  peers.heard('n1.1')
  t.true(peers.isReachable('n1.1'))
})

test('suspects are asked last, the dead not at all, and one that answers again is good at once', (t) => {
  const { cluster } = fourNodes()
  const { peers } = cluster.seat('n4.1').node
  peers.judge('n1.1', 'suspect')
  t.deepEqual([peers.isReachable('n1.1'), peers.mayAnswer('n1.1')], [false, true])
  peers.judge('n1.1', 'dead')
  peers.closed('n1.1')
  peers.opened('n1.1')
  t.deepEqual([peers.isReachable('n1.1'), peers.mayAnswer('n1.1')], [false, false])
  peers.judge('n1.1', 'alive')
  t.deepEqual([peers.isReachable('n1.1'), peers.mayAnswer('n1.1')], [true, true])
})

/** The only request that n4 has under way. */
function idOfForward(cluster: Cluster): number {
  const { inFlight } = cluster.seat('n4.1').node
  for (let id = 1; id < 1_000; id++) if (inFlight.get(id) !== undefined) return id
  throw new Error('n4 forwards nothing')
}
