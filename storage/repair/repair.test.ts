import test, { type ExecutionContext } from 'ava'
import type { Message, RepairReport } from '../../shared/protocol/messages.js'
import { tokenOf } from '../../shared/ring/token.js'
import { planTransfers } from '../../shared/ring/transfers.js'
import { maxFlightMs, merkleLeavesMax, repairPeriodMs } from '../../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from '../cluster.fixture.js'

const four = ['n1', 'n2', 'n3', 'n4']
const owners = ['n1.1', 'n2.1', 'n3.1']

/** Four nodes, N=3, W=R=2; the owners of the key are n1, n2, n3, and it has the value `one`. */
function fourNodes(): { cluster: Cluster; key: string } {
  const cluster = new Cluster()
  cluster.writeRing(evenRing(1, four))
  for (const id of four) cluster.add(id)
  const key = keyOf(0, 4)
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(100)
  cluster.trace.length = 0
  return { cluster, key }
}

/** Writes into the node's store, past everything that writes usually pass. */
function store(cluster: Cluster, at: string, key: string, value: string | null, micros = 1): void {
  const version = { boot: 1, micros, writer: 'behind' }
  const record = { version, value: value === null ? null : Buffer.from(value) }
  const bytes = Buffer.from(key)
  cluster.seat(at).engine.entries.set(key, { token: tokenOf(bytes), key: bytes, record })
}

function lose(cluster: Cluster, at: string, key: string): void {
  cluster.seat(at).engine.entries.delete(key)
}

function reportOf(cluster: Cluster, at: string): RepairReport {
  cluster.send('cli', at, { kind: 'node.stats', id: 1 })
  cluster.run()
  const stats = cluster.answer('cli')
  if (stats?.kind !== 'node.stats.ok') throw new Error(`no stats but ${stats?.kind}`)
  return stats.repair
}

/** A pass that was asked for, to its end. */
function repair(t: ExecutionContext, cluster: Cluster, at: string): RepairReport {
  cluster.send('cli', at, { kind: 'repair.start', id: 1 })
  cluster.run()
  const started = cluster.answer('cli')
  cluster.advance(3_000)
  const report = reportOf(cluster, at)
  t.like(started, { kind: 'repair.start.ok', pass: report.pass })
  t.false(report.running)
  t.is(report.rangesDone, report.rangesTotal)
  return report
}

function copies(cluster: Cluster, key: string): unknown[] {
  return owners.map((owner) => cluster.stored(owner, key))
}

test('a read alone mends a copy that was lost behind the back of its owner', (t) => {
  const { cluster, key } = fourNodes()
  lose(cluster, 'n1.1', key)
  cluster.get('c-1', 'n1.1', key)
  cluster.run()
  t.like(cluster.answer('c-1'), { kind: 'get.ok', value: Buffer.from('one') })
  t.deepEqual(copies(cluster, key), ['one', 'one', 'one'])
})

test('a read mends an older copy also where it has its quorum, after the answer', (t) => {
  const { cluster, key } = fourNodes()
  store(cluster, 'n3.1', key, 'zero')
  cluster.get('c-1', 'n1.1', key, 1, 3)
  cluster.run()
  const said = cluster.trace.filter((line) => /get\.ok$|replica\.put/.test(line))
  t.is(said.at(-1), 'n3.1 > n1.1 replica.put.ok')
  t.deepEqual(
    new Set(said.slice(-3, -1)),
    new Set(['n1.1 > c-1 get.ok', 'n1.1 > n3.1 replica.put']),
  )
  t.deepEqual(copies(cluster, key), ['one', 'one', 'one'])
})

for (const damaged of owners) {
  test(`anti-entropy alone mends a lost copy of ${damaged}, and a second pass moves nothing`, (t) => {
    const { cluster, key } = fourNodes()
    lose(cluster, damaged, key)
    const first = repair(t, cluster, 'n1.1')
    const isOwn = damaged === 'n1.1'
    t.like(first, { received: isOwn ? 1 : 0, given: isOwn ? 0 : 1, skipped: 0 })
    t.deepEqual(copies(cluster, key), ['one', 'one', 'one'])
    t.false(
      cluster.trace.some((line) => /replica\.|coordinate\./.test(line)),
      'nobody read it',
    )
    cluster.trace.length = 0
    t.like(repair(t, cluster, 'n1.1'), { received: 0, given: 0, skipped: 0 })
    t.false(
      cluster.trace.some((line) => /handoff/.test(line)),
      'hashes alone say that all is well',
    )
  })
}

