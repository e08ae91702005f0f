import test from 'ava'
import { decodeSiblings, written } from '../shared/data/siblings.js'
import type { ExplainReport, OwnerReport } from '../shared/protocol/messages.js'
import type { RingDescription } from '../shared/ring/description.js'
import { explainPatienceMs, sweepIntervalMs } from '../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'

const four = ['n1', 'n2', 'n3', 'n4']
const patienceMs = explainPatienceMs + 2 * sweepIntervalMs

interface Table {
  readonly cluster: Cluster
  readonly key: string
}

/** Four nodes, N=3; the key's owners are n1, n2, n3. */
function fourNodes(
  quorums: Partial<RingDescription['placement']> = {},
  cluster = new Cluster(),
): Table {
  const ring = evenRing(1, four)
  cluster.writeRing({ ...ring, placement: { ...ring.placement, ...quorums } })
  for (const id of four) cluster.add(id)
  return { cluster, key: keyOf(0, 4) }
}

function put({ cluster, key }: Table, value: string | null, id = 1): void {
  cluster.put('c-1', 'n1.1', key, value, id)
  cluster.run()
}

/** While it is written, nothing of it comes to these. */
function putWithout(table: Table, value: string | null, ...without: string[]): void {
  table.cluster.mayArrive = ({ kind }, _from, to) => kind !== 'replica.put' || !without.includes(to)
  put(table, value, 2)
  table.cluster.mayArrive = () => true
}

function ask({ cluster, key }: Table, via = 'n1.1', r = 0): void {
  const born = cluster.hostMicros
  const deadline = born + 5_000_000
  cluster.send('c-9', via, { kind: 'explain', id: 9, key: Buffer.from(key), r, born, deadline })
}

function reportOf({ cluster }: Table): ExplainReport | undefined {
  const answer = cluster.answer('c-9')
  return answer?.kind === 'explain.ok' ? answer.report : undefined
}

function explain(table: Table, via = 'n1.1', r = 0): ExplainReport {
  ask(table, via, r)
  table.cluster.run()
  const report = reportOf(table)
  if (report === undefined) throw new Error('nothing was explained')
  return report
}

function explainLate(table: Table, via = 'n1.1'): ExplainReport {
  ask(table, via)
  table.cluster.advance(patienceMs)
  const report = reportOf(table)
  if (report === undefined) throw new Error('nothing was explained')
  return report
}

function states({ owners }: ExplainReport): string[] {
  return owners.map(({ node, role, state }) => `${node} ${role} ${state}`)
}

function shown({ value }: ExplainReport): string | null {
  return value === null ? null : Buffer.from(value).toString()
}

function owner({ owners }: ExplainReport, node: string): OwnerReport | undefined {
  return owners.find((each) => each.node === node)
}

test('a key that is well: everybody is current, and the reason is the quorum', (t) => {
  const table = fourNodes()
  const micros = table.cluster.hostMicros
  put(table, 'one')
  const report = explain(table, 'n4.1')
  t.is(shown(report), 'one')
  t.like(report, {
    mode: 'latest',
    epoch: 1,
    path: ['n4', 'n1'],
    quorums: { n: 3, r: 2, w: 2 },
    refusal: null,
  })
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner current', 'n3 owner current'])
  t.deepEqual(
    report.owners.map(({ counted }) => counted),
    [true, true, false],
  )
  for (const each of report.owners) t.like(each, { isDeleted: false, tookMicros: 0 })
  t.deepEqual(report.reasons, [`the answer is version 1.${micros}.c-1, the newest of n1, n2 (R=2)`])
  t.deepEqual(explain(table, 'n1.1').path, ['n1'], 'an owner coordinates it itself')
})

test('a replica that missed a write is stale, by so much', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.advance(250)
  putWithout(table, 'two', 'n3.1')
  const report = explain(table)
  t.is(shown(report), 'two')
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner current', 'n3 owner stale'])
  const named = report.reasons.filter((reason) => /^n\d/.test(reason))
  t.is(named.length, 1)
  t.regex(
    named[0] ?? '',
    /^n3 is stale: it holds version 1\.1000000\.c-1, 250 ms older than version/,
  )
})

test('a copy that was lost behind the back of its owner, and one that was set back', (t) => {
  const table = fourNodes()
  put(table, 'one')
  const { entries } = table.cluster.seat('n2.1').engine
  const old = [...entries]
  table.cluster.advance(100)
  put(table, 'two', 2)
  entries.clear()
  const report = explain(table)
  t.is(shown(report), 'two')
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner missing', 'n3 owner current'])
  t.true(report.reasons.includes('n2 lacks the key'))
  t.is(table.cluster.stored('n2.1', table.key), 'two', 'the get was a real one: it mends')
  for (const [name, entry] of old) entries.set(name, entry)
  t.is(owner(explain(table), 'n2')?.state, 'stale')
})

