import test from 'ava'
import type { Mode } from '../shared/data/mode.js'
import {
  actorOf,
  decodeSiblings,
  encodeContext,
  siblingsOf,
  swarmTag,
} from '../shared/data/siblings.js'
import { compareVersions } from '../shared/data/version.js'
import type { Message, Write } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { planTransfers } from '../shared/ring/transfers.js'
import {
  collectPeriodMs,
  hintDrainMs,
  maxFlightMs,
  peerPatienceMs,
  siblingsMax,
  sweepIntervalMs,
} from '../shared/runtime/limits.js'
import type { Address } from '../shared/runtime/runtime.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'

const five = ['n1', 'n2', 'n3', 'n4', 'n5']
const owners = ['n1.1', 'n2.1', 'n3.1']
const key = keyOf(0, 5)
/** When a silent peer has had its time, at the latest. */
const patienceMs = peerPatienceMs + 2 * sweepIntervalMs

/** The table, for writes that keep siblings. */
class Table extends Cluster {
  override mode: Mode = 'siblings'

  write(
    client: Address,
    to: Address,
    key: string,
    value: string | null,
    { id = 1, ...asked }: Partial<Pick<Write, 'id' | 'context' | 'condition' | 'w'>> = {},
  ): void {
    const stamp = { boot: 1, micros: this.hostMicros, writer: client }
    const deadline = this.hostMicros + 5_000_000
    const bytes = value === null ? null : Buffer.from(value)
    const about = { key: Buffer.from(key), value: bytes, stamp, deadline }
    const plain = { context: null, condition: null, w: 0 }
    this.send(client, to, { kind: 'write', id, ...about, ...plain, ...asked })
  }
}

/** Five nodes, N=3, W=R=2; the key's owners are n1, n2, n3, its fallbacks n4, n5. */
function fiveNodes(): Table {
  const cluster = new Table()
  cluster.writeRing(evenRing(1, five))
  for (const id of five) cluster.add(id)
  cluster.run()
  cluster.trace.length = 0
  return cluster
}

interface Found {
  readonly values: readonly string[]
  readonly context: Uint8Array
  readonly hasVersion: boolean
}

function get(cluster: Cluster, at = 'n1.1'): Found {
  cluster.get('c-get', at, key)
  cluster.run()
  const answer = cluster.answer('c-get')
  if (answer?.kind !== 'get.ok' || answer.value === null) throw new Error(`got ${answer?.kind}`)
  const { values, context } = decodeSiblings(answer.value)
  return {
    values: values.map(({ value }) => Buffer.from(value).toString()).sort(),
    context: encodeContext(context),
    hasVersion: answer.version !== null,
  }
}

function stored(cluster: Cluster, at: string): string[] {
  const { values } = siblingsOf(cluster.seat(at).engine.entries.get(key)?.record)
  return values.map(({ value }) => Buffer.from(value).toString()).sort()
}

function copies(cluster: Cluster, nodes = owners): string[][] {
  return nodes.map((node) => stored(cluster, node))
}

/** Each node has what only it was written: `n1` at n1. */
function apart(...nodes: string[]): Table {
  const cluster = fiveNodes()
  cluster.mayArrive = ({ kind }) => kind !== 'replica.put' && kind !== 'hint.put'
  for (const node of nodes) cluster.write('c-1', `${node}.1`, key, node, { w: 1 })
  cluster.run()
  cluster.mayArrive = () => true
  // What was kept back is lost; nobody waits for it any more.
  cluster.advance(patienceMs)
  return cluster
}

function outcome(message: Message | undefined): string | undefined {
  return message?.kind === 'error' ? `${message.code} definite=${message.definite}` : message?.kind
}

function sent(cluster: Cluster, kind: string): string[] {
  return cluster.trace.filter((line) => line.endsWith(` ${kind}`))
}

test('the story of a write through a forwarder that owns nothing of the key', (t) => {
  const cluster = fiveNodes()
  cluster.write('c-1', 'n5.1', key, 'one')
  cluster.run()
  t.deepEqual(cluster.trace, [
    'c-1 > n5.1 write',
    'n5.1 > n1.1 coordinate.write',
    'n1.1 > n2.1 replica.put',
    'n1.1 > n3.1 replica.put',
    'n2.1 > n1.1 replica.put.ok',
    'n3.1 > n1.1 replica.put.ok',
    'n1.1 > n5.1 coordinate.write.ok',
    'n5.1 > c-1 write.ok',
  ])
  t.deepEqual(copies(cluster), [['one'], ['one'], ['one']])
  const { version } = cluster.seat('n1.1').engine.entries.get(key)?.record ?? {}
  t.deepEqual(cluster.answer('c-1'), { kind: 'write.ok', id: 1, version } as Message)
  t.is(cluster.seat('n1.1').node.inFlight.size, 0)
})