test('an older value, an older tombstone and a key too many are mended as well', (t) => {
  const { cluster } = fourNodes()
  const keys = Array.from({ length: 400 }, (_, i) => `key${i}`)
  const [older, newer, buried, alone] = keys.filter((key) => tokenOf(Buffer.from(key)) < 2 ** 30)
  if (older === undefined || newer === undefined) return t.fail()
  if (buried === undefined || alone === undefined) return t.fail()
  for (const owner of owners) {
    for (const key of [older, newer, buried]) store(cluster, owner, key, 'then', 5)
  }
  store(cluster, 'n2.1', older, 'before', 4)
  store(cluster, 'n2.1', newer, 'since', 6)
  store(cluster, 'n3.1', buried, null, 7)
  store(cluster, 'n3.1', alone, 'alone', 1)
  repair(t, cluster, 'n1.1')
  t.like(repair(t, cluster, 'n1.1'), { received: 0, given: 0 })
  t.deepEqual(copies(cluster, older), ['then', 'then', 'then'])
  t.deepEqual(copies(cluster, newer).slice(0, 2), ['since', 'since'])
  repair(t, cluster, 'n2.1')
  t.deepEqual(copies(cluster, newer), ['since', 'since', 'since'])
  t.deepEqual(copies(cluster, buried), [null, null, null])
  t.deepEqual(copies(cluster, alone), ['alone', 'alone', 'alone'])
  for (const owner of owners) t.like(repair(t, cluster, owner), { received: 0, given: 0 })
})

test('nobody needs to ask: each pair is compared on schedule', (t) => {
  const { cluster, key } = fourNodes()
  lose(cluster, 'n3.1', key)
  cluster.advance(2 * repairPeriodMs)
  t.deepEqual(copies(cluster, key), ['one', 'one', 'one'])
  const passes = four.map((id) => reportOf(cluster, `${id}.1`))
  t.is(
    passes.reduce((sum, { rangesTotal }) => sum + rangesTotal, 0),
    4 * 3,
  )
})

test('of a large range little more than the differing keys travels', (t) => {
  const { cluster } = fourNodes()
  const keys = Array.from({ length: 40_000 }, (_, i) => `k${i}`).filter(
    (key) => tokenOf(Buffer.from(key)) < 2 ** 30,
  )
  t.true(keys.length > 5 * merkleLeavesMax)
  for (const key of keys) for (const owner of owners) store(cluster, owner, key, 'same')
  const damaged = [keys[17], keys[4_000], keys[9_000]] as string[]
  for (const key of damaged) lose(cluster, 'n2.1', key)
  const travelled: Message[] = []
  cluster.mayArrive = (message) => {
    if (message.kind === 'handoff.batch' || message.kind === 'handoff.push') travelled.push(message)
    return true
  }
  t.like(repair(t, cluster, 'n1.1'), { given: 3, received: 0, skipped: 0 })
  for (const key of damaged) t.is(cluster.stored('n2.1', key), 'same')
  const entries = travelled.flatMap((message) => ('entries' in message ? message.entries : []))
  t.true(entries.length < 20, `${entries.length} entries travelled for 3`)
})

test('values over the size of a page go over one by one', (t) => {
  const { cluster } = fourNodes()
  const keys = Array.from({ length: 60 }, (_, i) => `k${i}`).filter(
    (key) => tokenOf(Buffer.from(key)) < 2 ** 30,
  )
  for (const key of keys) store(cluster, 'n1.1', key, 'x'.repeat(100_000))
  const sizes: number[] = []
  cluster.mayArrive = (message) => {
    if (message.kind === 'handoff.push') sizes.push(message.entries.length)
    return true
  }
  t.like(repair(t, cluster, 'n1.1'), { given: 2 * keys.length, skipped: 0 })
  t.true(sizes.length >= keys.length && sizes.every((count) => count <= 2))
})

test('an owner that is down is skipped and counted; the others are mended', (t) => {
  const { cluster, key } = fourNodes()
  cluster.kill('n2.1')
  lose(cluster, 'n3.1', key)
  const report = repair(t, cluster, 'n1.1')
  t.is(report.skipped, 2, 'n1 shares two of its three ranges with n2')
  t.is(cluster.stored('n3.1', key), 'one')
})

test('an owner that hangs costs its patience, not the pass', (t) => {
  const { cluster, key } = fourNodes()
  cluster.mute('n2.1')
  lose(cluster, 'n3.1', key)
  cluster.send('cli', 'n1.1', { kind: 'repair.start', id: 1 })
  cluster.advance(1_000)
  t.true(reportOf(cluster, 'n1.1').running)
  cluster.advance(80_000)
  t.is(cluster.stored('n3.1', key), 'one')
})

