import test from 'ava'
import { clientIdBlock } from '../shared/runtime/limits.js'
import type { FakeNode } from './node.fixture.js'
import { servingWorld, World } from './world.fixture.js'

const plans = (world: World) => world.manager?.state.plans

test('nodes that start together found the ring together', (t) => {
  const { world, nodes } = servingWorld(3)
  t.is(world.ring?.epoch, 1)
  t.deepEqual(
    nodes.map((node) => node.id),
    ['n1', 'n2', 'n3'],
  )
  t.is(world.status.state, 'serving')
})

test('the first ring waits for the nodes that the supervisor announced, but not for ever', (t) => {
  const world = new World()
  world.startManager()
  world.registerSupervisor(3)
  const early = world.startNodes(2)
  world.run(400)
  t.is(world.ring, undefined)
  early.push(world.startNode())
  world.run(20)
  t.is(world.ring?.members.length, 3)
  const slow = new World()
  slow.startManager()
  slow.registerSupervisor(3)
  slow.startNodes(2)
  slow.run(1_000)
  t.is(slow.ring?.members.length, 2)
  t.is(slow.status.state, 'forming')
  slow.startNode()
  slow.until(() => slow.status.state === 'serving', 'serving')
})

test('joins of one moment are one change', (t) => {
  const { world, nodes } = servingWorld(3)
  nodes.push(...world.startNodes(4))
  world.until(() => nodes.every((node) => node.id !== ''), 'ids')
  world.untilSettled(nodes)
  t.is(plans(world), 1)
  t.is(world.ring?.epoch, 3)
})

test('a leaver gets the ring without it, and its id is never used again', (t) => {
  const { world, nodes } = servingWorld(4)
  const [leaver, ...rest] = nodes as [FakeNode, ...FakeNode[]]
  leaver.leave()
  world.untilSettled(rest)
  world.run(10)
  t.false(leaver.isAlive)
  const returned = world.startNode('n1', leaver.store)
  world.until(() => returned.refused !== undefined, 'a refusal')
  t.is(returned.refused?.code, 'NOT_FOUND')
  const fresh = world.startNode()
  world.until(() => fresh.id !== '', 'an id')
  t.is(fresh.id, 'n5')
})

test('a swarm below N members is forming, also while it copies', (t) => {
  const { world, nodes } = servingWorld(3)
  const [leaver, ...rest] = nodes as [FakeNode, ...FakeNode[]]
  leaver.leave()
  world.untilSettled(rest)
  t.is(world.status.state, 'forming')
  const fresh = world.startNode()
  fresh.stuck = true
  world.until(() => world.ring?.change !== undefined, 'copying')
  t.is(world.status.state, 'forming')
})

test('five joins and three leaves asked at once all complete', (t) => {
  const { world, nodes } = servingWorld(4)
  const joiners = world.startNodes(5)
  for (const node of nodes.slice(0, 3)) node.leave()
  world.until(() => joiners.every((node) => node.id !== ''), 'ids')
  world.untilSettled([...nodes.slice(3), ...joiners])
  t.is(plans(world), 4)
  t.deepEqual(world.status.changes, [])
})

test('all nodes leave: the last one keeps its data and stops, and comes back with it', (t) => {
  const { world, nodes } = servingWorld(3)
  for (const node of nodes) node.leave()
  world.until(() => world.alive.size === 0, 'the end of all nodes')
  const last = nodes.find((node) => node.id === world.ring?.members[0]?.id) as FakeNode
  t.is(world.ring?.members.length, 1)
  const again = last.restart()
  world.untilSettled([again])
  t.is(again.id, last.id)
  t.is(again.incarnation, 2)
})

test('a gainer that dies aborts the change; another joiner of the batch is planned again', (t) => {
  const { world, nodes } = servingWorld(3)
  const [good, bad] = world.startNodes(2) as [FakeNode, FakeNode]
  bad.stuck = true
  world.until(() => world.ring?.change !== undefined, 'copying')
  bad.die()
  world.untilSettled([...nodes, good])
  t.is(plans(world), 2)
  const back = bad.restart()
  world.untilSettled([...nodes, good, back])
  t.is(back.id, bad.id)
})