test('concurrent writes are siblings, and a put with their context supersedes both', (t) => {
  const cluster = fiveNodes()
  cluster.write('c-1', 'n1.1', key, 'one')
  cluster.write('c-2', 'n2.1', key, 'two')
  cluster.run()
  const both = get(cluster, 'n4.1')
  t.deepEqual(both.values, ['one', 'two'])
  t.true(both.hasVersion)
  cluster.write('c-3', 'n3.1', key, 'three')
  cluster.run()
  cluster.write('c-1', 'n2.1', key, 'merged', { context: both.context })
  cluster.run()
  t.deepEqual(get(cluster).values, ['merged', 'three'], 'what the context has not seen stays')
  t.deepEqual(copies(cluster), [
    ['merged', 'three'],
    ['merged', 'three'],
    ['merged', 'three'],
  ])
})

test('writers that read before they write never leave more siblings than there are writers', (t) => {
  const cluster = fiveNodes()
  const contexts: (Uint8Array | null)[] = [null, null, null]
  for (let round = 0; round < 30; round++) {
    const writer = (round * round + 1) % 3
    const at = owners[(round * 2 + writer) % 3] ?? 'n1.1'
    // A third of the time it puts by what it read before the others' last puts.
    if (round % 3 !== 0) contexts[writer] = get(cluster, owners[round % 3]).context
    cluster.write('c-1', at, key, `${writer} ${round}`, { context: contexts[writer] ?? null })
    cluster.run()
    contexts[writer] = get(cluster, at).context
    cluster.advance(1)
    t.true(get(cluster).values.length <= 3)
  }
})

test('writes of one turn at one owner are dots of their own, though its clock stands still', (t) => {
  const cluster = fiveNodes()
  for (const value of ['one', 'two', 'three']) cluster.write('c-1', 'n1.1', key, value)
  cluster.run()
  t.deepEqual(get(cluster).values, ['one', 'three', 'two'])
})

test('a write meets what its owner holds and has not made durable', (t) => {
  const cluster = fiveNodes()
  const { engine } = cluster.seat('n1.1')
  engine.isHeld = true
  cluster.mute('n2.1', 'n3.1')
  cluster.write('c-1', 'n1.1', key, 'one', { w: 1 })
  cluster.write('c-2', 'n1.1', key, 'two', { w: 1 })
  cluster.run()
  t.is(cluster.answer('c-1'), undefined)
  t.deepEqual(stored(cluster, 'n1.1'), ['one', 'two'])
  engine.sync()
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'write.ok')
})

test('a delete with the context leaves the context and no value', (t) => {
  const cluster = fiveNodes()
  cluster.write('c-1', 'n1.1', key, 'one')
  cluster.write('c-1', 'n2.1', key, 'two')
  cluster.run()
  cluster.write('c-1', 'n3.1', key, null, { context: get(cluster).context })
  cluster.run()
  const gone = get(cluster)
  t.deepEqual(gone.values, [])
  t.false(gone.hasVersion)
  for (const owner of owners) t.is(cluster.stored(owner, key), null)
  cluster.write('c-1', 'n1.1', key, 'again', { context: gone.context })
  cluster.run()
  t.deepEqual(get(cluster).values, ['again'])
})

test('a key that was never written has no value and an empty context', (t) => {
  const found = get(fiveNodes())
  t.deepEqual(found, { values: [], context: encodeContext(new Map()), hasVersion: false })
})

test('a get merges what owners hold apart, and leaves it with W of them', (t) => {
  const cluster = apart('n1', 'n2', 'n3')
  t.deepEqual(copies(cluster), [['n1'], ['n2'], ['n3']])
  cluster.trace.length = 0
  t.deepEqual(get(cluster, 'n1.1').values, ['n1', 'n2'])
  t.is(sent(cluster, 'replica.put').length, 2)
  t.deepEqual(copies(cluster).slice(0, 2), [
    ['n1', 'n2'],
    ['n1', 'n2'],
  ])
  t.deepEqual(get(cluster, 'n3.1').values, ['n1', 'n2', 'n3'])
})

