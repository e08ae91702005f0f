/** Chains on the table: the way of a write, conditions, retries, and what a get may rest on. */
import test from 'ava'
import { requestsOf, withRequests } from '../../shared/data/chain-record.js'
import { ChainCluster, chained } from './chains.fixture.js'

const three = ['n1', 'n2', 'n3'] as const

function founded(): ChainCluster {
  const cluster = new ChainCluster(...three)
  cluster.publish(chained({ epoch: 1, members: three }))
  return cluster
}

test('a write passes head, middle and tail; the tail answers the forwarder', (t) => {
  const cluster = new ChainCluster(...three, 'n4')
  cluster.publish(chained({ epoch: 1, members: three, placed: [...three, 'n4'] }))
  cluster.trace.length = 0
  cluster.write('c1', 'n4.1', 'a', '1')
  cluster.run()
  t.deepEqual(cluster.trace, [
    'c1 > n4.1 write',
    'n4.1 > n1.1 coordinate.write',
    'n1.1 > n2.1 chain.put',
    'n2.1 > n3.1 chain.put',
    'n3.1 > n2.1 chain.ack',
    'n3.1 > n4.1 coordinate.write.ok',
    'n2.1 > n1.1 chain.ack',
    'n4.1 > c1 write.ok',
  ])
  t.deepEqual(cluster.ok('c1').version, {
    boot: 1,
    micros: cluster.hostMicros,
    writer: '0000000000000001',
  })
  for (const id of three) {
    t.is(cluster.stored(`${id}.1`, 'a'), '1')
    t.is(cluster.seat(`${id}.1`).node.uncommitted, 0)
  }
})

test('each member sends a write on only once it is durable there', (t) => {
  const cluster = founded()
  for (const id of three) cluster.seat(`${id}.1`).engine.isHeld = true
  cluster.write('c1', 'n1.1', 'a', '1')
  for (const [index, id] of three.entries()) {
    cluster.run()
    t.is(cluster.answer('c1'), undefined)
    const next = three[index + 1]
    if (next !== undefined) t.is(cluster.held(`${next}.1`, 'a'), undefined)
    cluster.seat(`${id}.1`).engine.sync()
  }
  cluster.run()
  cluster.ok('c1')
})

test('a get is answered by the reader alone, whoever is asked', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n2.1', 'a', '1')
  cluster.run()
  for (const id of three) {
    cluster.get(`g${id}`, `${id}.1`, 'a')
    cluster.run()
    const answer = cluster.answer(`g${id}`)
    t.is(answer?.kind === 'get.ok' ? answer.node : undefined, 'n3')
    t.is(cluster.readBy(`g${id}`), '1')
  }
})

test('a get shows nothing that the reader does not hold durably', (t) => {
  const cluster = founded()
  cluster.seat('n3.1').engine.isHeld = true
  cluster.write('c1', 'n1.1', 'a', '1')
  cluster.get('g', 'n1.1', 'a')
  cluster.run()
  t.is(cluster.answer('g'), undefined)
  cluster.seat('n3.1').engine.sync()
  cluster.settle('n3.1')
  cluster.ok('c1')
  t.is(cluster.read('n1.1', 'b'), undefined)
  cluster.settle('n3.1')
})

test('conditions are decided on the newest record, and a failed one says what it met', (t) => {
  const cluster = founded()
  const tell = (client: string) => {
    cluster.run()
    const answer = cluster.answer(client)
    return answer?.kind === 'error' ? `${answer.code} ${answer.definite}` : answer?.kind
  }
  cluster.write('present', 'n1.1', 'a', 'x', { condition: { is: 'present' } })
  t.is(tell('present'), 'CONDITION_FAILED true')
  cluster.write('absent', 'n1.1', 'a', '1', { condition: { is: 'absent' } })
  t.is(tell('absent'), 'write.ok')
  const { version } = cluster.ok('absent')
  cluster.write('again', 'n1.1', 'a', 'x', { condition: { is: 'absent' } })
  t.is(tell('again'), 'CONDITION_FAILED true')
  const refused = cluster.answer('again')
  t.deepEqual(refused?.kind === 'error' ? refused.met : undefined, version)
  cluster.write('swap', 'n1.1', 'a', '2', { condition: { is: 'version', version } })
  t.is(tell('swap'), 'write.ok')
  cluster.write('stale', 'n1.1', 'a', 'x', { condition: { is: 'version', version } })
  t.is(tell('stale'), 'CONDITION_FAILED true')
  cluster.write('delete', 'n1.1', 'a', null, { condition: { is: 'present' } })
  t.is(tell('delete'), 'write.ok')
  t.is(cluster.read('n2.1', 'a'), null)
  cluster.write('gone', 'n1.1', 'a', null, { condition: { is: 'present' } })
  t.is(tell('gone'), 'CONDITION_FAILED true')
  cluster.write('new', 'n1.1', 'a', '3', { condition: { is: 'absent' } })
  t.is(tell('new'), 'write.ok')
  t.is(cluster.read('n2.1', 'a'), '3')
})

