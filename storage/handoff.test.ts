/** What a gainer asks of its sources, how fast, and what it asks for again after it was killed. */
import test from 'ava'
import type { RingDescription } from '../shared/ring/description.js'
import { tokenOf } from '../shared/ring/token.js'
import { diskCheckMs, handoffBatchBytes, handoffRetryMaxMs } from '../shared/runtime/limits.js'
import { Cluster, evenRing } from './cluster.fixture.js'

const valueBytes = 64 * 1024
const count = 240

/** A donor with `count` values, and n2 about to gain the whole ring from it. */
function transferTable(): { cluster: Cluster; ring: RingDescription } {
  const cluster = new Cluster()
  const donor = cluster.add('n1')
  for (let i = 0; i < count; i++) {
    const key = Buffer.from(`key${i}`)
    const record = {
      version: { boot: 1, micros: i + 1, writer: 'ff' },
      value: Buffer.alloc(valueBytes, i),
    }
    donor.engine.apply({ token: tokenOf(key), key, record }, () => {})
  }
  const settled = evenRing(1, ['n1'], 1)
  cluster.publish(settled)
  const next = evenRing(2, ['n1', 'n2'], 1)
  const ring: RingDescription = {
    ...next,
    placement: settled.placement,
    change: {
      plan: 1,
      next: { ...next.placement, tokens: [0], nodes: ['n2'] },
      transfers: [0, 1, 2, 3].map((quarter) => ({
        from: quarter * 2 ** 30,
        to: ((quarter + 1) % 4) * 2 ** 30,
        gainer: 'n2',
        sources: ['n1'],
        needed: 1,
        wipe: true,
      })),
    },
  }
  return { cluster, ring }
}

function batches(cluster: Cluster): number {
  return cluster.trace.filter((line) => line.endsWith('handoff.batch')).length
}

function received(cluster: Cluster): number {
  return cluster.seat('n2.1').engine.entries.size
}

test('a handoff keeps to its rate', (t) => {
  const { cluster, ring } = transferTable()
  cluster.handoffBytesPerSecond = 1024 * 1024
  cluster.add('n2')
  cluster.publish(ring)
  const perSecond = (1024 * 1024) / valueBytes
  for (let second = 1; second <= 10; second++) {
    cluster.advance(1_000)
    const expected = second * perSecond
    const batch = handoffBatchBytes / valueBytes
    t.true(
      Math.abs(received(cluster) - expected) <= 2 * batch,
      `${received(cluster)} in ${second} s`,
    )
  }
  cluster.advance(10_000)
  t.is(received(cluster), count)
})

test('a gainer asks for nothing while its disk is nearly full, and goes on when it is not', (t) => {
  const { cluster, ring } = transferTable()
  cluster.fullDisks.add('n2')
  cluster.add('n2')
  cluster.publish(ring)
  cluster.advance(60_000)
  t.is(batches(cluster), 0)
  t.is(received(cluster), 0)
  cluster.fullDisks.delete('n2')
  cluster.advance(diskCheckMs)
  t.is(received(cluster), count)
  t.like(cluster.inbox.get('manager')?.at(-1), { kind: 'handoff.complete', plan: 1, node: 'n2' })
})

test('a gainer whose questions were lost for long asks again soon', (t) => {
  const { cluster, ring } = transferTable()
  cluster.add('n2')
  cluster.mayArrive = ({ kind }) => kind !== 'handoff.pull'
  cluster.publish(ring)
  cluster.advance(200_000)
  t.is(received(cluster), 0)
  cluster.mayArrive = () => true
  cluster.advance(handoffRetryMaxMs + 1_000)
  t.is(received(cluster), count)
})

test('a gainer that was killed half way asks for at most a tenth again', (t) => {
  const whole = transferTable()
  whole.cluster.add('n2')
  whole.cluster.publish(whole.ring)
  whole.cluster.advance(1_000)
  const needed = batches(whole.cluster)
  t.true(needed >= 60)

  const { cluster, ring } = transferTable()
  const { engine, hints } = cluster.add('n2')
  cluster.seat('n1.1').node.received('manager', { kind: 'ring.publish', ring })
  cluster.writeRing(ring)
  cluster.seat('n2.1').node.catchUp()
  while (received(cluster) < count / 2) cluster.step()
  t.true(received(cluster) < count)
  cluster.kill('n2.1')
  const again: RingDescription = {
    ...ring,
    epoch: ring.epoch + 1,
    members: ring.members.map((each) => (each.id === 'n2' ? { ...each, incarnation: 2 } : each)),
  }
  cluster.add('n2', engine, 2, hints)
  cluster.publish(again)
  cluster.advance(1_000)
  t.is(engine.entries.size, count)
  t.true(batches(cluster) - needed <= needed / 10, `${batches(cluster)} batches, ${needed} needed`)
})