test('a get is not answered before what it merged is known on W owners', (t) => {
  const cluster = apart('n1', 'n2')
  cluster.mayArrive = ({ kind }) => kind !== 'replica.put.ok'
  cluster.seat('n1.1').engine.isHeld = true
  cluster.get('c-1', 'n1.1', key)
  cluster.seat('n1.1').engine.sync()
  cluster.step()
  cluster.seat('n1.1').engine.sync()
  cluster.run()
  cluster.seat('n1.1').engine.sync()
  cluster.run()
  t.not(cluster.answer('c-1')?.kind, 'get.ok')
  cluster.letArrive()
  t.is(cluster.answer('c-1')?.kind, 'get.ok')
})

test('an owner that answers a get late, and lacks something, gets it', (t) => {
  const cluster = apart('n1', 'n3')
  const ring = evenRing(2, five)
  cluster.publish({ ...ring, change: { plan: 1, next: ring.placement, transfers: [] } })
  cluster.mayArrive = (_message, from, to) => from !== 'n3.1' || to !== 'n1.1'
  cluster.write('c-1', 'n2.1', key, 'both', { context: get(cluster, 'n2.1').context })
  cluster.advance(patienceMs)
  cluster.letArrive()
  t.deepEqual(copies(cluster), [['both'], ['both'], ['both']])
})

test('anti-entropy merges both ways what owners hold apart', (t) => {
  const cluster = apart('n1', 'n2', 'n3')
  cluster.send('cli', 'n2.1', { kind: 'repair.start', id: 1 })
  cluster.advance(3_000)
  const all = ['n1', 'n2', 'n3']
  t.deepEqual(copies(cluster), [all, all, all])
  const [first, ...others] = owners.map((owner) => cluster.seat(owner).engine.entries.get(key))
  for (const other of others) t.deepEqual(other, first)
  cluster.trace.length = 0
  cluster.send('cli', 'n2.1', { kind: 'repair.start', id: 2 })
  cluster.advance(3_000)
  t.deepEqual(sent(cluster, 'handoff.push'), [], 'a second pass moves nothing')
})

test('hints for a dead owner are merged where they wait, and where they arrive', (t) => {
  const cluster = fiveNodes()
  cluster.write('c-1', 'n3.1', key, 'old', { w: 1 })
  cluster.run()
  const { context } = get(cluster)
  const { engine } = cluster.seat('n3.1')
  cluster.kill('n3.1')
  cluster.mayArrive = ({ kind }) => kind !== 'replica.put'
  cluster.write('c-1', 'n1.1', key, 'one', { w: 1, context })
  cluster.write('c-2', 'n2.1', key, 'two', { w: 1, context })
  cluster.run()
  cluster.mayArrive = () => true
  t.is(cluster.seat('n4.1').hints.entries.size, 1)
  t.deepEqual(stored(cluster, 'n1.1'), ['one'])
  cluster.add('n3', engine)
  t.deepEqual(stored(cluster, 'n3.1'), ['old'])
  cluster.advance(2 * hintDrainMs)
  t.deepEqual(copies(cluster), [
    ['one', 'two'],
    ['one', 'two'],
    ['one', 'two'],
  ])
  t.is(cluster.seat('n4.1').hints.entries.size, 0)
})

test('the hint of a delete is merged as the tombstone that it is', (t) => {
  const cluster = fiveNodes()
  cluster.write('c-1', 'n1.1', key, 'old')
  cluster.run()
  const { engine } = cluster.seat('n3.1')
  cluster.kill('n3.1')
  cluster.write('c-1', 'n1.1', key, 'new')
  cluster.run()
  cluster.write('c-1', 'n2.1', key, null, { context: get(cluster).context })
  cluster.run()
  t.is(cluster.seat('n4.1').hints.entries.size, 1)
  t.deepEqual(stored(cluster, 'n1.1'), [])
  cluster.add('n3', engine)
  cluster.advance(2 * hintDrainMs)
  t.deepEqual(copies(cluster), [[], [], []])
  t.is(cluster.seat('n4.1').hints.entries.size, 0)
})

test('a tombstone of siblings is collected like any other, and its context with it', (t) => {
  const cluster = fiveNodes()
  cluster.write('c-1', 'n1.1', key, 'one')
  cluster.write('c-2', 'n2.1', key, 'two')
  cluster.run()
  const before = get(cluster)
  cluster.write('c-1', 'n3.1', key, null, { context: before.context })
  cluster.advance(1.5 * collectPeriodMs + 2 * maxFlightMs + 5_000)
  for (const owner of owners) t.is(cluster.stored(owner, key), undefined)
  cluster.write('c-1', 'n1.1', key, 'three', { context: before.context })
  cluster.run()
  t.deepEqual(get(cluster).values, ['three'])
})