test('a batch that comes after the time a message may take is dropped', (t) => {
  const { cluster, key } = fourNodes()
  cluster.kill('n3.1')
  lose(cluster, 'n1.1', key)
  cluster.mayArrive = ({ kind }) => kind !== 'handoff.batch'
  cluster.send('cli', 'n1.1', { kind: 'repair.start', id: 1 })
  cluster.advance(1_000)
  t.true(cluster.trace.some((line) => line.endsWith('handoff.batch')))
  cluster.sleep(maxFlightMs + 1)
  cluster.letArrive()
  cluster.advance(1_000)
  t.is(cluster.stored('n1.1', key), undefined)
  t.like(reportOf(cluster, 'n1.1'), { running: false, received: 0 })
  t.like(repair(t, cluster, 'n1.1'), { received: 1 })
  t.is(cluster.stored('n1.1', key), 'one')
})

test('a pass ends with its ring; one that was asked for begins again once the ring is settled', (t) => {
  const { cluster, key } = fourNodes()
  lose(cluster, 'n3.1', key)
  cluster.mayArrive = ({ kind }) => kind !== 'merkle.get.ok'
  cluster.send('cli', 'n1.1', { kind: 'repair.start', id: 1 })
  cluster.advance(100)
  const settled = evenRing(1, four)
  const next = { ...settled.placement, replicas: 2 }
  const transfers = planTransfers(settled.placement, next, () => true)
  cluster.publish({ ...settled, epoch: 2, change: { plan: 1, next, transfers } })
  cluster.letArrive()
  cluster.advance(10_000)
  t.like(reportOf(cluster, 'n1.1'), { pass: 1, running: true, rangesDone: 0 })
  t.is(cluster.stored('n3.1', key), undefined)
  cluster.publish({ ...settled, epoch: 3 })
  cluster.advance(3_000)
  t.like(reportOf(cluster, 'n1.1'), { pass: 1, running: false, given: 1, skipped: 0 })
  t.is(cluster.stored('n3.1', key), 'one')
})

test('a node that returns with its store compares all of it soon', (t) => {
  const { cluster, key } = fourNodes()
  const { engine } = cluster.seat('n3.1')
  cluster.kill('n3.1')
  for (const owner of ['n1.1', 'n2.1']) store(cluster, owner, key, 'two', 2_000_000)
  cluster.add('n3', engine, 2)
  const ring = evenRing(2, four)
  const members = ring.members.map((each) =>
    each.id === 'n3' ? { ...each, incarnation: 2 } : each,
  )
  cluster.publish({ ...ring, members })
  cluster.advance(5_000)
  t.is(cluster.stored('n3.2', key), 'two')
})

test('whoever asks for an impossible number of leaves is told so', (t) => {
  const { cluster } = fourNodes()
  for (const leaves of [0, merkleLeavesMax + 1]) {
    cluster.send('x-1', 'n1.1', { kind: 'merkle.get', id: 9, epoch: 1, from: 0, to: 10, leaves })
    cluster.run()
    t.like(cluster.answer('x-1'), { kind: 'error', id: 9, code: 'INVALID_ARGUMENT' })
  }
  cluster.send('x-1', 'n1.1', { kind: 'merkle.get', id: 9, epoch: 1, from: 0, to: 10, leaves: 11 })
  cluster.run()
  t.like(cluster.answer('x-1'), { code: 'INVALID_ARGUMENT' })
})

test('of each peer one comparison waits, and the newest question of it', (t) => {
  const { cluster } = fourNodes()
  const held = cluster.seat('n1.1').engine
  const scans: (() => void)[] = []
  const scan = held.scan.bind(held)
  held.scan = (...given) => {
    scans.push(() => scan(...given))
  }
  const ask = (from: string, id: number) =>
    cluster.send(from, 'n1.1', { kind: 'merkle.get', id, epoch: 1, from: 0, to: 0, leaves: 4 })
  for (const id of [1, 2, 3]) ask('x-1', id)
  ask('x-2', 1)
  cluster.run()
  t.is(scans.length, 1, 'one is served')
  while (scans.length > 0) {
    scans.shift()?.()
    cluster.run()
  }
  const ids = (peer: string) =>
    cluster.inbox.get(peer)?.map((message) => 'id' in message && message.id)
  t.deepEqual(ids('x-1'), [1, 3])
  t.deepEqual(ids('x-2'), [1])
})
