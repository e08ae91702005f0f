import test from 'ava'
import type { ExplainReport } from '../shared/protocol/messages.js'
import { explainPatienceMs, sweepIntervalMs } from '../shared/runtime/limits.js'
import { ChainCluster, chained } from './chain/chains.fixture.js'

const three = ['n1', 'n2', 'n3'] as const
const patienceMs = explainPatienceMs + 2 * sweepIntervalMs

function founded(): ChainCluster {
  const cluster = new ChainCluster(...three, 'n4')
  cluster.publish(chained({ epoch: 1, members: three, placed: [...three, 'n4'] }))
  cluster.write('c1', 'n1.1', 'a', 'one')
  cluster.run()
  return cluster
}

function explain(cluster: ChainCluster, via: string, key = 'a', waitMs = 0): ExplainReport {
  const born = cluster.hostMicros
  const deadline = born + 5_000_000
  const name = Buffer.from(key)
  cluster.send('c-9', via, { kind: 'explain', id: 9, key: name, r: 0, born, deadline })
  cluster.advance(waitMs)
  const answer = cluster.answer('c-9')
  if (answer?.kind !== 'explain.ok') throw new Error(`explained by ${JSON.stringify(answer)}`)
  return answer.report
}

function states({ owners }: ExplainReport): string[] {
  return owners.map(({ node, role, state }) => `${node} ${role} ${state}`)
}

function shown({ value }: ExplainReport): string | null {
  return value === null ? null : Buffer.from(value).toString()
}

test('the reader explains, and it alone counts', (t) => {
  const cluster = founded()
  for (const via of ['n4', 'n1', 'n2']) {
    const report = explain(cluster, `${via}.1`)
    t.deepEqual(report.path, [via, 'n3'])
    t.is(shown(report), 'one')
    t.like(report, { mode: 'chain', epoch: 1, refusal: null, quorums: { n: 3, r: 1, w: 3 } })
    t.deepEqual(states(report), ['n1 head current', 'n2 middle current', 'n3 tail current'])
    t.deepEqual(
      report.owners.map(({ counted }) => counted),
      [false, false, true],
    )
    t.is(report.reasons[0], 'the chain is n1 > n2 > n3: n3 is its reader and alone answers gets')
    t.is(report.reasons.length, 2)
  }
  t.deepEqual(explain(cluster, 'n3.1').path, ['n3'])
})

test('a write on its way down is newer than what the reader answers', (t) => {
  const cluster = founded()
  cluster.advance(30)
  cluster.mayArrive = ({ kind }, _from, to) => kind !== 'chain.put' || to !== 'n3.1'
  cluster.write('c1', 'n1.1', 'a', 'two')
  cluster.run()
  const report = explain(cluster, 'n4.1')
  t.is(shown(report), 'one')
  t.deepEqual(states(report), ['n1 head current', 'n2 middle current', 'n3 tail stale'])
  t.true(report.reasons.some((it) => /^n3 is stale, 30 ms older than version/.test(it)))
  t.true(
    report.reasons.some((it) => /is known of n1, n2: it has not passed the whole chain/.test(it)),
  )
})

test('a reader without its mark answers nobody, which is said', (t) => {
  const cluster = founded()
  cluster.mayArrive = ({ kind }) => kind !== 'chain.mark'
  cluster.publish(chained({ epoch: 2, members: three, placed: [...three, 'n4'] }))
  const report = explain(cluster, 'n4.1', 'a', patienceMs)
  t.like(report, { value: null, version: null })
  t.regex(report.refusal ?? '', /^nothing was decided within/)
  t.deepEqual(states(report), ['n1 head current', 'n2 middle current', 'n3 tail current'])
  t.true(
    report.reasons.includes(
      'the mark of epoch 2 has not come to n3 yet: until then it answers nobody',
    ),
  )
})

test('where the reader is gone another member explains that', (t) => {
  const cluster = founded()
  cluster.kill('n3.1')
  for (const [via, path] of [
    ['n4.1', ['n4', 'n1']],
    ['n2.1', ['n2']],
  ] as const) {
    const report = explain(cluster, via)
    t.deepEqual(report.path, path)
    t.is(report.refusal, 'its reader, n3, was not reached')
    t.deepEqual(states(report), ['n1 head current', 'n2 middle current', 'n3 tail down'])
  }
})

test('where all members are gone whoever is asked explains that', (t) => {
  const cluster = founded()
  cluster.kill('n1.1', 'n2.1', 'n3.1')
  const report = explain(cluster, 'n4.1')
  t.deepEqual(report.path, ['n4'])
  t.is(report.refusal, "none of the key's owners (n1, n2, n3) answers")
  t.deepEqual(states(report), ['n1 head down', 'n2 middle down', 'n3 tail down'])
})

test('members that are dead at last are not waited for by who explains', (t) => {
  const cluster = founded()
  cluster.mute('n1.1', 'n2.1', 'n3.1')
  cluster.send('c-9', 'n4.1', {
    kind: 'explain',
    id: 9,
    key: Buffer.from('a'),
    r: 0,
    born: cluster.hostMicros,
    deadline: cluster.hostMicros + 5_000_000,
  })
  cluster.advance(patienceMs)
  t.is(cluster.answer('c-9'), undefined)
  cluster.unmute('n1.1', 'n2.1', 'n3.1')
  cluster.kill('n1.1', 'n2.1', 'n3.1')
  cluster.advance(1_000)
  t.is(cluster.answer('c-9')?.kind, 'explain.ok')
})

test('a joiner may lack the key, and the old tail reads', (t) => {
  const cluster = founded()
  cluster.mayArrive = ({ kind }) => kind !== 'handoff.pull'
  cluster.publish(
    chained({
      epoch: 2,
      members: [...three, 'n4'],
      full: 3,
      placed: three,
      change: { plan: 1, next: ['n1', 'n2', 'n4'] },
    }),
  )
  const report = explain(cluster, 'n1.1')
  t.is(shown(report), 'one')
  t.deepEqual(report.path, ['n1', 'n3'])
  t.deepEqual(states(report).slice(2), ['n3 tail current', 'n4 joiner missing'])
  t.true(report.reasons.includes('n4 lacks the key, and is still being copied to'))
})

test('a key that only a failed condition has touched is missing', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'b', 'one', { condition: { is: 'present' } })
  cluster.run()
  t.not(cluster.held('n3.1', 'b'), undefined)
  const report = explain(cluster, 'n1.1', 'b')
  t.like(report, { value: null, version: null, refusal: null })
  t.deepEqual(states(report), ['n1 head missing', 'n2 middle missing', 'n3 tail missing'])
  t.is(report.reasons.at(-1), 'the key is missing: nothing of it is held by n3 (R=1)')
})
