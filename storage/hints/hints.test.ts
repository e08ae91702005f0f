import test from 'ava'
import type { HintCount } from '../../shared/protocol/messages.js'
import type { NodeId, RingDescription } from '../../shared/ring/description.js'
import { tokenOf } from '../../shared/ring/token.js'
import {
  hintBytesMax,
  hintDrainMs,
  leaveLingerMs,
  maxFlightMs,
} from '../../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from '../cluster.fixture.js'

const five = ['n1', 'n2', 'n3', 'n4', 'n5']
const key = keyOf(0, 5)

/** Five nodes, N=3, W=R=2; the key's owners are n1, n2, n3, its fallbacks n4, n5. */
function fiveNodes({ sloppy = false } = {}): Cluster {
  const cluster = new Cluster()
  cluster.sloppy = sloppy
  cluster.writeRing(evenRing(1, five))
  for (const id of five) cluster.add(id)
  cluster.run()
  return cluster
}

/** n3 is dead, and n4 keeps a write for it: alone, so that nobody else brings it to the owners. */
function hintForN3(value: string | null = 'one'): {
  cluster: Cluster
  n3: Parameters<Cluster['add']>[1]
} {
  const cluster = fiveNodes()
  const n3 = cluster.seat('n3.1').engine
  cluster.kill('n3.1')
  cluster.put('c-1', 'n1.1', key, value)
  cluster.run()
  for (const owner of ['n1.1', 'n2.1']) cluster.seat(owner).engine.entries.clear()
  cluster.trace.length = 0
  return { cluster, n3 }
}

/** The ring of the five with other nodes on its vnodes, some in a later life. */
function ringOf(
  epoch: number,
  nodes: readonly NodeId[],
  lives: Record<NodeId, number> = {},
): RingDescription {
  const ring = evenRing(epoch, five)
  const members = [...new Set(nodes)].sort().map((id) => {
    return { id, incarnation: lives[id] ?? 1, pid: 1, startTime: '1' }
  })
  return { ...ring, members, placement: { ...ring.placement, nodes } }
}

function hintsOf(cluster: Cluster, address: string): HintCount | undefined {
  cluster.send('observer', address, { kind: 'node.stats', id: 1 })
  cluster.run()
  const answer = cluster.answer('observer')
  return answer?.kind === 'node.stats.ok' ? answer.hints : undefined
}

const oneHint = { keys: 1, bytes: key.length + 4 }
const noHints = { keys: 0, bytes: 0 }

