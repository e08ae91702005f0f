import test from 'ava'
import type { Message, MessageOf, StatusReport } from '../../shared/protocol/messages.js'
import {
  gossipPeriodMs,
  managerRepeatMs,
  nodeClientIdBlock,
  suspicionMs,
} from '../../shared/runtime/limits.js'
import { Cluster, evenRing } from '../cluster.fixture.js'

const nodes = ['n1', 'n2', 'n3', 'n4']

/** Four nodes under one ring; their first blocks of client ids are asked for and not yet granted. */
function cluster(): Cluster {
  const table = new Cluster()
  for (const id of nodes) table.add(id)
  table.publish(evenRing(1, nodes))
  return table
}

function grantRequests(table: Cluster): Message[] {
  return (table.inbox.get('manager') ?? []).filter(({ kind }) => kind === 'clients.grant')
}

function grant(table: Cluster, to: string, from: number, upTo: number): void {
  table.send('manager', to, { kind: 'clients.grant.ok', id: 3, from, upTo })
  table.run()
}

function register(table: Cluster, to: string, name: string, client = 0): Message | undefined {
  table.send(name, to, { kind: 'client.register', id: 0, client })
  table.run()
  return table.answer(name)
}

function idOf(answer: Message | undefined): number {
  if (answer?.kind !== 'client.register.ok') throw new Error(`no id, but ${JSON.stringify(answer)}`)
  return answer.client
}

function statusOf(table: Cluster, to: string): StatusReport {
  table.send('cli', to, { kind: 'swarm.status', id: 1 })
  table.advance(1_000)
  return (table.answer('cli') as MessageOf<'swarm.status.ok'>).status
}

test('each node asks for a block of ids, again until it is granted', (t) => {
  const table = cluster()
  t.is(grantRequests(table).length, nodes.length)
  grant(table, 'n1.1', 1_001, 2_000)
  table.advance(managerRepeatMs)
  t.is(grantRequests(table).length, 2 * nodes.length - 1)
})

test('a node registers clients from its block, all of it, and asks for more at its half', (t) => {
  const table = cluster()
  const first = 5_001
  grant(table, 'n1.1', first, first + nodeClientIdBlock - 1)
  const before = grantRequests(table).length
  for (let i = 0; i < nodeClientIdBlock; i++) {
    t.is(idOf(register(table, 'n1.1', 'c-1')), first + i)
    const isLow = i + 1 >= nodeClientIdBlock / 2
    t.is(grantRequests(table).length, before + (isLow ? 1 : 0), `after ${i + 1}`)
  }
  const refused = register(table, 'n1.1', 'c-1')
  t.like(refused, { kind: 'error', code: 'OVERLOADED', definite: true })
  grant(table, 'n1.1', 9_001, 10_000)
  t.is(idOf(register(table, 'n1.1', 'c-1')), 9_001)
})

test('what the manager answers twice is taken once', (t) => {
  const table = cluster()
  grant(table, 'n1.1', 1, 1_000)
  grant(table, 'n1.1', 1_001, 2_000)
  for (let id = 1; id <= 500; id++) t.is(idOf(register(table, 'n1.1', 'c-1')), id)
  grant(table, 'n1.1', 2_001, 3_000)
  for (let id = 501; id <= 1_000; id++) t.is(idOf(register(table, 'n1.1', 'c-1')), id)
  t.is(idOf(register(table, 'n1.1', 'c-1')), 2_001)
})

test('ids come from the manager alone', (t) => {
  const table = cluster()
  table.send('c-9', 'n1.1', { kind: 'clients.grant.ok', id: 3, from: 1, upTo: 1_000 })
  t.like(register(table, 'n1.1', 'c-1'), { kind: 'error' })
})

test('a client that has an id keeps it, without any block', (t) => {
  const table = cluster()
  t.like(register(table, 'n1.1', 'c-1', 77), { client: 77, boot: 1, valueBytesMax: 1024 })
})