test('a ring that changes during a write makes no second dot', (t) => {
  const cluster = fiveNodes()
  cluster.mayArrive = ({ kind }) => kind !== 'replica.put.ok'
  cluster.write('c-1', 'n1.1', key, 'one')
  cluster.run()
  cluster.advance(1)
  const [before] = siblingsOf(cluster.seat('n1.1').engine.entries.get(key)?.record).values
  t.is(cluster.answer('c-1'), undefined)
  cluster.mayArrive = () => true
  cluster.publish(evenRing(2, five))
  t.is(outcome(cluster.answer('c-1')), 'write.ok')
  for (const owner of owners) {
    const { values } = siblingsOf(cluster.seat(owner).engine.entries.get(key)?.record)
    t.deepEqual(values, before === undefined ? [] : [before])
  }
})

test('a coordinator that is no owner any more brings what it made to those that are', (t) => {
  const cluster = fiveNodes()
  cluster.mayArrive = ({ kind }) => kind !== 'replica.put'
  cluster.write('c-1', 'n5.1', key, 'one')
  cluster.run()
  cluster.mayArrive = () => true
  const ring = evenRing(2, five)
  const nodes = ['n4', 'n2', 'n3', 'n1', 'n5']
  cluster.publish({ ...ring, placement: { ...ring.placement, nodes } })
  t.is(outcome(cluster.answer('c-1')), 'write.ok')
  t.is(sent(cluster, 'coordinate.write').length, 1)
  t.deepEqual(copies(cluster, ['n4.1', 'n2.1', 'n3.1']), [['one'], ['one'], ['one']])
})

test('such a coordinator asks others, not itself, to keep it for an owner that is dead', (t) => {
  const cluster = fiveNodes()
  cluster.mayArrive = ({ kind }) => kind !== 'replica.put' && kind !== 'hint.put'
  cluster.write('c-1', 'n1.1', key, 'one')
  cluster.run()
  cluster.kill('n3.1')
  cluster.mayArrive = () => true
  cluster.trace.length = 0
  const ring = evenRing(2, five)
  const nodes = ['n4', 'n2', 'n3', 'n1', 'n5']
  cluster.publish({ ...ring, placement: { ...ring.placement, nodes } })
  t.is(outcome(cluster.answer('c-1')), 'write.ok')
  t.deepEqual(sent(cluster, 'hint.put'), ['n1.1 > n5.1 hint.put'])
})

test('a coordinator that the ring knows in another life says that the write may have happened', (t) => {
  const cluster = fiveNodes()
  cluster.mayArrive = ({ kind }) => kind !== 'replica.put'
  cluster.write('c-1', 'n1.1', key, 'one')
  cluster.run()
  cluster.mayArrive = () => true
  const ring = evenRing(2, five)
  const members = ring.members.map((it) => (it.id === 'n1' ? { ...it, incarnation: 2 } : it))
  cluster.publish({ ...ring, members })
  t.is(outcome(cluster.answer('c-1')), 'STOPPING definite=false')
})

/** Settled under `epoch`, after a change that copies what its placement needs. */
function change(cluster: Cluster, epoch: number, from: readonly NodeId[], to: readonly NodeId[]) {
  const ring = evenRing(epoch, five)
  const current = { ...ring.placement, nodes: from }
  const next = { ...ring.placement, nodes: to }
  const transfers = planTransfers(current, next, () => true)
  cluster.publish({ ...ring, placement: current, change: { plan: epoch, next, transfers } })
  cluster.advance(100)
  cluster.publish({ ...ring, epoch: epoch + 1, placement: next })
  cluster.advance(100)
}

test('a node that lost its range and got it back does not swallow what it wrote before', (t) => {
  const cluster = fiveNodes()
  cluster.mayArrive = (_message, _from, to) => to !== 'n3.1'
  cluster.write('c-1', 'n1.1', key, 'early')
  cluster.advance(patienceMs)
  t.is(outcome(cluster.answer('c-1')), 'write.ok')
  for (const node of ['n4.1', 'n5.1']) cluster.seat(node).hints.entries.clear()
  cluster.mayArrive = () => true
  // n4 takes the place of n1 and its copy; then n1 that of n3, whose copy lacks the write.
  change(cluster, 2, five, ['n4', 'n2', 'n3', 'n1', 'n5'])
  change(cluster, 4, ['n4', 'n2', 'n3', 'n1', 'n5'], ['n4', 'n2', 'n1', 'n3', 'n5'])
  t.deepEqual(copies(cluster, ['n4.1', 'n2.1', 'n1.1']), [['early'], ['early'], []])
  cluster.write('c-2', 'n1.1', key, 'late')
  cluster.run()
  t.deepEqual(get(cluster, 'n2.1').values, ['early', 'late'])
})