test('a condition is decided on what is ordered, durable or not', (t) => {
  const cluster = founded()
  cluster.seat('n1.1').engine.isHeld = true
  cluster.write('c1', 'n1.1', 'a', '1', { condition: { is: 'absent' } })
  cluster.write('c2', 'n1.1', 'a', '2', { condition: { is: 'absent' } })
  cluster.settle('n1.1')
  cluster.ok('c1')
  const answer = cluster.answer('c2')
  t.is(answer?.kind === 'error' ? answer.code : answer?.kind, 'CONDITION_FAILED')
})

test('sent again, a request has one effect and the first result, a failed one too', (t) => {
  const cluster = founded()
  const failed = cluster.write('c1', 'n1.1', 'a', 'x', { condition: { is: 'present' } })
  cluster.run()
  const written = cluster.write('c2', 'n1.1', 'a', '1')
  cluster.run()
  const first = cluster.ok('c2').version
  cluster.write('c3', 'n1.1', 'a', '2')
  cluster.run()
  cluster.write('c2', 'n2.1', 'a', '1', { stamp: written, id: 2 })
  cluster.write('c1', 'n3.1', 'a', 'x', { stamp: failed, id: 2, condition: { is: 'present' } })
  cluster.run()
  t.deepEqual(cluster.ok('c2'), { kind: 'write.ok', id: 2, version: first })
  const answer = cluster.answer('c1')
  t.like(answer, { kind: 'error', id: 2, code: 'CONDITION_FAILED', definite: true })
  t.is(cluster.read('n1.1', 'a'), '2')
})

test('the reply lost, the head killed, sent again elsewhere: one effect, the first result', (t) => {
  const cluster = founded()
  cluster.mayArrive = ({ kind }) => kind !== 'coordinate.write.ok'
  const stamp = cluster.write('c1', 'n2.1', 'n', '1', { condition: { is: 'absent' } })
  cluster.run()
  t.is(cluster.answer('c1'), undefined)
  const { version } = cluster.held('n3.1', 'n') ?? {}
  cluster.mayArrive = () => true
  cluster.kill('n1.1')
  cluster.publish(chained({ epoch: 2, members: ['n2', 'n3'], placed: three }))
  cluster.write('c1', 'n3.1', 'n', '1', { stamp, id: 2, condition: { is: 'absent' } })
  cluster.run()
  t.deepEqual(cluster.ok('c1').version, version)
  t.is(cluster.held('n2.1', 'n')?.requests, 1)
  for (const answer of cluster.answersOf('c1')) t.like(answer, { kind: 'write.ok', version })
})

test('requests past their deadlines and tombstones are cleared up by every member', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'a', '1')
  cluster.write('c2', 'n1.1', 'b', '1')
  cluster.write('c3', 'n1.1', 'b', null)
  cluster.write('c4', 'n1.1', 'c', 'x', { condition: { is: 'present' } })
  cluster.run()
  for (const id of three) t.is(cluster.held(`${id}.1`, 'b')?.requests, 2)
  cluster.advance(7_000)
  for (const id of three) {
    t.is(cluster.held(`${id}.1`, 'a')?.requests, 0)
    t.is(cluster.held(`${id}.1`, 'b'), undefined)
    t.is(cluster.held(`${id}.1`, 'c'), undefined)
  }
  cluster.write('c5', 'n1.1', 'b', '2', { condition: { is: 'absent' } })
  cluster.run()
  t.is(cluster.read('n1.1', 'b'), '2')
})

