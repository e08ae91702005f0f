import test from 'ava'
import type { Message } from '../shared/protocol/messages.js'
import { tokenOf } from '../shared/ring/token.js'
import { planTransfers } from '../shared/ring/transfers.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'
import { formatProgress } from './handoff-progress.js'

const four = ['n1', 'n2', 'n3', 'n4']

/** Four nodes, N=3, W=R=2; the key's owners are n1, n2, n3. */
function fourNodes(): { cluster: Cluster; key: string } {
  const cluster = new Cluster()
  cluster.writeRing(evenRing(1, four))
  for (const id of four) cluster.add(id)
  cluster.run()
  cluster.trace.length = 0
  return { cluster, key: keyOf(0, 4) }
}

function requests(trace: readonly string[]): string[] {
  return trace.filter((line) => !line.includes('manager'))
}

function textOf(message: Message | undefined): string | null | undefined {
  if (message?.kind !== 'get.ok') return undefined
  return message.value === null ? null : Buffer.from(message.value).toString()
}

function codeOf(message: Message | undefined): string | undefined {
  return message?.kind === 'error' ? `${message.code} definite=${message.definite}` : message?.kind
}

test('the story of a put through a forwarder that owns nothing of the key', (t) => {
  const { cluster, key } = fourNodes()
  cluster.put('c-1', 'n4.1', key, 'one')
  cluster.run()
  t.deepEqual(requests(cluster.trace), [
    'c-1 > n4.1 put',
    'n4.1 > n1.1 coordinate.put',
    'n1.1 > n2.1 replica.put',
    'n1.1 > n3.1 replica.put',
    'n2.1 > n1.1 replica.put.ok',
    'n3.1 > n1.1 replica.put.ok',
    'n1.1 > n4.1 coordinate.put.ok',
    'n4.1 > c-1 put.ok',
  ])
  for (const node of ['n1.1', 'n2.1', 'n3.1']) t.is(cluster.stored(node, key), 'one')
  t.is(cluster.stored('n4.1', key), undefined)
})

test('the story of a get that agrees: one other owner is asked, nothing is written', (t) => {
  const { cluster, key } = fourNodes()
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  cluster.trace.length = 0
  cluster.get('c-1', 'n1.1', key)
  cluster.run()
  t.deepEqual(cluster.trace, [
    'c-1 > n1.1 get',
    'n1.1 > n2.1 replica.get',
    'n2.1 > n1.1 replica.get.ok',
    'n1.1 > c-1 get.ok',
  ])
  t.is(textOf(cluster.answer('c-1')), 'one')
})

test('a get answers a newer version only once W owners know it', (t) => {
  const { cluster, key } = fourNodes()
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  const entry = cluster.seat('n1.1').engine.entries.get(key)
  if (entry === undefined) return t.fail()
  const version = { ...entry.record.version, micros: entry.record.version.micros + 1 }
  const record = { version, value: Buffer.from('two') }
  cluster.seat('n1.1').engine.entries.set(key, { ...entry, record })
  cluster.advance(1)
  cluster.trace.length = 0
  cluster.get('c-1', 'n1.1', key)
  cluster.run()
  t.deepEqual(cluster.trace, [
    'c-1 > n1.1 get',
    'n1.1 > n2.1 replica.get',
    'n2.1 > n1.1 replica.get.ok',
    'n1.1 > n2.1 replica.put',
    'n1.1 > n3.1 replica.put',
    'n2.1 > n1.1 replica.put.ok',
    'n3.1 > n1.1 replica.put.ok',
    'n1.1 > c-1 get.ok',
  ])
  t.is(textOf(cluster.answer('c-1')), 'two')
  t.is(cluster.stored('n2.1', key), 'two')
})

test('a put is not acknowledged before W copies are durable', (t) => {
  const { cluster, key } = fourNodes()
  for (const node of ['n1.1', 'n2.1', 'n3.1']) cluster.seat(node).engine.isHeld = true
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(cluster.answer('c-1'), undefined)
  cluster.seat('n1.1').engine.sync()
  cluster.run()
  t.is(cluster.answer('c-1'), undefined, 'one durable copy is not two')
  cluster.seat('n3.1').engine.sync()
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
})

test('a delete leaves a tombstone, and the key reads as missing', (t) => {
  const { cluster, key } = fourNodes()
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  cluster.advance(1)
  cluster.put('c-1', 'n1.1', key, null, 2)
  cluster.run()
  cluster.get('c-1', 'n2.1', key, 3)
  cluster.run()
  const answer = cluster.answer('c-1')
  t.like(answer, { kind: 'get.ok', value: null, version: null })
  t.is(cluster.seat('n3.1').engine.entries.get(key)?.record.value, null)
})