test('a returned owner gets what was kept for it, and the hint goes', (t) => {
  const { cluster, n3 } = hintForN3()
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint)
  cluster.publish(ringOf(2, five, { n3: 2 }))
  cluster.add('n3', n3, 2)
  cluster.advance(hintDrainMs)
  t.is(cluster.stored('n3.2', key), 'one')
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('a delete is a hint like any other, and is counted', (t) => {
  const { cluster, n3 } = hintForN3(null)
  t.deepEqual(hintsOf(cluster, 'n4.1'), { keys: 1, bytes: key.length })
  cluster.publish(ringOf(2, five, { n3: 2 }))
  cluster.add('n3', n3, 2)
  cluster.advance(hintDrainMs)
  t.is(cluster.stored('n3.2', key), null)
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('a paused owner that wakes gets its hints without a new ring', (t) => {
  const cluster = fiveNodes()
  cluster.mute('n3.1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(hintDrainMs)
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint)
  for (const owner of ['n1.1', 'n2.1']) cluster.seat(owner).engine.entries.clear()
  cluster.unmute('n3.1')
  cluster.advance(10 * hintDrainMs)
  t.is(cluster.stored('n3.1', key), 'one')
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('while an owner is away the others are not sent the hint again and again', (t) => {
  const { cluster } = hintForN3()
  cluster.advance(30 * hintDrainMs)
  const pushes = cluster.trace.filter((line) => line.endsWith('handoff.push'))
  t.deepEqual(
    pushes.filter((line) => !line.includes('> n3.1')),
    [],
  )
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint)
})

test('a hint waits for all owners: with a second one down it stays', (t) => {
  const { cluster, n3 } = hintForN3()
  const n2 = cluster.seat('n2.1').engine
  cluster.kill('n2.1')
  cluster.publish(ringOf(2, five, { n3: 2 }))
  cluster.add('n3', n3, 2)
  cluster.advance(2 * hintDrainMs)
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint)
  cluster.publish(ringOf(3, five, { n3: 2, n2: 2 }))
  cluster.add('n2', n2, 2)
  cluster.advance(hintDrainMs)
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
  t.is(cluster.stored('n3.2', key), 'one')
})

test('the owner was evicted: its hint goes to the owner that follows it', (t) => {
  const { cluster } = hintForN3()
  cluster.publish(ringOf(2, ['n1', 'n2', 'n5', 'n4', 'n5']))
  cluster.advance(hintDrainMs)
  t.is(cluster.stored('n5.1', key), 'one')
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('the keeper of a hint may be the owner that follows', (t) => {
  const { cluster } = hintForN3()
  cluster.publish(ringOf(2, ['n1', 'n2', 'n4', 'n4', 'n5']))
  cluster.advance(hintDrainMs)
  t.is(cluster.stored('n4.1', key), 'one')
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('while a change copies, both sides must have it', (t) => {
  const { cluster } = hintForN3()
  cluster.add('n6')
  const ring = ringOf(2, five)
  const members = evenRing(2, [...five, 'n6']).members
  const next = { ...ring.placement, nodes: ['n1', 'n2', 'n6', 'n4', 'n5'] }
  cluster.publish({ ...ring, members, change: { plan: 1, next, transfers: [] } })
  cluster.advance(2 * hintDrainMs)
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint, 'n3 is an owner still')
  cluster.publish({ ...ringOf(3, next.nodes), members })
  cluster.advance(hintDrainMs)
  t.is(cluster.stored('n6.1', key), 'one')
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('hints outlive the process that keeps them', (t) => {
  const { cluster, n3 } = hintForN3()
  const { engine, hints } = cluster.seat('n4.1')
  cluster.kill('n4.1')
  cluster.publish(ringOf(2, five, { n4: 2 }))
  cluster.add('n4', engine, 2, hints)
  t.deepEqual(hintsOf(cluster, 'n4.2'), oneHint, 'counted at the start')
  cluster.publish(ringOf(3, five, { n3: 2, n4: 2 }))
  cluster.add('n3', n3, 2)
  cluster.advance(hintDrainMs)
  t.is(cluster.stored('n3.2', key), 'one')
  t.deepEqual(hintsOf(cluster, 'n4.2'), noHints)
})

test('a node that keeps as many bytes as it may refuses further hints', (t) => {
  const { cluster } = hintForN3()
  const { engine, hints } = cluster.seat('n4.1')
  cluster.kill('n4.1')
  hints.stats = (done) => done(undefined, { keys: 1, bytes: hintBytesMax })
  cluster.publish(ringOf(2, five, { n4: 2 }))
  cluster.add('n4', engine, 2, hints)
  cluster.send('n1.1', 'n4.2', hintPut(2, cluster.hostMicros))
  cluster.run()
  t.true(cluster.trace.includes('n4.2 > n1.1 error'))
  cluster.send('observer', 'n4.2', hintPut(2, cluster.hostMicros))
  cluster.run()
  t.like(cluster.answer('observer'), { kind: 'error', code: 'OVERLOADED', definite: true })
})

test('a hint is refused when it was long under way, and when the disk is nearly full', (t) => {
  const cluster = fiveNodes()
  cluster.advance(2 * maxFlightMs)
  cluster.send('observer', 'n4.1', hintPut(1, cluster.hostMicros - maxFlightMs * 1000 - 1))
  cluster.run()
  t.like(cluster.answer('observer'), { kind: 'error', code: 'EXPIRED', definite: true })
  cluster.fullDisks.add('n4')
  cluster.send('observer', 'n4.1', hintPut(1, cluster.hostMicros))
  cluster.run()
  t.like(cluster.answer('observer'), { kind: 'error', code: 'DISK_FULL', definite: true })
  t.is(cluster.seat('n4.1').hints.entries.size, 0)
})

test('a hint that became durable after its epoch passed is not acknowledged under it', (t) => {
  const cluster = fiveNodes()
  cluster.seat('n4.1').hints.isHeld = true
  cluster.send('observer', 'n4.1', hintPut(1, cluster.hostMicros))
  cluster.run()
  cluster.publish(ringOf(2, five))
  cluster.seat('n4.1').hints.sync()
  cluster.run()
  t.like(cluster.answer('observer'), { kind: 'stale', epoch: 2 })
})

test('a keeper says whether it has hints for a range', (t) => {
  const { cluster } = hintForN3()
  const token = tokenOf(Buffer.from(key))
  const answers = [
    { from: token - 1, to: token },
    { from: token, to: token - 1 },
  ].map((range) => {
    cluster.send('observer', 'n4.1', { kind: 'hint.query', id: 1, epoch: 1, ...range })
    cluster.run()
    return cluster.answer('observer')
  })
  t.like(answers[0], { kind: 'hint.query.ok', hasHints: true })
  t.like(answers[1], { kind: 'hint.query.ok', hasHints: false })
})

test('a ring that changes while hints travel: only acknowledgements of one epoch count', (t) => {
  const { cluster, n3 } = hintForN3()
  cluster.mayArrive = (message, from) => message.kind !== 'handoff.push.ok' || from !== 'n3.2'
  cluster.publish(ringOf(2, five, { n3: 2 }))
  cluster.add('n3', n3, 2)
  cluster.advance(hintDrainMs)
  t.is(cluster.stored('n3.2', key), 'one')
  cluster.mute('n5.1')
  cluster.publish(ringOf(3, ['n1', 'n5', 'n3', 'n4', 'n5'], { n3: 2 }))
  cluster.letArrive()
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint, 'n5 does not have it yet')
  cluster.unmute('n5.1')
  cluster.advance(5 * hintDrainMs)
  t.is(cluster.stored('n5.1', key), 'one')
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('an entry that was written again meanwhile stays', (t) => {
  const { cluster, n3 } = hintForN3()
  cluster.mayArrive = (message, from) => message.kind !== 'handoff.push.ok' || from !== 'n3.2'
  cluster.publish(ringOf(2, five, { n3: 2 }))
  cluster.add('n3', n3, 2)
  cluster.send('n1.1', 'n4.1', hintPut(2, cluster.hostMicros, 'two'))
  cluster.run()
  cluster.letArrive()
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint)
  cluster.advance(2 * hintDrainMs)
  for (const owner of ['n1.1', 'n2.1', 'n3.2']) t.is(cluster.stored(owner, key), 'two')
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('what comes while hints travel is handed over too, though it waits for the same owner', (t) => {
  const cluster = fiveNodes()
  cluster.mute('n3.1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(hintDrainMs)
  cluster.unmute('n3.1')
  cluster.mayArrive = (message, from) => message.kind !== 'handoff.push.ok' || from !== 'n3.1'
  while (cluster.stored('n3.1', key) === undefined) cluster.advance(hintDrainMs / 10)
  cluster.send('n1.1', 'n4.1', hintPut(1, cluster.hostMicros, 'two'))
  cluster.run()
  cluster.letArrive()
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint)
  cluster.advance(2 * hintDrainMs)
  for (const owner of ['n1.1', 'n2.1', 'n3.1']) t.is(cluster.stored(owner, key), 'two')
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('an owner whose disk is nearly full gets its hint when there is room again', (t) => {
  const { cluster, n3 } = hintForN3()
  cluster.fullDisks.add('n3')
  cluster.publish(ringOf(2, five, { n3: 2 }))
  cluster.add('n3', n3, 2)
  cluster.advance(2 * hintDrainMs)
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint)
  cluster.fullDisks.clear()
  cluster.advance(2 * hintDrainMs)
  t.is(cluster.stored('n3.2', key), 'one')
  t.deepEqual(hintsOf(cluster, 'n4.1'), noHints)
})

test('a keeper that slept delivers nothing old: it reads anew', (t) => {
  const { cluster, n3 } = hintForN3()
  cluster.mayArrive = (message) => message.kind !== 'handoff.push'
  cluster.publish(ringOf(2, five, { n3: 2 }))
  cluster.add('n3', n3, 2)
  cluster.sleep(maxFlightMs + 1)
  cluster.letArrive()
  t.is(cluster.stored('n3.2', key), undefined, 'refused')
  t.deepEqual(hintsOf(cluster, 'n4.1'), oneHint)
  cluster.advance(2 * hintDrainMs)
  t.is(cluster.stored('n3.2', key), 'one')
})

const withoutN4 = ['n1', 'n2', 'n3', 'n5', 'n5']

test('a leaver ends once W owners have what it keeps', (t) => {
  const { cluster } = hintForN3()
  const n4 = cluster.seat('n4.1')
  n4.node.leave()
  cluster.publish(ringOf(2, withoutN4))
  cluster.advance(hintDrainMs)
  t.is(n4.ended, 'left')
  t.is(cluster.stored('n1.1', key), 'one')
  t.is(n4.hints.entries.size, 0)
})

test('a leaver stays while fewer than W owners can be reached, and no longer than it is of use', (t) => {
  const { cluster, n3 } = hintForN3()
  const n4 = cluster.seat('n4.1')
  cluster.kill('n2.1')
  n4.node.leave()
  cluster.publish(ringOf(2, withoutN4))
  cluster.advance(10 * hintDrainMs)
  t.is(n4.ended, undefined)
  cluster.writeRing(ringOf(3, withoutN4, { n3: 2 }))
  cluster.add('n3', n3, 2)
  cluster.publish(ringOf(3, withoutN4, { n3: 2 }))
  cluster.advance(2 * hintDrainMs + leaveLingerMs)
  t.is(n4.ended, 'left')
  t.is(cluster.stored('n3.2', key), 'one')
})

test('a leaver finds the owners of today by itself, though nobody tells it of rings', (t) => {
  const { cluster, n3 } = hintForN3()
  const n4 = cluster.seat('n4.1')
  n4.node.leave()
  const others = ['n1', 'n2'].map((id) => [id, cluster.seat(`${id}.1`).engine] as const)
  cluster.kill('n1.1', 'n2.1')
  cluster.publish(ringOf(2, withoutN4))
  cluster.advance(2 * hintDrainMs)
  t.is(n4.ended, undefined)
  cluster.writeRing(ringOf(3, withoutN4, { n1: 2, n2: 2, n3: 2 }))
  for (const [id, engine] of [...others, ['n3', n3] as const]) cluster.add(id, engine, 2)
  cluster.advance(hintDrainMs + 2 * leaveLingerMs)
  t.is(n4.ended, 'left')
  t.is(cluster.stored('n3.2', key), 'one')
})

test('what a leaver kept for too long is taken by nobody, and it ends', (t) => {
  const { cluster, n3 } = hintForN3()
  const n4 = cluster.seat('n4.1')
  cluster.kill('n2.1')
  n4.node.leave()
  cluster.publish(ringOf(2, withoutN4))
  cluster.sleep(maxFlightMs + hintDrainMs)
  cluster.publish(ringOf(3, withoutN4, { n3: 2 }))
  cluster.add('n3', n3, 2)
  cluster.advance(2 * hintDrainMs)
  t.is(n4.ended, 'left')
  t.is(cluster.stored('n3.2', key), undefined)
  t.is(n4.hints.entries.size, 0)
})

function hintPut(epoch: number, micros: number, value = 'one') {
  const bytes = Buffer.from(key)
  return {
    kind: 'hint.put',
    attached: null,
    id: 1,
    epoch,
    token: tokenOf(bytes),
    key: bytes,
    value: Buffer.from(value),
    version: { boot: 1, micros, writer: 'writer' },
    born: micros,
  } as const
}
