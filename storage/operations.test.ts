import test from 'ava'
import { maxFlightMs, sweepIntervalMs } from '../shared/runtime/limits.js'
import type { Log } from '../shared/runtime/runtime.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'
import { Operations } from './operations.js'

const key = Buffer.from('a')

test('every outcome is counted where it belongs', (t) => {
  const operations = new Operations(undefined)
  operations.ended('coordinated', 'put', key, undefined)
  operations.ended('coordinated', 'put', key, 'TIMEOUT')
  operations.ended('coordinated', 'delete', key, undefined)
  operations.ended('replicated', 'delete', key, 'DISK_FULL')
  operations.ended('replicated', 'get', key, 'STORAGE_FAILED')
  operations.got('replicated', key, true)
  operations.got('replicated', key, false)
  t.deepEqual(operations.counts, {
    coordinated: {
      puts: 1,
      putsFailed: 1,
      deletes: 1,
      deletesFailed: 0,
      gets: 0,
      getsMissed: 0,
      getsFailed: 0,
    },
    replicated: {
      puts: 0,
      putsFailed: 0,
      deletes: 0,
      deletesFailed: 1,
      gets: 2,
      getsMissed: 1,
      getsFailed: 1,
    },
  })
})

test('with a log each is told, a coordinator’s with its quorum', (t) => {
  const lines: object[] = []
  const note = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, ...fields })
  }
  const log: Log = { debug() {}, error() {}, info: note('info'), warn: note('warn') }
  const operations = new Operations(log)
  const quorum = { told: { n: 3, r: 2, w: 2, acknowledged: ['n1', 'n3'] } }
  operations.ended('coordinated', 'put', key, undefined, quorum)
  operations.ended('replicated', 'delete', key, 'DISK_FULL: no room')
  operations.got('replicated', key, false)
  t.deepEqual(lines, [
    {
      level: 'info',
      message: 'put succeeded',
      part: 'coordinated',
      operation: 'put',
      key: 'a',
      ...quorum.told,
    },
    {
      level: 'warn',
      message: 'delete failed',
      part: 'replicated',
      operation: 'delete',
      key: 'a',
      refusal: 'DISK_FULL: no room',
    },
    {
      level: 'warn',
      message: 'get failed',
      part: 'replicated',
      operation: 'get',
      key: 'a',
      refusal: 'the key is missing',
    },
  ])
})

test('without a log nobody is asked what there would be to tell', (t) => {
  const quorum = {
    get told(): object {
      throw new Error('asked')
    },
  }
  const operations = new Operations(undefined)
  t.notThrows(() => operations.ended('coordinated', 'put', key, undefined, quorum))
})

const four = ['n1', 'n2', 'n3', 'n4']

interface Line {
  readonly message: string
  readonly part: 'coordinated' | 'replicated'
  readonly operation: string
  readonly refusal?: string
  readonly acknowledged?: readonly string[]
}

/** Four nodes that log, N=3, R=W=2; the key's owners are n1, n2, n3. */
function fourNodes(): { cluster: Cluster; key: string; lines: () => Line[] } {
  const cluster = new Cluster()
  let lines: Line[] = []
  const note = (fields: object, message: string) => {
    if ('operation' in fields) lines.push({ message, ...fields } as Line)
  }
  cluster.log = { debug() {}, error() {}, info: note, warn: note }
  cluster.logOperations = true
  cluster.writeRing(evenRing(1, four))
  for (const id of four) cluster.add(id)
  const taken = () => {
    const all = lines
    lines = []
    return all
  }
  return { cluster, key: keyOf(0, 4), lines: taken }
}

function told(lines: readonly Line[]): string[] {
  return lines.map(({ part, message }) => `${part}: ${message}`).sort()
}

function sums(cluster: Cluster, part: 'coordinated' | 'replicated', what: 'puts' | 'deletes') {
  const counts = four.map((id) => cluster.seat(`${id}.1`).node.operations.counts[part])
  return [what, `${what}Failed` as const].map((name) =>
    counts.reduce((sum, each) => sum + each[name], 0),
  )
}