test('the fence: an answer of a passed epoch is not given, the request starts again', (t) => {
  const { cluster, key } = fourNodes()
  cluster.put('c-1', 'n1.1', key, 'one')
  for (let i = 0; i < 3; i++) cluster.step()
  t.is(cluster.answer('c-1'), undefined)
  cluster.writeRing(evenRing(2, four))
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
  t.is(cluster.inbox.get('c-1')?.length, 1, 'one answer')
  t.is(cluster.seat('n1.1').node.ring.epoch, 2)
  const writes = cluster.trace.filter((line) => line.includes('n1.1 > n2.1 replica.put'))
  t.is(writes.length, 2, 'once under each epoch')
})

test('a replica that holds a newer ring answers stale, and the coordinator follows', (t) => {
  const { cluster, key } = fourNodes()
  cluster.writeRing(evenRing(2, four))
  cluster.seat('n2.1').node.catchUp()
  cluster.get('c-1', 'n1.1', key)
  cluster.run()
  t.true(cluster.trace.includes('n2.1 > n1.1 stale'))
  t.like(cluster.answer('c-1'), { kind: 'get.ok', value: null })
  t.is(cluster.seat('n1.1').node.ring.epoch, 2)
})

test('a write that became durable after its epoch passed is not acknowledged under it', (t) => {
  const { cluster, key } = fourNodes()
  const { engine } = cluster.seat('n2.1')
  engine.isHeld = true
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.step()
  cluster.step()
  cluster.writeRing(evenRing(2, four))
  cluster.seat('n2.1').node.catchUp()
  engine.isHeld = false
  engine.sync()
  cluster.run()
  t.true(cluster.trace.includes('n2.1 > n1.1 stale'))
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
})

test('when the coordinator dies the forwarder asks the next owner', (t) => {
  const { cluster, key } = fourNodes()
  cluster.put('c-1', 'n4.1', key, 'one')
  cluster.step()
  cluster.kill('n1.1')
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
  t.is(cluster.stored('n2.1', key), 'one')
  t.is(cluster.stored('n3.1', key), 'one')
})

test('too few owners: definite before anything was sent, indefinite after', (t) => {
  const { cluster, key } = fourNodes()
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.step()
  cluster.kill('n2.1', 'n3.1')
  t.is(codeOf(cluster.answer('c-1')), 'QUORUM_UNAVAILABLE definite=false')
  cluster.put('c-1', 'n1.1', key, 'two', 2)
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'QUORUM_UNAVAILABLE definite=true')
  cluster.put('c-1', 'n1.1', key, 'three', 3, 1)
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'put.ok', 'w=1 is enough where the caller says so')
})

test('a slow owner is passed over for a further one', (t) => {
  const { cluster, key } = fourNodes()
  cluster.seat('n2.1').engine.isHeld = true
  cluster.get('c-1', 'n1.1', key)
  cluster.run()
  t.is(cluster.answer('c-1'), undefined)
  cluster.advance(150)
  t.like(cluster.answer('c-1'), { kind: 'get.ok', value: null })
  t.true(cluster.trace.includes('n1.1 > n3.1 replica.get'))
})

test('a request is answered at its deadline whatever happens', (t) => {
  const { cluster, key } = fourNodes()
  for (const node of ['n2.1', 'n3.1']) cluster.seat(node).engine.isHeld = true
  cluster.put('c-1', 'n4.1', key, 'one')
  cluster.advance(5_100)
  t.is(codeOf(cluster.answer('c-1')), 'TIMEOUT definite=false')
  t.is(cluster.inbox.get('c-1')?.length, 1)
})

test('a stamp ahead of the clock and a write long under way are refused', (t) => {
  const { cluster, key } = fourNodes()
  const bytes = Buffer.from(key)
  const version = { boot: 1, micros: cluster.hostMicros + 10, writer: 'w' }
  const deadline = cluster.hostMicros + 90_000_000
  const put = { kind: 'put', id: 1, key: bytes, value: bytes, w: 0, deadline } as const
  cluster.send('c-1', 'n1.1', { ...put, version })
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'EXPIRED definite=true')
  cluster.advance(61_000)
  cluster.send('c-1', 'n1.1', { ...put, id: 2, version })
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'TIMEOUT definite=true')
  const born = version.micros
  cluster.send('n2.1', 'n1.1', {
    kind: 'replica.put',
    attached: null,
    id: 9,
    epoch: 1,
    token: 1,
    key: bytes,
    value: bytes,
    version,
    born,
  })
  cluster.run()
  t.is(cluster.stored('n1.1', key), undefined, 'nothing old floats in')
})