test('an intent to leave dies with its process', (t) => {
  const { world, nodes } = servingWorld(4)
  const [leaver, ...rest] = nodes as [FakeNode, ...FakeNode[]]
  for (const node of rest) node.stuck = true
  leaver.leave()
  world.until(() => world.ring?.change !== undefined, 'copying')
  leaver.die()
  world.until(() => world.ring?.change === undefined, 'an abort')
  t.true(world.ring?.placement.nodes.includes('n1'))
  for (const node of rest) node.stuck = false
  world.untilSettled([leaver.restart(), ...rest])
  t.is(plans(world), 1)
})

test('a leaver that is started again before its death was noticed stays', (t) => {
  const { world, nodes } = servingWorld(4)
  const [leaver, ...rest] = nodes as [FakeNode, ...FakeNode[]]
  for (const node of rest) node.stuck = true
  leaver.leave()
  world.until(() => world.ring?.change !== undefined, 'copying')
  world.alive.delete(leaver.pid)
  const back = world.startNode(leaver.id, leaver.store)
  world.untilSettled([back, ...rest])
  t.is(plans(world), 1)
  t.is(back.incarnation, 2)
})

test('a joiner told to leave while data is copied to it goes', (t) => {
  const { world, nodes } = servingWorld(3)
  const joiner = world.startNode()
  joiner.stuck = true
  world.until(() => world.ring?.change !== undefined, 'copying')
  joiner.leave()
  world.untilSettled(nodes)
  world.run(10)
  t.false(joiner.isAlive)
})

test('members that come back with their stores are published in one ring', (t) => {
  const { world, nodes } = servingWorld(3)
  const epoch = world.ring?.epoch ?? 0
  const back = nodes.map((node) => node.restart())
  world.untilSettled(back)
  t.is(world.ring?.epoch, epoch + 1)
  t.true(world.ring?.members.every((member) => member.incarnation === 2))
})

test('a member whose store did not survive is evicted and joins as a new node', (t) => {
  const { world, nodes } = servingWorld(4)
  const [victim, ...rest] = nodes as [FakeNode, ...FakeNode[]]
  victim.die()
  const empty = world.startNode(victim.id, 'another store')
  world.until(() => empty.refused !== undefined, 'a refusal')
  t.is(empty.refused?.code, 'NOT_FOUND')
  empty.die()
  const fresh = world.startNode('', 'another store')
  world.until(() => fresh.id !== '', 'an id')
  world.untilSettled([...rest, fresh])
  t.is(fresh.id, 'n5')
})

test('an earlier life of a node is refused', (t) => {
  const { world, nodes } = servingWorld(3)
  const [old] = nodes as [FakeNode]
  const member = old.member
  const back = old.restart()
  world.until(() => back.ring?.members.some((it) => it.incarnation === 2) === true, 'its ring')
  const { store, swarm } = old
  const join = { kind: 'node.join', id: 9, swarm, member, store, epoch: 1, boot: 1 } as const
  const reply = world.ask(join, 'n1.1')
  t.like(reply, { kind: 'error', code: 'CHANGE_REFUSED' })
})

test('a node of another swarm, or of a journal we lost, is refused and keeps its store', (t) => {
  const { world, nodes } = servingWorld(3)
  const [node] = nodes as [FakeNode]
  const { member, store, swarm } = node
  const join = { kind: 'node.join', id: 9, swarm, member, store, epoch: 1, boot: 1 } as const
  const foreign = { ...member, incarnation: 9 }
  const reply = world.ask({ ...join, swarm: 'other', member: foreign }, 'n1.9')
  t.like(reply, { code: 'CHANGE_REFUSED' })
  const later = { ...member, incarnation: 4 }
  t.like(world.ask({ ...join, member: later }, 'n1.4'), { code: 'CHANGE_REFUSED' })
  const unheard = { ...member, id: 'n77' }
  t.like(world.ask({ ...join, member: unheard }, 'n77.1'), { code: 'CHANGE_REFUSED' })
})

test('a higher epoch and boot than ours are taken over', (t) => {
  const { world, nodes } = servingWorld(3)
  const [node] = nodes as [FakeNode]
  const { member, store, swarm } = node
  const join = { kind: 'node.join', id: 9, swarm, member, store, epoch: 40, boot: 7 } as const
  world.toManager('n1.1', join)
  world.until(() => world.ring?.epoch === 41, 'a ring above')
  t.is(world.ring?.boot, 8)
  t.deepEqual([...world.files.keys()], [41], 'whoever held an older epoch sees that it passed')
})