test('an owner that is paused is late, whatever the others say', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.mute('n2.1')
  ask(table)
  table.cluster.advance(explainPatienceMs / 2)
  t.is(reportOf(table), undefined, 'it is given time')
  table.cluster.advance(explainPatienceMs / 2 + 2 * sweepIntervalMs)
  const report = reportOf(table) as ExplainReport
  t.is(shown(report), 'one')
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner late', 'n3 owner current'])
  t.like(owner(report, 'n2'), { version: null, counted: false, tookMicros: null })
  t.true(owner(report, 'n3')?.counted)
  t.true(report.reasons.includes('n2 is late: it did not say within 1000 ms what it holds'))
})

test('an owner whose process is gone is down, at once', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.kill('n3.1')
  const report = explain(table)
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner current', 'n3 owner down'])
  t.true(report.reasons.includes('n3 is down'))
})

test('an owner that dies while it is asked is down, too', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.mute('n2.1')
  ask(table)
  table.cluster.run()
  table.cluster.kill('n2.1')
  t.is(owner(reportOf(table) as ExplainReport, 'n2')?.state, 'down')
})

test('an owner that holds another ring says which', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.mayArrive = (message, _from, to) => {
    if (message.kind !== 'replica.get' || to !== 'n3.1') return true
    table.cluster.send('n3.1', 'n1.1', { kind: 'stale', id: message.id, epoch: 0 })
    return false
  }
  const report = explain(table)
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner current', 'n3 owner other epoch'])
  t.true(report.reasons.includes('n3 holds the ring of epoch 0, the get was under 1'))
})

test('an owner that refuses is quoted', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.mayArrive = (message, _from, to) => {
    if (message.kind !== 'replica.get' || to !== 'n3.1') return true
    const error = {
      kind: 'error',
      code: 'STOPPING',
      definite: true,
      message: 'n3 is left',
    } as const
    table.cluster.send('n3.1', 'n1.1', { ...error, id: message.id })
    return false
  }
  const report = explain(table)
  t.is(owner(report, 'n3')?.state, 'refused')
  t.true(report.reasons.includes('n3 refused: STOPPING: n3 is left'))
})

test('a missing key and a deleted one are told apart, from each other and from no answer', (t) => {
  const table = fourNodes()
  const missing = explain(table)
  t.like(missing, { value: null, version: null, refusal: null })
  t.deepEqual(states(missing), ['n1 primary missing', 'n2 owner missing', 'n3 owner missing'])
  t.deepEqual(missing.reasons, ['the key is missing: nothing of it is held by n1, n2 (R=2)'])
  put(table, 'one')
  table.cluster.advance(1)
  put(table, null, 2)
  const deleted = explain(table)
  t.like(deleted, { value: null, version: null, refusal: null })
  t.deepEqual(states(deleted), ['n1 primary current', 'n2 owner current', 'n3 owner current'])
  t.true(deleted.owners.every(({ isDeleted, version }) => isDeleted && version !== null))
  t.regex(
    deleted.reasons[0] ?? '',
    /^the key is deleted: the newest of n1, n2 \(R=2\) is a tombstone/,
  )
  table.cluster.mute('n2.1', 'n3.1')
  const none = explainLate(table)
  t.like(none, { value: null, version: null })
  t.regex(none.refusal ?? '', /^nothing was decided within/)
  t.deepEqual(states(none), ['n1 primary current', 'n2 owner late', 'n3 owner late'])
})

test('of owners that did not answer nothing is said, neither that they have it nor that they lack it', (t) => {
  const table = fourNodes({ readQuorum: 1 })
  put(table, 'one')
  table.cluster.random = () => 0
  table.cluster.mute('n2.1', 'n3.1')
  const { reasons, ...report } = explainLate(table)
  t.is(shown(report as ExplainReport), 'one')
  t.deepEqual(
    reasons.filter((reason) => /half way|fewer than/.test(reason)),
    [],
    'the write is on all three',
  )
  t.true(reasons.some((it) => /is known of n1: whether W=2 .* without n2, n3$/.test(it)))
})

