import test from 'ava'
import type { RingDescription } from '../../shared/ring/description.js'
import { tokenOf } from '../../shared/ring/token.js'
import { planTransfers } from '../../shared/ring/transfers.js'
import {
  collectPeriodMs,
  maxFlightMs,
  repairAnswerMs,
  repairPeriodMs,
} from '../../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from '../cluster.fixture.js'

const four = ['n1', 'n2', 'n3', 'n4']
/** A round begins after half a period to one and a half, then the two waits, and the answers. */
const collectedMs = 1.5 * collectPeriodMs + 2 * maxFlightMs + 5_000

/** Lives of the nodes, by their numbers. */
function ringOf(epoch: number, lives: readonly number[] = [1, 1, 1, 1]): RingDescription {
  const ring = evenRing(epoch, four)
  const members = ring.members.map((each, index) => ({ ...each, incarnation: lives[index] ?? 1 }))
  return { ...ring, members }
}

/** Four nodes, N=3, W=R=2; the owners of the key are n1, n2, n3. It had a value and was deleted. */
function deleted(beforeDelete: (cluster: Cluster) => void = () => {}): {
  cluster: Cluster
  key: string
} {
  const cluster = new Cluster()
  cluster.writeRing(ringOf(1))
  for (const id of four) cluster.add(id)
  const key = keyOf(0, 4)
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(100)
  beforeDelete(cluster)
  cluster.put('c-1', 'n1.1', key, null, 2)
  cluster.advance(100)
  return { cluster, key }
}

function copies(cluster: Cluster, key: string, owners = ['n1.1', 'n2.1', 'n3.1']): unknown[] {
  return owners.map((owner) => cluster.stored(owner, key))
}

const everywhere = [null, null, null]
const nowhere = [undefined, undefined, undefined]

test('a tombstone that all owners hold goes everywhere, and not before two flights', (t) => {
  const { cluster, key } = deleted()
  cluster.advance(2 * maxFlightMs)
  t.deepEqual(copies(cluster, key), everywhere)
  cluster.advance(collectedMs - 2 * maxFlightMs)
  t.deepEqual(copies(cluster, key), nowhere)
  cluster.get('c-1', 'n2.1', key, 3)
  cluster.run()
  t.like(cluster.answer('c-1'), { kind: 'get.ok', value: null, version: null })
})

test('the hints are asked a flight after the owners, the collection comes a flight later', (t) => {
  const { cluster } = deleted()
  const at: Record<string, number> = {}
  cluster.mayArrive = ({ kind }) => {
    if (/tombstone|hint/.test(kind)) at[kind] ??= cluster.hostMicros / 1000
    return true
  }
  cluster.advance(collectedMs)
  const { 'tombstone.confirm.ok': confirmed, 'hint.query': asked } = at
  const { 'hint.query.ok': told, 'tombstone.collect': collected } = at
  if (confirmed === undefined || asked === undefined) return t.fail()
  if (told === undefined || collected === undefined) return t.fail()
  t.true(asked - confirmed >= maxFlightMs)
  t.true(collected - told >= maxFlightMs)
})

test('deleted with an owner down: never collected before it is back, repaired, and has waited', (t) => {
  let store: ReturnType<Cluster['seat']>['engine'] | undefined
  const { cluster, key } = deleted((before) => {
    store = before.seat('n3.1').engine
    before.kill('n3.1')
  })
  cluster.advance(3 * collectedMs)
  t.deepEqual(copies(cluster, key, ['n1.1', 'n2.1']), [null, null])
  cluster.add('n3', store, 2)
  t.is(cluster.stored('n3.2', key), 'one', 'it still has what was deleted')
  cluster.publish(ringOf(2, [1, 1, 2, 1]))
  const owners = ['n1.1', 'n2.1', 'n3.2']
  cluster.advance(10_000)
  t.deepEqual(copies(cluster, key, owners), everywhere, 'repaired')
  cluster.advance(2 * maxFlightMs - 10_000)
  t.deepEqual(copies(cluster, key, owners), everywhere, 'not by age')
  cluster.advance(collectedMs)
  t.deepEqual(copies(cluster, key, owners), nowhere)
})

