import test from 'ava'
import type { HandoffPush } from '../shared/protocol/messages.js'
import { tokenOf } from '../shared/ring/token.js'
import { maxFlightMs } from '../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'

const four = ['n1', 'n2', 'n3', 'n4']

/** Four nodes, N=3; keys of index 0 are owned by n1, n2, n3. The host has run for a while. */
function fourNodes(): Cluster {
  const cluster = new Cluster()
  cluster.writeRing(evenRing(1, four))
  for (const id of four) cluster.add(id)
  cluster.sleep(2 * maxFlightMs)
  return cluster
}

function push(key: string, born: number, { boot = 1, micros = 5 } = {}): HandoffPush {
  const bytes = Buffer.from(key)
  const record = { version: { boot, micros, writer: 'writer' }, value: Buffer.from('one') }
  const entries = [{ token: tokenOf(bytes), key: bytes, record }]
  return { kind: 'handoff.push', id: 7, epoch: 1, reason: 'hinted', entries, born }
}

test('an owner acknowledges once the entries are durable, however old they are', (t) => {
  const cluster = fourNodes()
  const key = keyOf(0, 4)
  cluster.seat('n1.1').engine.isHeld = true
  cluster.send('observer', 'n1.1', push(key, cluster.hostMicros, { boot: 0, micros: 10 ** 15 }))
  cluster.run()
  t.is(cluster.answer('observer'), undefined)
  cluster.seat('n1.1').engine.sync()
  cluster.run()
  t.deepEqual(cluster.answer('observer'), { kind: 'handoff.push.ok', id: 7 })
  t.is(cluster.stored('n1.1', key), 'one')
})

test('what was long under way is refused', (t) => {
  const cluster = fourNodes()
  const key = keyOf(0, 4)
  cluster.send('observer', 'n1.1', push(key, cluster.hostMicros - maxFlightMs * 1000 - 1))
  cluster.run()
  t.like(cluster.answer('observer'), { kind: 'error', code: 'EXPIRED', definite: true })
  t.is(cluster.stored('n1.1', key), undefined)
  cluster.send('observer', 'n1.1', push(key, cluster.hostMicros - maxFlightMs * 1000))
  cluster.run()
  t.is(cluster.answer('observer')?.kind, 'handoff.push.ok')
})

test('nobody keeps what it does not own', (t) => {
  const cluster = fourNodes()
  cluster.send('observer', 'n4.1', push(keyOf(0, 4), cluster.hostMicros))
  cluster.run()
  t.like(cluster.answer('observer'), { kind: 'error', code: 'INVALID_ARGUMENT' })
  t.is(cluster.stored('n4.1', keyOf(0, 4)), undefined)
})

test('a full disk takes nothing', (t) => {
  const cluster = fourNodes()
  cluster.fullDisks.add('n1')
  cluster.send('observer', 'n1.1', push(keyOf(0, 4), cluster.hostMicros))
  cluster.run()
  t.like(cluster.answer('observer'), { kind: 'error', code: 'DISK_FULL', definite: true })
  t.is(cluster.stored('n1.1', keyOf(0, 4)), undefined)
})

test('what became durable after its epoch passed is not acknowledged under it', (t) => {
  const cluster = fourNodes()
  cluster.seat('n1.1').engine.isHeld = true
  cluster.send('observer', 'n1.1', push(keyOf(0, 4), cluster.hostMicros))
  cluster.run()
  cluster.publish(evenRing(2, four))
  cluster.seat('n1.1').engine.sync()
  cluster.run()
  t.like(cluster.answer('observer'), { kind: 'stale', epoch: 2 })
})
