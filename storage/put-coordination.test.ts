import test from 'ava'
import type { Message } from '../shared/protocol/messages.js'
import { peerPatienceMs, sweepIntervalMs } from '../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'

const five = ['n1', 'n2', 'n3', 'n4', 'n5']

/** Five nodes, N=3, W=R=2; the key's owners are n1, n2, n3, its fallbacks n4, n5. */
function fiveNodes({ sloppy = false } = {}): { cluster: Cluster; key: string } {
  const cluster = new Cluster()
  cluster.sloppy = sloppy
  cluster.writeRing(evenRing(1, five))
  for (const id of five) cluster.add(id)
  cluster.run()
  cluster.trace.length = 0
  return { cluster, key: keyOf(0, 5) }
}

function puts(trace: readonly string[]): string[] {
  return trace.filter((line) => line.includes('put'))
}

function codeOf(message: Message | undefined): string | undefined {
  return message?.kind === 'error' ? `${message.code} definite=${message.definite}` : message?.kind
}

function hintsAt(cluster: Cluster, ...nodes: string[]): number[] {
  return nodes.map((node) => cluster.seat(node).hints.entries.size)
}

/** Time for a late owner to be noticed. */
const patience = peerPatienceMs + 2 * sweepIntervalMs

test('a dead owner: its hint leaves in the turn of the put, and nothing waits for it', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.kill('n3.1')
  cluster.trace.length = 0
  cluster.seat('n4.1').hints.isHeld = true
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.deepEqual(puts(cluster.trace), [
    'c-1 > n1.1 put',
    'n1.1 > n2.1 replica.put',
    'n1.1 > n4.1 hint.put',
    'n2.1 > n1.1 replica.put.ok',
    'n1.1 > c-1 put.ok',
  ])
  cluster.seat('n4.1').hints.sync()
  cluster.run()
  t.deepEqual(hintsAt(cluster, 'n4.1', 'n5.1'), [1, 0])
})

test('strict: with two of three owners dead a put is refused, whatever the fallbacks keep', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.kill('n2.1', 'n3.1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'QUORUM_UNAVAILABLE definite=true')
  t.deepEqual(hintsAt(cluster, 'n4.1', 'n5.1'), [0, 0], 'nothing was begun')
})

test('strict: with two owners silent the hints are durable and the put ends indefinite', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.mute('n2.1', 'n3.1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(patience)
  t.deepEqual(hintsAt(cluster, 'n4.1', 'n5.1'), [1, 1])
  t.is(cluster.answer('c-1'), undefined)
  cluster.kill('n2.1', 'n3.1')
  t.is(codeOf(cluster.answer('c-1')), 'QUORUM_UNAVAILABLE definite=false')
})

test('sloppy: a hint counts once it is durable', (t) => {
  const { cluster, key } = fiveNodes({ sloppy: true })
  cluster.kill('n2.1', 'n3.1')
  for (const node of ['n4.1', 'n5.1']) cluster.seat(node).hints.isHeld = true
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(cluster.answer('c-1'), undefined)
  cluster.seat('n5.1').hints.sync()
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
})

test('sloppy: a hint counts for one missing owner, however often it is acknowledged', (t) => {
  const { cluster, key } = fiveNodes({ sloppy: true })
  cluster.kill('n2.1', 'n3.1')
  cluster.seat('n5.1').hints.isHeld = true
  let id = 0
  cluster.mayArrive = (message) => {
    if (message.kind === 'hint.put') id = message.id
    return true
  }
  cluster.put('c-1', 'n1.1', key, 'one', 1, 3)
  cluster.run()
  cluster.send('n4.1', 'n1.1', { kind: 'hint.put.ok', id })
  cluster.run()
  t.is(cluster.answer('c-1'), undefined, 'one owner and one hint are two, not three')
  cluster.seat('n5.1').hints.sync()
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
})

test('sloppy: where fallbacks are too few the put is refused before it is begun', (t) => {
  const { cluster, key } = fiveNodes({ sloppy: true })
  cluster.kill('n2.1', 'n3.1', 'n5.1')
  cluster.put('c-1', 'n1.1', key, 'one', 1, 3)
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'QUORUM_UNAVAILABLE definite=true')
  t.deepEqual(hintsAt(cluster, 'n4.1'), [0])
})