test('a put and a delete of each key: N replicas succeed and one coordinator', (t) => {
  const { cluster, lines } = fourNodes()
  for (let i = 0; i < 20; i++) {
    const key = `key${i}`
    const via = `${four[i % 4]}.1`
    cluster.put('c-1', via, key, 'one', 2 * i)
    cluster.run()
    t.deepEqual(told(lines()), [
      'coordinated: put succeeded',
      'replicated: put succeeded',
      'replicated: put succeeded',
      'replicated: put succeeded',
    ])
    cluster.put('c-1', via, key, null, 2 * i + 1)
    cluster.run()
    t.deepEqual(told(lines()), [
      'coordinated: delete succeeded',
      'replicated: delete succeeded',
      'replicated: delete succeeded',
      'replicated: delete succeeded',
    ])
  }
  for (const what of ['puts', 'deletes'] as const) {
    t.deepEqual(sums(cluster, 'coordinated', what), [20, 0])
    t.deepEqual(sums(cluster, 'replicated', what), [60, 0])
  }
})

test('a coordinator tells its quorum and who acknowledged', (t) => {
  const { cluster, key, lines } = fourNodes()
  cluster.mute('n2.1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  const line = lines().find(({ part }) => part === 'coordinated')
  t.like(line, { epoch: 1, n: 3, w: 2, key, acknowledged: ['n1', 'n3'] })
})

test('without a quorum the coordinator fails and says why, and each replica tells its own part', (t) => {
  const { cluster, key, lines } = fourNodes()
  cluster.mute('n2.1', 'n3.1')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.advance(5_000 + 2 * sweepIntervalMs)
  const all = lines()
  t.deepEqual(told(all), ['coordinated: put failed', 'replicated: put succeeded'])
  const line = all.find(({ part }) => part === 'coordinated')
  t.like(line, { acknowledged: ['n1'] })
  t.regex(line?.refusal ?? '', /^TIMEOUT: the deadline passed/)
  t.deepEqual(sums(cluster, 'coordinated', 'puts'), [0, 1])
  cluster.kill('n2.1', 'n3.1')
  cluster.put('c-2', 'n1.1', key, 'two')
  cluster.run()
  t.regex(lines()[0]?.refusal ?? '', /^QUORUM_UNAVAILABLE: fewer than 2/)
})

test('a replica without room, and one that is given something old, tell a failure', (t) => {
  const { cluster, key, lines } = fourNodes()
  cluster.fullDisks.add('n1').add('n3')
  cluster.put('c-1', 'n1.1', key, 'one')
  cluster.run()
  t.deepEqual(told(lines()), [
    'coordinated: put failed',
    'replicated: put failed',
    'replicated: put failed',
    'replicated: put succeeded',
  ])
  cluster.fullDisks.clear()
  cluster.mayArrive = ({ kind }) => kind !== 'replica.put'
  cluster.put('c-2', 'n1.1', key, null)
  cluster.advance(maxFlightMs + 1_000)
  lines()
  cluster.letArrive()
  t.deepEqual(told(lines()), ['replicated: delete failed', 'replicated: delete failed'])
})

test('a get of a missing key is answered, and told as a failure of whoever asked', (t) => {
  const { cluster, key, lines } = fourNodes()
  cluster.get('c-1', 'n1.1', key)
  cluster.run()
  t.is(cluster.answer('c-1')?.kind, 'get.ok')
  const all = lines()
  t.deepEqual(told(all), [
    'coordinated: get failed',
    'replicated: get failed',
    'replicated: get failed',
  ])
  t.deepEqual([...new Set(all.map(({ refusal }) => refusal))], ['the key is missing'])
  const { gets, getsMissed, getsFailed } = cluster.seat('n1.1').node.operations.counts.coordinated
  t.deepEqual([gets, getsMissed, getsFailed], [1, 1, 0])
})