test('bad requests are refused before they reach anybody', (t) => {
  const { cluster, key } = fourNodes()
  for (const [id, bad] of ['', 'k'.repeat(1025)].entries()) {
    cluster.get('c-1', 'n1.1', bad, id)
    cluster.run()
    t.is(codeOf(cluster.answer('c-1')), 'INVALID_ARGUMENT definite=true')
  }
  cluster.get('c-1', 'n1.1', key, 5, 4)
  cluster.put('c-2', 'n1.1', key, 'v'.repeat(1025))
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'INVALID_ARGUMENT definite=true')
  t.is(codeOf(cluster.answer('c-2')), 'INVALID_ARGUMENT definite=true')
})

test('gets that hold too much in memory are refused until some are answered', (t) => {
  const { cluster, key } = fourNodes()
  const { engine } = cluster.seat('n1.1')
  const version = { boot: 1, micros: 1, writer: 'w' }
  const value = new Uint8Array(48 * 1024 * 1024)
  const entry = {
    token: tokenOf(Buffer.from(key)),
    key: Buffer.from(key),
    record: { version, value },
  }
  for (const node of ['n1.1', 'n2.1']) cluster.seat(node).engine.entries.set(key, entry)
  t.is(engine.entries.size, 1)
  for (let id = 1; id <= 4; id++) cluster.get('c-1', 'n1.1', key, id)
  cluster.run()
  t.deepEqual(cluster.inbox.get('c-1')?.map(codeOf), [
    'OVERLOADED definite=true',
    'get.ok',
    'get.ok',
    'get.ok',
  ])
  cluster.get('c-1', 'n1.1', key, 5)
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'get.ok')
})

test('a swarm with fewer members than N refuses requests', (t) => {
  const cluster = new Cluster()
  cluster.writeRing(evenRing(1, ['n1', 'n2']))
  cluster.add('n1')
  cluster.add('n2')
  cluster.put('c-1', 'n1.1', 'a', '1')
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'FORMING definite=true')
})

/** n4 takes the place of n3: copying at epoch 2, settled at epoch 3. */
function replacement() {
  const before = evenRing(1, ['n1', 'n2', 'n3'])
  const placement = { ...before.placement, nodes: ['n1', 'n2', 'n4'] }
  const all = evenRing(2, four).members
  const transfers = planTransfers(before.placement, placement, () => true)
  const copying = {
    ...before,
    epoch: 2,
    members: all,
    change: { plan: 1, next: placement, transfers },
  }
  const settled = { ...before, epoch: 3, members: all.filter(({ id }) => id !== 'n3'), placement }
  const cluster = new Cluster()
  cluster.writeRing(before)
  for (const id of four) cluster.add(id)
  return { cluster, before, copying, settled }
}

test('a change of membership copies everything, then the donor goes and the clients move', (t) => {
  const { cluster, copying, settled } = replacement()
  for (let i = 0; i < 50; i++) cluster.put('c-1', 'n3.1', `key${i}`, `value${i}`, i)
  cluster.run()
  cluster.advance(1)
  cluster.publish(copying)
  cluster.advance(1)
  t.like(cluster.inbox.get('manager')?.at(-1), { kind: 'handoff.complete', plan: 1, node: 'n4' })
  t.is(cluster.seat('n3.1').node.state, 'leaving')
  t.is(cluster.seat('n4.1').node.state, 'joining')
  t.like(cluster.answer('c-1'), { kind: 'forwarder.moved', nodes: ['n1.1', 'n2.1', 'n4.1'] })
  for (let i = 0; i < 50; i++) t.is(cluster.stored('n4.1', `key${i}`), `value${i}`)
  t.is(cluster.seat('n3.1').engine.entries.size, 50, 'the donor keeps all until settled')
  cluster.publish(settled)
  t.is(cluster.seat('n4.1').node.state, 'active')
  t.is(cluster.seat('n3.1').ended, undefined, 'it still forwards for a moment')
  cluster.advance(200)
  t.is(cluster.seat('n3.1').ended, 'left')
})

