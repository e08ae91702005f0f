import test from 'ava'
import { nodeClientIdBlock } from '../shared/runtime/limits.js'
import type { FakeNode } from './node.fixture.js'
import { servingWorld } from './world.fixture.js'

test('status shows dead and silent nodes without waiting for them', (t) => {
  const { world, nodes } = servingWorld(3)
  const [dead, silent] = nodes as [FakeNode, FakeNode]
  dead.die()
  silent.stuck = true
  world.run(5)
  const began = world.now
  const { nodes: reports } = world.status
  t.true(world.now - began < 1_000)
  t.like(reports[0], { id: 'n1', state: 'down', keys: null })
  t.like(reports[1], { id: 'n2', state: 'active', keys: null, socket: '/run/n2.1.sock' })
  t.like(reports[2], { id: 'n3', state: 'active', keys: 10, bytes: 100, vnodes: 3 })
  const total = reports.reduce((sum, node) => sum + node.ownership, 0)
  t.true(Math.abs(total - 1) < 1e-9)
})

test('node add: an id is set aside, the supervisor starts it, the ticket follows it', (t) => {
  const { world, nodes } = servingWorld(3)
  const refused = world.ask({
    kind: 'change.submit',
    force: false,
    acceptLoss: false,
    id: 1,
    change: 'add',
    node: '',
  })
  t.like(refused, { kind: 'error', code: 'CHANGE_REFUSED' })
  world.registerSupervisor(0)
  world.run(5)
  const added = world.call('change.submit.ok', {
    kind: 'change.submit',
    force: false,
    acceptLoss: false,
    change: 'add',
    node: '',
  })
  t.is(added.node, 'n4')
  t.is(world.report(added.ticket).state, 'waiting')
  world.until(() => world.report(added.ticket).state === 'done', 'done')
  t.is(world.ring?.members.length, nodes.length + 1)
})

test('a supervisor that registers starts no node whose id is not durable yet', (t) => {
  const { world } = servingWorld(3)
  world.registerSupervisor(0)
  world.run(5)
  const add = { kind: 'change.submit', force: false, acceptLoss: false, change: 'add' } as const
  world.manager?.received('cli', { ...add, id: 7, node: '' })
  t.is(world.manager?.state.tickets.at(-1)?.fresh, 'n4')
  world.manager?.received('supervisor', { kind: 'supervisor.register', id: 8, nodes: 0 })
  world.killManager()
  world.run(50)
  t.false(world.inbox.some(({ message }) => message.kind === 'node.spawn'))
})

test('node replace: the fresh node takes the place of the old one', (t) => {
  const { world, nodes } = servingWorld(3)
  world.registerSupervisor(0)
  world.run(5)
  const tokens = [...(world.ring?.placement.tokens ?? [])]
  const submit = {
    kind: 'change.submit',
    force: false,
    acceptLoss: false,
    change: 'replace',
    node: 'n2',
  } as const
  const { ticket, node } = world.call('change.submit.ok', submit)
  t.like(world.ask({ ...submit, id: 5 }), { kind: 'error', code: 'CHANGE_REFUSED' })
  world.until(() => world.ring?.change !== undefined, 'copying')
  const copying = world.report(ticket)
  t.is(copying.state, 'copying')
  t.deepEqual(copying.progress, { rangesDone: 1, rangesTotal: 2, keys: 3, bytes: 4 })
  world.until(() => world.report(ticket).state === 'done', 'done')
  t.deepEqual(world.ring?.placement.tokens, tokens)
  t.deepEqual([...new Set(world.ring?.placement.nodes)].sort(), ['n1', 'n3', node].sort())
  world.run(10)
  t.false(nodes[1]?.isAlive)
})