test('a run directory with rings of another swarm is taken over', (t) => {
  const other = servingWorld(3)
  const world = new World()
  for (const ring of other.world.files.values()) {
    world.files.set(ring.epoch + 4, { ...ring, epoch: ring.epoch + 4, swarm: 'other' })
  }
  world.startManager()
  const nodes = world.startNodes(3)
  world.until(() => world.ring?.swarm === 'swarm-1', 'our ring')
  world.untilSettled(nodes)
  t.is(world.files.size, 1)
})

test('the boot rises with the host, and is published', (t) => {
  const { world, nodes } = servingWorld(3)
  world.killManager()
  for (const node of nodes) node.die()
  world.bootId = 'boot-2'
  world.startManager()
  const back = nodes.map((node) => world.startNode(node.id, node.store))
  world.untilSettled(back)
  t.is(world.ring?.boot, 2)
  const client = world.call('client.register.ok', { kind: 'client.register', client: 0 })
  t.is(client.boot, 2)
})

test('in memory, a swarm that lost every process is founded anew with new ids', (t) => {
  const { world, nodes } = servingWorld(3, { durability: 'memory' })
  const epoch = world.ring?.epoch ?? 0
  world.killManager()
  for (const node of nodes) node.die()
  world.startManager()
  world.registerSupervisor(3)
  world.run(50)
  const registered = world.inbox.findLast((it) => it.to === 'supervisor')?.message
  t.like(registered, { kind: 'supervisor.register.ok', nodes: [] })
  const fresh = world.startNodes(3)
  world.until(() => fresh.every((node) => node.id !== ''), 'ids')
  world.untilSettled(fresh)
  t.deepEqual(
    fresh.map((node) => node.id),
    ['n4', 'n5', 'n6'],
  )
  t.true((world.ring?.epoch ?? 0) > epoch)
})

test('in memory, a restarted manager finds its nodes again', (t) => {
  const { world, nodes } = servingWorld(3, { durability: 'memory' })
  world.killManager()
  world.startManager()
  world.run(1_000)
  world.untilSettled(nodes)
  t.is(world.ring?.epoch, 1)
})

test('client ids are never given out twice, also by the next manager', (t) => {
  const { world } = servingWorld(3)
  const seen = new Set<number>()
  for (let i = 0; i < clientIdBlock + 5; i++) {
    seen.add(world.call('client.register.ok', { kind: 'client.register', client: 0 }).client)
  }
  t.is(seen.size, clientIdBlock + 5)
  world.killManager()
  world.startManager()
  const { client } = world.call('client.register.ok', { kind: 'client.register', client: 0 })
  t.false(seen.has(client))
  const again = world.call('client.register.ok', { kind: 'client.register', client })
  t.is(again.client, client)
})

test('forwarders are given out in turn, active members only', (t) => {
  const { world, nodes } = servingWorld(4)
  const [dead, leaver, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  dead.die()
  for (const node of rest) node.stuck = true
  leaver.leave()
  world.run(10)
  const next = () => world.call('client.register.ok', { kind: 'client.register', client: 0 }).nodes
  t.deepEqual(next(), ['n3.1', 'n4.1'])
  t.deepEqual(next(), ['n4.1', 'n3.1'])
  const empty = new World()
  empty.startManager()
  const reply = empty.call('client.register.ok', { kind: 'client.register', client: 0 })
  t.deepEqual(reply.nodes, [])
})

test('a journal that fails: nothing more takes effect, and the manager ends', (t) => {
  const { world } = servingWorld(3)
  const epoch = world.ring?.epoch
  world.diskFails = true
  const joiner = world.startNode()
  world.run(1_000)
  t.is(joiner.id, '')
  t.is(world.ring?.epoch, epoch)
  t.is((world.stopped[0] as { code?: string }).code, 'STORAGE_FAILED')
})

test('messages that nobody sends to a manager are refused, replies are dropped', (t) => {
  const { world } = servingWorld(3)
  const get = { kind: 'node.dump', keysOnly: false, id: 4, cursor: null, limitBytes: 1 } as const
  t.like(world.ask(get), { kind: 'error', code: 'INVALID_ARGUMENT' })
  const before = world.inbox.length
  world.toManager('cli', { kind: 'put.ok', id: 77 })
  world.toManager('cli', { kind: 'handoff.complete', plan: 5, node: 'n1' })
  world.run(5)
  t.is(world.inbox.length, before)
  const bad = { kind: 'node.enroll', id: 5, node: '../etc' } as const
  t.like(world.ask(bad), { kind: 'error', code: 'INVALID_ARGUMENT' })
})