test('an owner that answers but holds the old value holds the collection up', (t) => {
  const { cluster, key } = deleted()
  const { engine } = cluster.seat('n3.1')
  const entry = engine.entries.get(key)
  if (entry === undefined) return t.fail()
  const version = { ...entry.record.version, micros: entry.record.version.micros - 1 }
  for (const record of [
    undefined,
    { version, value: Buffer.from('old') },
    { version, value: null },
  ]) {
    if (record === undefined) engine.entries.delete(key)
    else engine.entries.set(key, { ...entry, record })
    cluster.mayArrive = ({ kind }) => kind !== 'merkle.get'
    cluster.advance(2 * collectedMs)
    t.deepEqual(copies(cluster, key, ['n1.1', 'n2.1']), [null, null])
  }
  cluster.mayArrive = () => true
  cluster.advance(2 * repairPeriodMs + collectedMs)
  t.deepEqual(copies(cluster, key), nowhere, 'repaired, then collected')
})

test('a node that is no owner holds the collection up as well while it is down', (t) => {
  const { cluster, key } = deleted((before) => before.kill('n4.1'))
  cluster.advance(3 * collectedMs)
  t.deepEqual(copies(cluster, key), everywhere)
})

test('a write anew while the tombstone is on its way, or after it went, survives', (t) => {
  for (const waitMs of [0, maxFlightMs, 2 * maxFlightMs, 2 * collectedMs]) {
    const { cluster, key } = deleted()
    cluster.advance(waitMs)
    cluster.put('c-1', 'n2.1', key, 'anew', 3)
    cluster.run()
    t.like(cluster.answer('c-1'), { kind: 'put.ok' })
    cluster.advance(2 * collectedMs)
    t.deepEqual(copies(cluster, key), ['anew', 'anew', 'anew'], `written after ${waitMs} ms`)
  }
})

test('a hint for the range that cannot be delivered holds the collection up', (t) => {
  const { cluster, key } = deleted()
  cluster.mayArrive = ({ kind }) => kind !== 'handoff.push'
  const bytes = Buffer.from(key)
  const record = { version: { boot: 1, micros: 1, writer: 'old' }, value: Buffer.from('old') }
  const hint = { token: tokenOf(bytes), key: bytes, record }
  for (const keeper of ['n1.1', 'n4.1']) {
    cluster.seat(keeper).hints.apply(hint, () => {})
    cluster.advance(2 * collectedMs)
    t.deepEqual(copies(cluster, key), everywhere, `${keeper} keeps a hint`)
    cluster.seat(keeper).hints.entries.clear()
  }
  cluster.advance(2 * collectedMs)
  t.deepEqual(copies(cluster, key), nowhere)
})

test('nothing is collected while the ring changes; then everything begins anew', (t) => {
  const { cluster, key } = deleted()
  cluster.advance(1.5 * collectPeriodMs + maxFlightMs)
  const settled = ringOf(1)
  const next = { ...settled.placement, replicas: 2 }
  const transfers = planTransfers(settled.placement, next, () => true)
  cluster.publish({ ...settled, epoch: 2, change: { plan: 1, next, transfers } })
  cluster.advance(3 * collectedMs)
  t.deepEqual(copies(cluster, key), everywhere)
  cluster.publish({ ...settled, epoch: 3 })
  cluster.advance(2 * maxFlightMs)
  t.deepEqual(copies(cluster, key), everywhere, 'what was confirmed before counts no more')
  cluster.advance(collectedMs)
  t.deepEqual(copies(cluster, key), nowhere)
})

test('a collector that starts again begins anew', (t) => {
  const { cluster, key } = deleted()
  cluster.advance(1.5 * collectPeriodMs + maxFlightMs)
  const { engine } = cluster.seat('n1.1')
  cluster.kill('n1.1')
  cluster.add('n1', engine, 2)
  cluster.publish(ringOf(2, [2, 1, 1, 1]))
  const owners = ['n1.2', 'n2.1', 'n3.1']
  cluster.advance(2 * maxFlightMs)
  t.deepEqual(copies(cluster, key, owners), everywhere)
  cluster.advance(collectedMs)
  t.deepEqual(copies(cluster, key, owners), nowhere)
})