test('node remove: of a living node, of a dead one, and of one that is not there', (t) => {
  const { world, nodes } = servingWorld(5)
  const [first, second, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  const remove = (node: string) =>
    ({ kind: 'change.submit', force: false, acceptLoss: false, change: 'remove', node }) as const
  const { ticket } = world.call('change.submit.ok', remove('n1'))
  t.is(world.call('change.submit.ok', remove('n1')).ticket, ticket)
  world.until(() => world.report(ticket).state === 'done', 'done')
  world.run(10)
  t.false(first.isAlive)
  second.die()
  world.run(5)
  const dead = world.call('change.submit.ok', remove('n2'))
  world.until(() => world.report(dead.ticket).state === 'done', 'done')
  world.untilSettled(rest)
  t.like(world.ask({ ...remove('n9'), id: 7 }), { kind: 'error', code: 'NOT_FOUND' })
  t.like(world.ask({ ...remove('n1'), id: 8 }), { kind: 'error', code: 'NOT_FOUND' })
})

test('too few copies alive: a removal is refused and says what to do', (t) => {
  const { world, nodes } = servingWorld(4)
  nodes[0]?.die()
  nodes[1]?.die()
  world.run(5)
  const submit = {
    kind: 'change.submit',
    force: false,
    acceptLoss: false,
    id: 5,
    change: 'remove',
    node: 'n1',
  } as const
  const reply = world.ask(submit)
  t.like(reply, { kind: 'error', code: 'CHANGE_REFUSED' })
  t.regex(reply.kind === 'error' ? reply.message : '', /start it again/)
})

test('a leave that a dead gainer holds up says so, and goes on when it is back', (t) => {
  const { world, nodes } = servingWorld(4)
  const [leaver, dead, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  dead.die()
  world.run(5)
  leaver.leave()
  world.run(50)
  const [change] = world.status.changes
  t.like(change, { change: 'remove', node: 'n1', state: 'queued' })
  t.regex(change?.reason ?? '', /n2 is down/)
  world.untilSettled([dead.restart(), ...rest])
})

test('the supervisor is told which nodes to start, and which are still awaited', (t) => {
  const { world } = servingWorld(3)
  world.registerSupervisor(0)
  world.run(5)
  const added = world.call('change.submit.ok', {
    kind: 'change.submit',
    force: false,
    acceptLoss: false,
    change: 'add',
    node: '',
  })
  for (const node of [...world.nodes.values()]) node.die()
  world.killManager()
  world.inbox.length = 0
  world.startManager()
  world.run(5)
  const [registered, spawn] = world.inbox.filter((it) => it.to === 'supervisor')
  t.like(registered?.message, { kind: 'supervisor.register.ok', nodes: ['n1', 'n2', 'n3'] })
  t.deepEqual(spawn?.message, { kind: 'node.spawn', node: added.node })
})

test('a change waits for a joiner that crashed, and ends with one that is not started again', (t) => {
  const { world } = servingWorld(3)
  world.registerSupervisor(0)
  world.run(5)
  const add = {
    kind: 'change.submit',
    force: false,
    acceptLoss: false,
    change: 'add',
    node: '',
  } as const
  const { node, ticket } = world.call('change.submit.ok', add)
  world.run(5)
  world.toManager('supervisor', { kind: 'node.ended', node: 'n1' })
  world.run(5)
  t.not(world.report(ticket).state, 'aborted', 'that was another node')
  const other = world.call('change.submit.ok', add)
  for (const it of [...world.nodes.values()]) if (it.id === other.node) it.die()
  world.toManager('supervisor', { kind: 'node.ended', node: other.node })
  world.until(() => world.report(other.ticket).state !== 'waiting', 'an end')
  t.like(world.report(other.ticket), { state: 'aborted', reason: `${other.node} ended for good` })
  t.truthy(node)
})

test('stop: every node is told, the manager goes last, and refuses what begins something', (t) => {
  const { world, nodes } = servingWorld(3)
  world.registerSupervisor(0)
  world.run(5)
  const added = world.call('change.submit.ok', {
    kind: 'change.submit',
    force: false,
    acceptLoss: false,
    change: 'add',
    node: '',
  })
  world.call('swarm.stop.ok', { kind: 'swarm.stop' })
  t.like(world.ask({ kind: 'node.enroll', id: 9, node: '' }, 'late'), { code: 'STOPPING' })
  world.until(() => world.stopped.length > 0, 'the end')
  t.true(nodes.every((node) => !node.isAlive))
  t.deepEqual(world.stopped, [undefined])
  world.killManager()
  world.supervised = undefined
  world.startManager()
  t.like(world.report(added.ticket), { state: 'aborted', reason: 'the swarm was stopped' })
})

test('stop does not wait for ever for a node that does not go', (t) => {
  const { world, nodes } = servingWorld(3)
  world.alive.add(999)
  const [node] = nodes as [FakeNode]
  node.die()
  world.alive.add(node.pid)
  world.manager?.stop()
  world.run(5_000)
  t.is(world.stopped.length, 1)
})

const submit = { kind: 'change.submit', change: 'remove', force: false, acceptLoss: false } as const

test('remove --force: a living node is killed, and what it held comes from the others', (t) => {
  const { world, nodes } = servingWorld(4)
  const [first, ...rest] = nodes as [FakeNode, ...FakeNode[]]
  first.pause()
  const asked = { ...submit, node: 'n1', force: true }
  const { ticket } = world.call('change.submit.ok', asked)
  world.run(5)
  t.false(first.isAlive)
  const transfers = world.ring?.change?.transfers ?? []
  t.true(transfers.length > 0)
  t.true(transfers.every(({ sources, needed }) => !sources.includes('n1') && needed >= 1))
  world.untilSettled(rest)
  t.is(world.report(ticket).state, 'done')
  const back = world.startNode('n1', first.store)
  world.until(() => back.refused !== undefined, 'a refusal')
  t.is(back.refused?.code, 'CHANGE_REFUSED', 'it is not to join as a new one')
  t.like(world.ask({ ...submit, node: 'n2', acceptLoss: true, id: 3 }), {
    code: 'INVALID_ARGUMENT',
  })
})

test('nothing acknowledged is given up without --accept-loss, and with it only what was asked', (t) => {
  const { world, nodes } = servingWorld(6)
  for (const node of nodes.slice(0, 2)) node.die()
  world.run(5)
  const forced = { ...submit, node: 'n1', force: true }
  const refused = world.ask({ ...forced, id: 1 })
  t.like(refused, { kind: 'error', code: 'CHANGE_REFUSED' })
  t.regex(refused.kind === 'error' ? refused.message : '', /remove n1 --force --accept-loss/)
  const { ticket } = world.call('change.submit.ok', { ...forced, acceptLoss: true })
  world.run(2_000)
  const waits = world.report(ticket)
  t.is(waits.state, 'queued', 'n2 may hold what n1 held')
  t.regex(waits.reason, /2 of the nodes that hold a range must be up/)
  const notices = world.status.notices.join()
  t.regex(notices, /^n1 cannot be taken out: .*\(down: n2; given up: n1\)\. Start them again with/)
  t.regex(notices, /remove n2 --force --accept-loss/)
  t.notRegex(notices, /remove n1 --force/, 'that was said already')
  const second = world.call('change.submit.ok', { ...forced, node: 'n2', acceptLoss: true })
  world.untilSettled(nodes.slice(2))
  t.is(world.report(ticket).state, 'done')
  t.is(world.report(second.ticket).state, 'done')
})

test('by force, but not at the price of what was acknowledged: too few owners later wait too', (t) => {
  const { world, nodes } = servingWorld(4)
  for (const node of nodes.slice(1)) node.stuck = true
  const { ticket } = world.call('change.submit.ok', { ...submit, node: 'n1', force: true })
  world.until(() => world.ring?.change !== undefined, 'copying')
  nodes[1]?.die()
  for (const node of nodes.slice(1)) node.stuck = false
  world.run(50_000)
  t.is(world.report(ticket).state, 'queued')
  t.true(world.ring?.placement.nodes.includes('n1'))
  t.regex(world.status.notices.join(), /remove n1 --force --accept-loss/)
})

test('who is taken out by force is no source, even if it is started again', (t) => {
  const { world, nodes } = servingWorld(6, { writeQuorum: 3, evictAfterMs: 600_000 })
  const [first, second] = nodes as [FakeNode, FakeNode]
  second.die()
  world.run(5)
  const { ticket } = world.call('change.submit.ok', { ...submit, node: 'n1', force: true })
  world.run(5)
  t.regex(world.report(ticket).reason, /n2 is down/)
  world.startNode('n1', first.store)
  world.run(2_000)
  world.startNode('n2', second.store)
  world.until(() => world.ring?.change !== undefined, 'copying')
  const transfers = world.ring?.change?.transfers ?? []
  t.true(transfers.length > 0)
  t.true(transfers.every(({ sources }) => !sources.includes('n1')))
  world.until(() => world.report(ticket).state === 'done', 'done')
})

test('a removal that waits can be sharpened; the same ticket goes on', (t) => {
  const { world, nodes } = servingWorld(4)
  const [first, ...rest] = nodes as [FakeNode, ...FakeNode[]]
  for (const node of rest) node.stuck = true
  const { ticket } = world.call('change.submit.ok', { ...submit, node: 'n1' })
  world.until(() => world.ring?.change !== undefined, 'copying')
  const sharper = world.call('change.submit.ok', { ...submit, node: 'n1', force: true })
  t.is(sharper.ticket, ticket)
  world.run(20)
  t.false(first.isAlive)
  for (const node of rest) node.stuck = false
  world.killManager()
  world.startManager()
  world.untilSettled(rest)
  t.is(world.report(ticket).state, 'done')
  t.true(world.manager?.state.tickets.every((it) => it.force && !it.acceptLoss))
})

test('replace --force: the fresh node takes the place of a stopped one', (t) => {
  const { world, nodes } = servingWorld(3)
  world.registerSupervisor(0)
  world.run(5)
  nodes[1]?.pause()
  const asked = { ...submit, change: 'replace', node: 'n2', force: true } as const
  const { ticket } = world.call('change.submit.ok', asked)
  world.until(() => world.report(ticket).state === 'done', 'done')
  t.false(nodes[1]?.isAlive)
  t.deepEqual([...new Set(world.ring?.placement.nodes)].sort(), ['n1', 'n3', 'n4'])
})

test('nodes get blocks of client ids that nobody else gives out, also after a crash', (t) => {
  const { world } = servingWorld(3)
  const register = { kind: 'client.register', client: 0 } as const
  const seen = new Set<number>()
  const add = (from: number, upTo: number) => {
    for (let id = from; id <= upTo; id++) {
      t.false(seen.has(id), `${id} was given out twice`)
      seen.add(id)
    }
  }
  for (let i = 0; i < 3; i++) {
    const { client } = world.call('client.register.ok', register)
    add(client, client)
    const { from, upTo } = world.call('clients.grant.ok', { kind: 'clients.grant' })
    t.is(upTo - from + 1, nodeClientIdBlock)
    add(from, upTo)
    world.killManager()
    world.startManager()
  }
})