test('clients get the nodes that can be reached, in turn', (t) => {
  const table = cluster()
  table.kill('n3.1')
  const forwarders = ['c-1', 'c-2', 'c-3', 'c-4'].map((name) => {
    const answer = register(table, 'n1.1', name, 1)
    return (answer as MessageOf<'client.register.ok'>).nodes
  })
  t.deepEqual(forwarders[0], ['n1.1', 'n2.1', 'n4.1'])
  t.deepEqual(
    forwarders.map(([first]) => first),
    ['n1.1', 'n2.1', 'n4.1', 'n1.1'],
  )
})

test('a node that is leaving is given to no client', (t) => {
  const table = cluster()
  const now = evenRing(2, nodes)
  const next = evenRing(3, ['n1', 'n2', 'n4']).placement
  table.publish({ ...now, change: { plan: 1, next, transfers: [] } })
  const answer = register(table, 'n1.1', 'c-1', 1)
  t.deepEqual((answer as MessageOf<'client.register.ok'>).nodes, ['n1.1', 'n2.1', 'n4.1'])
})

test('before its first ring a node says that it cannot help', (t) => {
  const table = new Cluster()
  table.add('n1')
  t.like(register(table, 'n1.1', 'c-1'), { kind: 'error', code: 'FORMING' })
  t.deepEqual(grantRequests(table), [])
})

test('status: the ring, what each member says, and a notice that the manager is down', (t) => {
  const table = cluster()
  table.put('c-1', 'n1.1', 'key', 'value')
  table.run()
  const status = statusOf(table, 'n2.1')
  t.like(status, { swarm: 'test', state: 'serving', epoch: 1, replicas: 3, manager: null })
  t.deepEqual(
    status.nodes.map(({ id, state, reason, ownership }) => ({ id, state, reason, ownership })),
    nodes.map((id) => ({ id, state: 'active' as const, reason: '', ownership: 0.25 })),
  )
  t.is(
    status.nodes.reduce((total, { keys }) => total + (keys ?? 0), 0),
    3,
  )
  t.is(status.nodes[0]?.socket, '/run/test/n1.1.sock')
  t.deepEqual(status.changes, [])
  t.regex(status.notices.join(), /^the manager is down: n2 answers in its place/)
})

test('status: a change under way', (t) => {
  const table = cluster()
  const now = evenRing(2, nodes)
  const next = evenRing(3, ['n1', 'n2', 'n4']).placement
  table.publish({ ...now, change: { plan: 1, next, transfers: [] } })
  const status = statusOf(table, 'n1.1')
  t.is(status.state, 'changing')
  t.like(status.changes, [{ ticket: 0, change: 'remove', node: 'n3', state: 'copying' }])
})

test('status does not wait for ever for a member that is silent, and two who ask share a round', (t) => {
  const table = cluster()
  table.mute('n3.1')
  table.send('cli-1', 'n1.1', { kind: 'swarm.status', id: 1 })
  table.send('cli-2', 'n1.1', { kind: 'swarm.status', id: 9 })
  table.run()
  t.is(table.answer('cli-1'), undefined)
  table.advance(600)
  t.like(table.answer('cli-1'), { kind: 'swarm.status.ok', id: 1 })
  const answer = table.answer('cli-2') as MessageOf<'swarm.status.ok'>
  t.is(answer.id, 9)
  t.is(answer.status.nodes[2]?.keys, null)
  t.is(table.trace.filter((line) => line === 'n1.1 > n3.1 node.stats').length, 1)
})

test('status: a member whose process is gone has exited', (t) => {
  const table = cluster()
  table.dead.add(4)
  const status = statusOf(table, 'n1.1')
  t.like(status.nodes[3], { id: 'n4', state: 'down', reason: 'exited', keys: null })
})

test('status: a silent member is down once the failure detector says so', (t) => {
  const table = cluster()
  table.mute('n3.1')
  t.like(statusOf(table, 'n1.1').nodes[2], { id: 'n3', state: 'active', reason: '', keys: null })
  table.advance(10 * gossipPeriodMs + suspicionMs)
  t.like(statusOf(table, 'n1.1').nodes[2], { id: 'n3', state: 'down', reason: 'not answering' })
})