test('an owner that sleeps when the others collect brings nothing back, and collects later', (t) => {
  const { cluster, key } = deleted()
  let isAsleep = false
  cluster.mayArrive = ({ kind }, _from, to) => {
    if (isAsleep || kind !== 'tombstone.collect' || to !== 'n3.1') return true
    isAsleep = true
    cluster.mute('n3.1')
    return false
  }
  cluster.advance(collectedMs)
  t.true(isAsleep)
  cluster.advance(repairAnswerMs + 1_000)
  t.deepEqual(copies(cluster, key), [null, undefined, null], 'the first owner waits for all')
  cluster.unmute('n3.1')
  cluster.get('c-1', 'n3.1', key, 3, 3)
  cluster.run()
  t.like(cluster.answer('c-1'), { kind: 'get.ok', value: null, version: null })
  cluster.advance(2 * collectedMs)
  t.deepEqual(copies(cluster, key), nowhere)
})

test('what the deleted value left on its way does not come back after the collection', (t) => {
  const { cluster, key } = deleted()
  const old = {
    token: tokenOf(Buffer.from(key)),
    key: Buffer.from(key),
    version: { boot: 1, micros: cluster.hostMicros - 150_000, writer: 'late' },
    value: Buffer.from('late'),
  }
  const born = cluster.hostMicros
  cluster.advance(2 * collectedMs)
  t.deepEqual(copies(cluster, key), nowhere)
  const { token, version, value } = old
  const record = { version, value }
  const entries = [{ token, key: old.key, record }]
  const late = { id: 7, epoch: 1, born }
  cluster.send('x-1', 'n1.1', {
    kind: 'replica.put',
    attached: null,
    ...old,
    ...late,
    born: version.micros,
  })
  cluster.send('x-1', 'n2.1', {
    kind: 'hint.put',
    attached: null,
    ...old,
    ...late,
    born: version.micros,
  })
  cluster.send('x-1', 'n3.1', { kind: 'handoff.push', reason: 'repair', entries, ...late })
  cluster.advance(5_000)
  const kinds = cluster.inbox.get('x-1')?.map((reply) => 'code' in reply && reply.code)
  t.deepEqual(kinds, ['EXPIRED', 'EXPIRED', 'EXPIRED'])
  t.deepEqual(copies(cluster, key), nowhere)
})

test('an old order to collect is refused under another ring, and harms no newer value', (t) => {
  const { cluster, key } = deleted()
  const record = cluster.seat('n2.1').engine.entries.get(key)?.record
  if (record === undefined) return t.fail()
  const marks = [
    { token: tokenOf(Buffer.from(key)), key: Buffer.from(key), version: record.version },
  ]
  cluster.publish(ringOf(2))
  cluster.send('n1.1', 'n2.1', { kind: 'tombstone.collect', id: 900, epoch: 1, marks })
  cluster.run()
  t.deepEqual(copies(cluster, key), everywhere)
  cluster.put('c-1', 'n1.1', key, 'anew', 3)
  cluster.advance(10)
  cluster.send('n1.1', 'n2.1', { kind: 'tombstone.collect', id: 901, epoch: 2, marks })
  cluster.run()
  t.deepEqual(copies(cluster, key), ['anew', 'anew', 'anew'])
})

test('a thousand deletes at once are collected together', (t) => {
  const { cluster } = deleted()
  const keys = Array.from({ length: 12_000 }, (_, i) => `k${i}`).filter(
    (key) => tokenOf(Buffer.from(key)) < 2 ** 30,
  )
  t.true(keys.length > 2_000)
  const version = { boot: 1, micros: 5, writer: 'w' }
  for (const key of keys) {
    const entry = { token: tokenOf(Buffer.from(key)), key: Buffer.from(key) }
    for (const owner of ['n1.1', 'n2.1', 'n3.1']) {
      cluster.seat(owner).engine.entries.set(key, { ...entry, record: { version, value: null } })
    }
  }
  cluster.trace.length = 0
  cluster.advance(collectedMs + collectPeriodMs)
  for (const owner of ['n1.1', 'n2.1', 'n3.1']) t.is(cluster.seat(owner).engine.entries.size, 0)
  const confirms = cluster.trace.filter((line) => line.endsWith('> n2.1 tombstone.confirm'))
  t.true(confirms.length >= 3 && confirms.length <= 10, `${confirms.length} messages`)
})