test('siblings: an answer that lacks an older one is told to lack it', (t) => {
  const cluster = new Cluster()
  cluster.mode = 'siblings'
  const table = fourNodes({}, cluster)
  const engineOf = (node: string) => cluster.seat(`${node}.1`).engine.entries
  const at = cluster.hostMicros
  const make = (actor: string, micros: number) =>
    written(undefined, {
      value: Buffer.from(actor),
      context: new Map(),
      draw: () => ({ actor, micros }),
      boot: 1,
      at: micros,
    })
  for (const [node, micros] of [
    ['n3', at - 2_000],
    ['n1', at - 1_000],
    ['n2', at - 1_000],
  ] as const) {
    const record = make(node === 'n3' ? 'n3.1@1.0' : 'n1.1@1.0', micros)
    if (record === undefined) throw new Error('not written')
    engineOf(node).set(table.key, { token: 0, key: Buffer.from(table.key), record })
  }
  const { reasons } = explain(table)
  t.true(reasons.includes('the answer is not all that is held: it lacks 1 sibling'), reasons.join())
})

test('a get that is refused is explained with the refusal', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.kill('n2.1', 'n3.1')
  const report = explain(table)
  t.regex(report.refusal ?? '', /^QUORUM_UNAVAILABLE: too few of the key's owners/)
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner down', 'n3 owner down'])
  t.regex(report.reasons[0] ?? '', /^a get is not answered: QUORUM_UNAVAILABLE/)
})

test('where all owners are gone whoever is asked explains that', (t) => {
  const table = fourNodes()
  table.cluster.kill('n1.1', 'n2.1', 'n3.1')
  const report = explain(table, 'n4.1')
  t.deepEqual(report.path, ['n4'])
  t.is(report.refusal, "none of the key's owners (n1, n2, n3) answers")
  t.deepEqual(states(report), ['n1 primary down', 'n2 owner down', 'n3 owner down'])
  t.is(shown(report), null)
})

test('a write that reached one owner is brought to W of them first, and the report says so', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.advance(40)
  putWithout(table, 'two', 'n2.1', 'n3.1')
  const report = explain(table)
  t.is(shown(report), 'two')
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner stale', 'n3 owner stale'])
  t.true(
    report.reasons.includes(
      'fewer than W=2 owners were known to hold it: it was written back first',
    ),
  )
  t.true(report.reasons.some((reason) => /is known of n1, fewer than W=2: a write is/.test(reason)))
  t.deepEqual(
    states(explain(table)),
    ['n1 primary current', 'n2 owner current', 'n3 owner current'],
    'what the next one sees',
  )
})

test('a write that the get did not meet is newer than its answer', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.advance(40)
  const { key } = table
  const version = { boot: 1, micros: table.cluster.hostMicros, writer: 'c-2' }
  const newer = { token: 0, key: Buffer.from(key), record: { version, value: Buffer.from('two') } }
  table.cluster.seat('n3.1').engine.entries.set(key, newer)
  const report = explain(table)
  t.is(shown(report), 'one')
  t.deepEqual(states(report), ['n1 primary stale', 'n2 owner stale', 'n3 owner current'])
  t.true(
    report.reasons.some((it) => /^the answer is not the newest that is held: it is 40 ms/.test(it)),
  )
  t.true(report.reasons.some((reason) => /is known of n3, fewer than W=2/.test(reason)))
})

test('a weak read may answer something stale, and is told to be eventual', (t) => {
  const table = fourNodes({ readQuorum: 1 })
  put(table, 'one')
  table.cluster.advance(1_500)
  putWithout(table, 'two', 'n3.1')
  table.cluster.random = () => 0.99
  const stale = explain(table, 'n1.1')
  t.deepEqual(stale.path, ['n1', 'n3'], 'spread as gets are')
  t.is(shown(stale), 'one')
  t.deepEqual(states(stale), ['n1 primary current', 'n2 owner current', 'n3 owner stale'])
  t.deepEqual(
    stale.owners.map(({ counted }) => counted),
    [false, false, true],
  )
  t.true(
    stale.reasons.some((reason) =>
      /^reads are eventual here, R \+ W <= N \(1 \+ 2 <= 3\)/.test(reason),
    ),
  )
  t.true(
    stale.reasons.some((it) =>
      /^the answer is not the newest that is held: it is 1500 ms/.test(it),
    ),
  )
  t.is(table.cluster.stored('n3.1', table.key), 'one', 'nothing was written back')
  const lowered = explain(fourTable('two'), 'n1.1', 1)
  t.like(lowered, { quorums: { n: 3, r: 1, w: 2 } })
  t.true(lowered.reasons.some((reason) => /^reads are eventual here/.test(reason)))
})