test('sloppy: while the ring changes each side needs W, and a hint counts where its owner votes', (t) => {
  const { cluster, key } = fiveNodes({ sloppy: true })
  const [placement, members] = [evenRing(2, five).placement, evenRing(2, [...five, 'n6']).members]
  const next = { ...placement, nodes: ['n6', 'n2', 'n3', 'n4', 'n5'] }
  const change = { plan: 1, next, transfers: [] }
  cluster.publish({ ...evenRing(2, five), members, change })
  cluster.add('n6')
  cluster.kill('n1.1', 'n6.1')
  for (const node of ['n4.1', 'n5.1']) cluster.seat(node).hints.isHeld = true
  cluster.mute('n3.1')
  cluster.put('c-1', 'n2.1', key, 'one')
  cluster.run()
  cluster.seat('n4.1').hints.sync()
  cluster.run()
  t.is(cluster.answer('c-1'), undefined, 'n2 and the hint for n1: the new side has n2 alone')
  cluster.seat('n5.1').hints.sync()
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
})

test('an owner that dies with the write unread gets a hint, though the put was answered', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.mute('n3.1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
  t.deepEqual(hintsAt(cluster, 'n4.1', 'n5.1'), [0, 0])
  cluster.kill('n3.1')
  t.deepEqual(hintsAt(cluster, 'n4.1', 'n5.1'), [1, 0])
  t.is(cluster.seat('n1.1').node.inFlight.size, 0, 'nothing is kept any longer')
})

test('a late owner gets a hint after the patience, and the put is forgotten then', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.mute('n3.1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(patience)
  t.deepEqual(hintsAt(cluster, 'n4.1', 'n5.1'), [1, 0])
  cluster.trace.length = 0
  cluster.put('c-1', 'n1.1', key, 'two', 2)
  cluster.run()
  t.true(cluster.trace.includes('n1.1 > n3.1 replica.put'), 'it may be there all the same')
  t.true(cluster.trace.includes('n1.1 > n4.1 hint.put'), 'and its hint does not wait')
})

test('owners that acknowledge in time leave nothing behind', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(cluster.seat('n1.1').node.inFlight.size, 0)
  cluster.advance(patience)
  t.deepEqual(hintsAt(cluster, 'n4.1', 'n5.1'), [0, 0])
})

test('a fallback that refuses is passed over for the next one', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.kill('n3.1')
  cluster.fullDisks.add('n4')
  cluster.mayArrive = (message) => message.kind !== 'replica.put.ok'
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.deepEqual(hintsAt(cluster, 'n4.1', 'n5.1'), [0, 1])
})

test('a coordinator with a full disk goes on coordinating, and its copy becomes a hint', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.fullDisks.add('n1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'put.ok')
  const copies = ['n1.1', 'n2.1', 'n3.1'].map((node) => cluster.stored(node, key))
  t.deepEqual(copies, [undefined, 'one', 'one'])
  t.deepEqual(hintsAt(cluster, 'n4.1', 'n5.1'), [1, 0])
})

test('all disks full: the put is refused, definitely, and gets go on', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  for (const node of five) cluster.fullDisks.add(node)
  cluster.advance(1)
  cluster.put('c-1', 'n1.1', key, 'two', 2)
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'DISK_FULL definite=true')
  cluster.get('c-1', 'n1.1', key, 3)
  cluster.run()
  t.like(cluster.answer('c-1'), { kind: 'get.ok', value: Buffer.from('one') })
})

test('two disks of three full: the third may have written', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.fullDisks.add('n1').add('n2')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'DISK_FULL definite=false')
  t.is(cluster.stored('n3.1', key), 'one')
})

test('a silent owner does not hold up the refusal for ever', (t) => {
  const { cluster, key } = fiveNodes()
  for (const node of ['n1', 'n2', 'n4', 'n5']) cluster.fullDisks.add(node)
  cluster.mute('n3.1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(cluster.answer('c-1'), undefined)
  cluster.advance(patience)
  t.is(codeOf(cluster.answer('c-1')), 'DISK_FULL definite=false')
})

test('a full disk is not blamed where the dead owners alone are too many', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.kill('n2.1', 'n3.1')
  cluster.fullDisks.add('n1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(codeOf(cluster.answer('c-1')), 'QUORUM_UNAVAILABLE definite=true')
})

test('a write-back to an owner with a full disk fails as one that cannot be reached', (t) => {
  const { cluster, key } = fiveNodes()
  cluster.mayArrive = (message, _from, to) => message.kind !== 'replica.put' || to === 'n9.1'
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  cluster.mayArrive = () => true
  cluster.fullDisks.add('n2')
  cluster.get('c-2', 'n1.1', key)
  cluster.run()
  t.like(cluster.answer('c-2'), { kind: 'get.ok', value: Buffer.from('one') })
  t.is(cluster.stored('n2.1', key), undefined)
  t.is(cluster.stored('n3.1', key), 'one')
  cluster.fullDisks.add('n3').add('n1')
  cluster.seat('n3.1').engine.entries.clear()
  cluster.get('c-2', 'n1.1', key, 2)
  cluster.run()
  t.is(codeOf(cluster.answer('c-2')), 'QUORUM_UNAVAILABLE definite=true')
})