test('while copying, a write needs both sides and a read makes the gainer know what it returns', (t) => {
  const { cluster, copying } = replacement()
  cluster.publish(copying)
  cluster.advance(1)
  const gainer = cluster.seat('n4.1').engine
  gainer.isHeld = true
  cluster.seat('n2.1').engine.isHeld = true
  cluster.put('c-1', 'n1.1', 'a', '1')
  cluster.run()
  t.is(cluster.answer('c-1'), undefined, 'n1 and n3 are W of the old, but only n1 is of the new')
  gainer.sync()
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
  gainer.isHeld = false
  cluster.seat('n2.1').engine.isHeld = false
  gainer.entries.clear()
  cluster.seat('n2.1').engine.entries.clear()
  cluster.advance(1)
  cluster.get('c-1', 'n1.1', 'a', 2)
  cluster.run()
  t.is(textOf(cluster.answer('c-1')), '1')
  t.is(cluster.stored('n4.1', 'a'), '1')
})

test('a gainer wipes what it held from earlier times, once per plan', (t) => {
  const { cluster, copying } = replacement()
  const { engine } = cluster.seat('n4.1')
  const version = { boot: 1, micros: 5, writer: 'old' }
  const key = Buffer.from('ghost')
  engine.entries.set('ghost', { token: 77, key, record: { version, value: key } })
  cluster.publish(copying)
  t.is(cluster.stored('n4.1', 'ghost'), undefined)
  engine.entries.set('ghost', { token: 77, key, record: { version, value: key } })
  cluster.publish({ ...copying, epoch: 3 })
  t.is(cluster.stored('n4.1', 'ghost'), 'ghost', 'the same plan wipes nothing again')
})

test('requests of a new epoch wait while the gainer wipes', (t) => {
  const { cluster, copying } = replacement()
  const { engine, node } = cluster.seat('n4.1')
  engine.isHeld = true
  cluster.publish(copying)
  cluster.put('c-1', 'n1.1', 'a', '1')
  cluster.seat('n2.1').engine.isHeld = true
  cluster.run()
  t.is(cluster.answer('c-1'), undefined)
  t.is(node.ring.epoch, 1)
  engine.isHeld = false
  engine.sync()
  cluster.run()
  t.is(node.ring.epoch, 2)
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
})

test('a gainer that was restarted goes on at its cursor', (t) => {
  const { cluster, copying } = replacement()
  for (let i = 0; i < 600; i++) cluster.put('c-1', 'n1.1', `key${i}`, 'v'.repeat(1000), i)
  cluster.run()
  cluster.advance(1)
  const { engine } = cluster.seat('n4.1')
  cluster.writeRing(copying)
  cluster.seat('n4.1').node.catchUp()
  while (engine.entries.size === 0) cluster.step()
  cluster.kill('n4.1')
  const sent = engine.entries.size
  t.true(sent < 600)
  const members = copying.members.map((m) => (m.id === 'n4' ? { ...m, incarnation: 2 } : m))
  cluster.writeRing({ ...copying, epoch: 3, members })
  cluster.trace.length = 0
  cluster.add('n4', engine, 2)
  cluster.advance(10)
  t.is(engine.entries.size, 600)
  const again = cluster.seat('n4.2').node
  t.is(again.state, 'joining')
  t.like(cluster.inbox.get('manager')?.at(-1), { kind: 'handoff.complete', plan: 1 })
})

test('an aborted change leaves the donor active and the gainer empty', (t) => {
  const { cluster, before, copying } = replacement()
  cluster.put('c-1', 'n1.1', 'a', '1')
  cluster.run()
  cluster.advance(1)
  cluster.publish(copying)
  t.is(cluster.seat('n3.1').node.state, 'leaving')
  cluster.publish({ ...before, epoch: 3 })
  t.is(cluster.seat('n3.1').node.state, 'active')
  t.is(cluster.stored('n3.1', 'a'), '1')
})

test('a settled ring makes a node erase what it owns no more', (t) => {
  const { cluster, key } = fourNodes()
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  const ring = evenRing(2, four)
  const nodes = ['n4', 'n2', 'n3', 'n1']
  cluster.publish({ ...ring, placement: { ...ring.placement, nodes } })
  t.is(cluster.stored('n1.1', key), undefined)
  t.is(cluster.stored('n2.1', key), 'one')
})

test('a node that the manager knows no more ends as evicted', (t) => {
  const { cluster } = fourNodes()
  const gone = { kind: 'error', id: 1, code: 'NOT_FOUND', definite: true, message: 'gone' } as const
  cluster.send('manager', 'n2.1', gone)
  cluster.run()
  t.is(cluster.seat('n2.1').ended, 'evicted')
})