function fourTable(value: string): Table {
  const table = fourNodes()
  put(table, value)
  return table
}

test('in the middle of a change both sides are asked, and who is copied to may lack the key', (t) => {
  const cluster = new Cluster()
  const ring = evenRing(1, ['n1', 'n2', 'n3'])
  cluster.writeRing(ring)
  for (const id of four) cluster.add(id)
  const table = { cluster, key: keyOf(0, 3) }
  put(table, 'one')
  const next = { ...ring.placement, nodes: ['n1', 'n2', 'n4'] }
  const { members } = evenRing(2, four)
  const transfer = { from: 0, to: 0, gainer: 'n4', sources: ['n3'], needed: 1, wipe: true }
  cluster.mayArrive = ({ kind }) => kind !== 'handoff.pull'
  const change = { plan: 1, next, transfers: [transfer] }
  cluster.publish({ ...ring, epoch: 2, members, change })
  const report = explain(table)
  t.is(report.epoch, 2)
  t.is(shown(report), 'one')
  t.deepEqual(states(report), [
    'n1 primary current',
    'n2 owner current',
    'n3 owner current',
    'n4 next missing',
  ])
  t.true(report.reasons.includes('n4 lacks the key, and is still being copied to'))
  t.regex(
    report.reasons[0] ?? '',
    /^the ring is changing \(epoch 2\): n1, n2, n4 are to own the key/,
  )
})

test('when the ring changes meanwhile the whole starts again under the new one', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.mute('n2.1')
  ask(table)
  table.cluster.run()
  t.is(reportOf(table), undefined)
  table.cluster.unmute('n2.1')
  table.cluster.publish(evenRing(2, four))
  const report = reportOf(table) as ExplainReport
  t.is(report.epoch, 2)
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner current', 'n3 owner current'])
  t.is(table.cluster.inbox.get('c-9')?.length, 1)
})

test('a forwarder leaves whoever explains the time to wait for a silent owner', (t) => {
  const table = fourNodes()
  put(table, 'one')
  table.cluster.mute('n2.1')
  table.cluster.trace.length = 0
  t.is(owner(explainLate(table, 'n4.1'), 'n2')?.state, 'late')
  const given = table.cluster.trace.filter((line) => line.endsWith(' coordinate.explain'))
  t.deepEqual(given, ['n4.1 > n1.1 coordinate.explain'])
  t.true(table.cluster.seat('n4.1').node.peers.isReachable('n1.1'))
})

test('nothing of an explanation stays behind, and it is no operation of a client', (t) => {
  const table = fourNodes()
  put(table, 'one')
  explain(table)
  const { inFlight, readBytes, operations } = table.cluster.seat('n1.1').node
  t.is(inFlight.size, 0)
  t.false(readBytes.isSpent)
  t.is(operations.counts.coordinated.gets, 0)
})

test('siblings: which there are, who has which, and who lacks one', (t) => {
  const cluster = new Cluster()
  cluster.mode = 'siblings'
  const table = fourNodes({}, cluster)
  const write = (value: string, id: number) => {
    const stamp = { boot: 1, micros: cluster.hostMicros, writer: `c-${id}` }
    const deadline = stamp.micros + 5_000_000
    const key = Buffer.from(table.key)
    const wishes = { condition: null, context: null, w: 0 }
    const bytes = Buffer.from(value)
    cluster.send('c-1', 'n1.1', {
      kind: 'write',
      id,
      key,
      value: bytes,
      stamp,
      ...wishes,
      deadline,
    })
    cluster.run()
  }
  write('one', 1)
  cluster.advance(50)
  cluster.mayArrive = ({ kind }, _from, to) => kind !== 'replica.put' || to !== 'n3.1'
  write('two', 2)
  cluster.mayArrive = () => true
  const report = explain(table)
  t.is(report.mode, 'siblings')
  const values = decodeSiblings(report.value ?? new Uint8Array()).values
  t.deepEqual(
    values.map(({ value }) => Buffer.from(value).toString()),
    ['one', 'two'],
  )
  t.deepEqual(states(report), ['n1 primary current', 'n2 owner current', 'n3 owner stale'])
  t.true(report.reasons.includes('the answer is what n1, n2 (R=2) hold together: 2 siblings'))
  t.true(report.reasons.includes('n3 is stale: it lacks 1 sibling'))
  const told = report.reasons.filter((reason) => reason.startsWith('a sibling was written'))
  t.deepEqual(
    told.map((reason) => reason.replace(/.* held by /, '')),
    ['n1, n2, n3', 'n1, n2'],
  )
})