test('what an earlier life of the host left is cleared up, whatever its clock showed', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'a', '1')
  cluster.write('c2', 'n1.1', 'b', null)
  cluster.run()
  const engines = three.map((id) => cluster.seat(`${id}.1`).engine)
  for (const { entries } of engines) {
    for (const [name, { token, key, record }] of entries) {
      const requests = requestsOf(record).map((each) => {
        return { ...each, stamp: { ...each.stamp, boot: 0 }, deadline: 1e15 }
      })
      const version = { boot: 0, micros: 1e15, writer: '0000000000000001' }
      const before = withRequests({ version, value: record.value }, requests)
      entries.set(name, { token, key, record: before })
    }
  }
  cluster.kill(...three.map((id) => `${id}.1`))
  for (const [i, id] of three.entries()) cluster.add(id, engines[i], 2)
  cluster.publish(chained({ epoch: 2, members: three, incarnations: { n1: 2, n2: 2, n3: 2 } }))
  cluster.advance(3_000)
  for (const id of three) {
    t.is(cluster.held(`${id}.2`, 'a')?.requests, 0)
    t.is(cluster.held(`${id}.2`, 'b'), undefined)
  }
})

test('a key that is still written is cleared up once it rests', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'a', '1')
  cluster.advance(4_000)
  cluster.write('c2', 'n1.1', 'a', '2')
  cluster.advance(3_000)
  for (const id of three) t.is(cluster.held(`${id}.1`, 'a')?.requests, 2)
  cluster.write('c3', 'n1.1', 'a', '3')
  cluster.run()
  for (const id of three) t.is(cluster.held(`${id}.1`, 'a')?.requests, 2)
  cluster.advance(7_000)
  for (const id of three) t.is(cluster.held(`${id}.1`, 'a')?.requests, 0)
  for (let i = 0; i < 200; i++) {
    cluster.write(`d${i}`, 'n1.1', 'a', '1', { timeoutMs: 200 })
    cluster.advance(100)
    t.true((cluster.held('n2.1', 'a')?.requests ?? 0) < 10)
  }
})

test('a request past its deadline is refused by the head, and was not begun', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'a', '1', { timeoutMs: 10 })
  cluster.sleep(20)
  cluster.run()
  t.like(cluster.answer('c1'), { kind: 'error', code: 'TIMEOUT', definite: true })
  t.is(cluster.held('n1.1', 'a'), undefined)
})

test('what a chain does not have is refused clearly', (t) => {
  const cluster = founded()
  cluster.put('c1', 'n1.1', 'a', '1')
  cluster.send('cli', 'n1.1', { kind: 'repair.start', id: 7 })
  cluster.run()
  t.like(cluster.answer('c1'), { kind: 'error', code: 'UNSUPPORTED', definite: true })
  t.like(cluster.answer('cli'), { kind: 'error', id: 7, code: 'UNSUPPORTED' })
})

test('a full disk of the head refuses writes, gets go on', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'a', '1')
  cluster.run()
  cluster.fullDisks.add('n1')
  cluster.write('c2', 'n1.1', 'a', '2')
  cluster.run()
  t.like(cluster.answer('c2'), { kind: 'error', code: 'DISK_FULL', definite: true })
  t.is(cluster.read('n2.1', 'a'), '1')
})

test('a stamp that looks like what stands for forgotten requests is refused', (t) => {
  const cluster = new ChainCluster('n1')
  cluster.publish(chained({ epoch: 1, members: ['n1'], placed: ['n1'] }))
  for (const writer of ['', 'c1+', 'c'.repeat(17)]) {
    const stamp = { boot: 1, micros: cluster.hostMicros, writer }
    cluster.write(`client ${writer}`, 'n1.1', 'a', '1', { stamp })
    cluster.run()
    t.like(cluster.answer(`client ${writer}`), { code: 'INVALID_ARGUMENT', definite: true })
  }
  t.is(cluster.read('n1.1', 'a'), null)
})

test('the end of the chain tells who has what it answers, each member its own part', (t) => {
  const cluster = new ChainCluster()
  const lines: object[] = []
  const note = (fields: object, message: string) => {
    if ('operation' in fields) lines.push({ message, ...fields })
  }
  cluster.log = { debug() {}, error() {}, info: note, warn: note }
  cluster.logOperations = true
  for (const id of three) cluster.add(id)
  cluster.publish(chained({ epoch: 7, members: three }))
  cluster.write('c1', 'n1.1', 'a', '1')
  cluster.run()
  cluster.ok('c1')
  const common = { operation: 'put', key: 'a', message: 'put succeeded' }
  const quorum = { epoch: 7, n: 3, acknowledged: [...three] }
  const replica = { part: 'replicated', ...common }
  t.deepEqual(lines, [replica, replica, replica, { part: 'coordinated', ...common, ...quorum }])
})