test('a node tells a restarted manager everything anew', (t) => {
  const { cluster } = fourNodes()
  cluster.seat('n2.1').node.leave()
  cluster.seat('n2.1').node.closed('manager')
  cluster.inbox.clear()
  cluster.advance(250)
  t.deepEqual(
    cluster.inbox.get('manager')?.map(({ kind }) => kind),
    ['node.leave', 'node.join', 'node.leave'],
  )
})

test('a node told to leave before it is in any ring ends at once', (t) => {
  const { cluster } = fourNodes()
  const { node } = cluster.add('n5')
  node.leave()
  cluster.advance(200)
  t.is(cluster.seat('n5.1').ended, 'left')
})

test('a joiner told to leave ends once the change is given up', (t) => {
  const { cluster, before, copying } = replacement()
  cluster.writeRing(copying)
  cluster.seat('n4.1').node.catchUp()
  cluster.seat('n4.1').node.leave()
  cluster.advance(200)
  t.is(cluster.seat('n4.1').ended, undefined)
  cluster.publish({ ...before, epoch: 3 })
  cluster.advance(200)
  t.is(cluster.seat('n4.1').ended, 'left')
})

test('a node taken out while it ran has left, also where only the ring file says so', (t) => {
  const { cluster, copying, settled } = replacement()
  cluster.publish(copying)
  cluster.writeRing(settled)
  const gone = { kind: 'error', id: 1, code: 'NOT_FOUND', definite: true, message: 'gone' } as const
  cluster.send('manager', 'n3.1', gone)
  cluster.advance(200)
  t.is(cluster.seat('n3.1').ended, 'left')
})

test('a put stamped in an earlier life of the host is refused', (t) => {
  const { cluster, key } = fourNodes()
  const bytes = Buffer.from(key)
  const version = { boot: 0, micros: cluster.hostMicros, writer: 'w' }
  const deadline = cluster.hostMicros + 1_000_000
  cluster.send('c-1', 'n1.1', {
    kind: 'put',
    id: 1,
    key: bytes,
    value: bytes,
    version,
    w: 0,
    deadline,
  })
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'EXPIRED definite=true')
})

test('a resumed handoff never counts one source twice', (t) => {
  const before = evenRing(1, ['n1', 'n2', 'n3', 'n4', 'n5'], 5)
  const placement = { ...before.placement, nodes: ['n6', 'n2', 'n3', 'n4', 'n5'] }
  const all = evenRing(2, ['n1', 'n2', 'n3', 'n4', 'n5', 'n6']).members
  const transfers = planTransfers(before.placement, placement, (node) => node !== 'n1')
  const change = { plan: 1, next: placement, transfers: transfers.slice(0, 1) }
  const cluster = new Cluster()
  cluster.writeRing(before)
  for (const id of ['n2', 'n3', 'n4', 'n5']) cluster.add(id)
  const { engine } = cluster.add('n6')
  cluster.kill('n6.1')
  const [transfer] = transfers
  t.like(transfer, { gainer: 'n6', sources: ['n2', 'n3', 'n4', 'n5'], needed: 3 })
  engine.metas.set('wiped-for-plan', '1')
  engine.metas.set(
    'handoff/0/1',
    formatProgress({ plan: 1, source: 'n5', cursor: undefined, done: true }),
  )
  const members = all.map((m) => (m.id === 'n6' ? { ...m, incarnation: 2 } : m))
  cluster.writeRing({ ...before, epoch: 2, members, change })
  cluster.trace.length = 0
  cluster.add('n6', engine, 2)
  cluster.advance(10)
  const pulls = () => cluster.trace.filter((line) => line.includes('handoff.pull'))
  t.deepEqual(pulls(), ['n6.2 > n2.1 handoff.pull', 'n6.2 > n3.1 handoff.pull'])
  cluster.kill('n6.2')
  for (const [name, done] of [
    ['handoff/0/0', false],
    ['handoff/0/1', true],
    ['handoff/0/2', false],
  ] as const) {
    engine.metas.set(name, formatProgress({ plan: 1, source: 'n5', cursor: undefined, done }))
  }
  const third = all.map((m) => (m.id === 'n6' ? { ...m, incarnation: 3 } : m))
  cluster.writeRing({ ...before, epoch: 3, members: third, change })
  cluster.trace.length = 0
  cluster.add('n6', engine, 3)
  cluster.advance(10)
  t.deepEqual(pulls(), ['n6.3 > n2.1 handoff.pull', 'n6.3 > n3.1 handoff.pull'])
})