test('no dot is made while a wipe is under way', (t) => {
  const cluster = fiveNodes()
  cluster.write('c-1', 'n1.1', key, 'early')
  cluster.advance(patienceMs)
  // The process slept while the range went to n4 and back: it still holds the ring before.
  const { engine } = cluster.seat('n1.1')
  const others = ['n4', 'n2', 'n3', 'n1', 'n5']
  const ring = evenRing(2, five)
  const placement = { ...ring.placement, nodes: others }
  const transfers = planTransfers(placement, ring.placement, () => true)
  engine.isHeld = true
  cluster.publish({ ...ring, placement, change: { plan: 7, next: ring.placement, transfers } })
  cluster.write('c-2', 'n1.1', key, 'late')
  cluster.advance(50)
  t.deepEqual(stored(cluster, 'n1.1'), [])
  t.is(cluster.answer('c-2'), undefined)
  engine.isHeld = false
  engine.sync()
  cluster.advance(patienceMs)
  t.is(outcome(cluster.answer('c-2')), 'write.ok')
  t.deepEqual(get(cluster, 'n2.1').values, ['early', 'late'])
})

test('a lost coordinator: the write may have happened, and nobody else is asked', (t) => {
  const cluster = fiveNodes()
  cluster.mayArrive = ({ kind }) => kind !== 'replica.put'
  cluster.write('c-1', 'n5.1', key, 'one')
  cluster.run()
  cluster.kill('n1.1')
  t.is(outcome(cluster.answer('c-1')), 'QUORUM_UNAVAILABLE definite=false')
  cluster.advance(patienceMs)
  t.is(sent(cluster, 'coordinate.write').length, 1)
})

test('a silent coordinator gets its time, and nobody else is asked', (t) => {
  const cluster = fiveNodes()
  cluster.mute('n1.1')
  cluster.write('c-1', 'n5.1', key, 'one')
  cluster.advance(4_900)
  t.is(cluster.answer('c-1'), undefined)
  cluster.advance(200)
  t.is(outcome(cluster.answer('c-1')), 'TIMEOUT definite=false')
  t.is(sent(cluster, 'coordinate.write').length, 1)
  cluster.write('c-1', 'n5.1', key, 'two', { id: 2 })
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'write.ok', 'the next one goes elsewhere at once')
})

test('an owner that surely did not begin is passed over', (t) => {
  const cluster = fiveNodes()
  cluster.mayArrive = (message, _from, to) => {
    if (message.kind !== 'coordinate.write' || to !== 'n1.1') return true
    const { id } = message
    cluster.send('n1.1', 'n5.1', {
      kind: 'error',
      id,
      code: 'STOPPING',
      definite: true,
      message: '',
    })
    return false
  }
  cluster.write('c-1', 'n5.1', key, 'one')
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'write.ok')
  t.is(sent(cluster, 'coordinate.write').length, 2)
})

test('a write for a ring that the coordinator does not hold stays definite', (t) => {
  const cluster = fiveNodes()
  cluster.mayArrive = (message, from) => {
    if (message.kind !== 'coordinate.write') return true
    cluster.send('n1.1', from, { kind: 'stale', id: message.id, epoch: 1 })
    return false
  }
  cluster.write('c-1', 'n5.1', key, 'one')
  cluster.advance(100)
  cluster.mayArrive = () => true
  for (const node of five) cluster.fullDisks.add(node)
  cluster.advance(100)
  t.is(outcome(cluster.answer('c-1')), 'DISK_FULL definite=true')
})

test('without room on the own disk a write is refused before it begins', (t) => {
  const cluster = fiveNodes()
  cluster.fullDisks.add('n1')
  cluster.write('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'DISK_FULL definite=true')
  t.deepEqual(copies(cluster), [[], [], []])
  cluster.fullDisks.clear()
  cluster.fullDisks.add('n2').add('n3')
  cluster.write('c-1', 'n1.1', key, 'one', { id: 2 })
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'DISK_FULL definite=false')
  t.deepEqual(copies(cluster), [['one'], [], []])
})

test('an owner whose store failed has not begun the write, and another one takes it', (t) => {
  const cluster = fiveNodes()
  const { engine } = cluster.seat('n1.1')
  engine.update = (_token, _key, _change, done) => done(new Error('EIO'), undefined)
  cluster.write('c-1', 'n5.1', key, null)
  cluster.run()
  t.is(cluster.seat('n1.1').ended, 'failed')
  t.is(outcome(cluster.answer('c-1')), 'write.ok')
  t.is(sent(cluster, 'coordinate.write').length, 2)
})

test('too few owners: refused before the dot is made', (t) => {
  const cluster = fiveNodes()
  cluster.kill('n2.1', 'n3.1')
  cluster.write('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'QUORUM_UNAVAILABLE definite=true')
  t.deepEqual(stored(cluster, 'n1.1'), [])
})

test('the sibling limit refuses puts, definitely, and never merges', (t) => {
  const cluster = fiveNodes()
  for (let i = 0; i < siblingsMax; i++) cluster.write('c-1', 'n1.1', key, `v${i}`, { id: i })
  cluster.run()
  cluster.advance(1)
  t.is(get(cluster).values.length, siblingsMax)
  cluster.write('c-1', 'n2.1', key, 'one more')
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'TOO_MANY_SIBLINGS definite=true')
  t.is(cluster.seat('n2.1').node.inFlight.size, 0)
  t.is(get(cluster).values.length, siblingsMax)
  // An owner that had heard of nothing lets one in; everybody merges it.
  cluster.seat('n3.1').engine.entries.clear()
  cluster.write('c-1', 'n3.1', key, 'one more')
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'write.ok')
  const all = get(cluster)
  t.is(all.values.length, siblingsMax + 1)
  cluster.write('c-1', 'n3.1', key, 'merged', { context: all.context })
  cluster.run()
  t.deepEqual(get(cluster).values, ['merged'])
})

test('siblings have at most twice the bytes of the largest value', (t) => {
  const cluster = fiveNodes()
  for (const large of ['x', 'y']) cluster.write('c-1', 'n1.1', key, large.repeat(1024))
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'write.ok')
  cluster.write('c-1', 'n1.1', key, 'y')
  cluster.run()
  t.is(outcome(cluster.answer('c-1')), 'TOO_MANY_SIBLINGS definite=true')
})

test('a context that no get gave is refused', (t) => {
  const cluster = fiveNodes()
  const of = (swarm: string, micros: number) =>
    encodeContext(new Map([[actorOf('n1.1', 1, 0, swarmTag(swarm)), micros]]))
  const now = cluster.hostMicros
  for (const context of [Buffer.from('no'), of('test', now + 10_000), of('another', now)]) {
    cluster.write('c-1', 'n5.1', key, 'one', { context })
    cluster.run()
    t.is(outcome(cluster.answer('c-1')), 'INVALID_ARGUMENT definite=true')
  }
  t.deepEqual(copies(cluster), [[], [], []])
})

test('what the mode does not have is refused, with the mode that has it', (t) => {
  const cluster = fiveNodes()
  const refusal = () => {
    cluster.run()
    const answer = cluster.answer('c-1')
    return answer?.kind === 'error' && answer.definite ? `${answer.code} ${answer.message}` : ''
  }
  cluster.put('c-1', 'n5.1', key, 'one')
  t.regex(refusal(), /^UNSUPPORTED .*latest/)
  cluster.write('c-1', 'n5.1', key, 'one', { condition: { is: 'absent' } })
  t.regex(refusal(), /^UNSUPPORTED .*chain/)
  t.deepEqual(copies(cluster), [[], [], []])
  const latest = new Table()
  latest.mode = 'latest'
  latest.writeRing(evenRing(1, five))
  for (const id of five) latest.add(id)
  latest.write('c-1', 'n5.1', key, 'one', { condition: { is: 'absent' } })
  latest.run()
  t.like(latest.answer('c-1'), { kind: 'error', code: 'UNSUPPORTED', definite: true })
})

test('versions of owners that hold the same are equal, whichever way it came', (t) => {
  const cluster = apart('n1', 'n2', 'n3')
  for (const node of owners) get(cluster, node)
  for (const node of owners) get(cluster, node)
  const [first, ...others] = owners.map((it) => cluster.seat(it).engine.entries.get(key)?.record)
  for (const other of others) {
    if (first === undefined || other === undefined) return t.fail()
    t.is(compareVersions(first.version, other.version), 0)
  }
})
