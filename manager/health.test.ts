/** Who is down, who is evicted for it, and who is not. */
import test, { type ExecutionContext } from 'ava'
import {
  evictAfterMsDefault,
  gossipPeriodMs,
  managerRepeatMs,
  suspicionMs,
} from '../shared/runtime/limits.js'
import type { FakeNode } from './node.fixture.js'
import { servingWorld, type World } from './world.fixture.js'

/** More than a stopped node's suspicion and its grace together. */
const longMs = evictAfterMsDefault + 2 * suspicionMs

const reportOf = (world: World, id: string) => world.status.nodes.find((node) => node.id === id)
const stepsOf = (world: World) => world.steps.length

function nothingHappens(t: ExecutionContext, world: World, ms: number): void {
  const steps = stepsOf(world)
  world.run(ms)
  t.is(stepsOf(world), steps)
  t.deepEqual(world.status.changes, [])
}

test('a process that exits is down within 100 ms, and status says why', (t) => {
  const { world, nodes } = servingWorld(4)
  nodes[1]?.die()
  world.run(90)
  t.like(reportOf(world, 'n2'), { state: 'down', reason: 'exited' })
  t.like(reportOf(world, 'n1'), { state: 'active', reason: '' })
  t.regex(world.status.notices.join(), /n2 is down: in 30 s/)
})

test('a stopped process is down after the suspicion, and up as soon as it answers', (t) => {
  const { world, nodes } = servingWorld(4)
  const [, stopped] = nodes as [FakeNode, FakeNode]
  world.run(1_500)
  stopped.pause()
  world.run(suspicionMs - 1_500)
  t.is(reportOf(world, 'n2')?.reason, '')
  world.run(3_000)
  t.like(reportOf(world, 'n2'), { state: 'down', reason: 'not answering' })
  stopped.resume()
  world.run(5)
  t.like(reportOf(world, 'n2'), { state: 'active', reason: '' })
  nothingHappens(t, world, longMs)
})

test('time in which the manager itself was held up counts for nobody', (t) => {
  const { world } = servingWorld(4)
  world.run(1_500)
  for (let i = 0; i < 5; i++) {
    world.hold(60_000)
    t.true(world.status.nodes.every((node) => node.state === 'active'))
    world.run(100)
  }
  nothingHappens(t, world, longMs)
})

test('a manager that wakes up finds a node that stopped meanwhile as soon as any other time', (t) => {
  const { world, nodes } = servingWorld(4)
  const [, stopped] = nodes as [FakeNode, FakeNode]
  const { pings } = stopped
  world.until(() => stopped.pings > pings, 'a ping, whose answer is under way')
  world.hold(60_000)
  stopped.pause()
  world.run(2 * suspicionMs)
  t.is(reportOf(world, 'n2')?.reason, 'not answering')
})

test('what a manager hears as it wakes up does not make its own sleep count', (t) => {
  const { world, nodes } = servingWorld(6)
  const [dead, silent, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  dead.die()
  world.cuts.add('n2>manager')
  world.run(2 * suspicionMs)
  t.is(reportOf(world, 'n2')?.reason, 'not answering')
  world.cuts.clear()
  const suspects = [{ node: 'n1', incarnation: 1, refutation: 0, health: 'dead' }] as const
  for (const node of rest) {
    const report = { kind: 'health.report', node: node.id, incarnation: 1, suspects } as const
    world.toManager(node.address ?? '', report)
  }
  world.toManager(silent.address ?? '', { kind: 'gossip.ack', id: 1, epoch: 1, rumors: [] })
  world.hold(evictAfterMsDefault)
  world.run(100)
  t.is(world.ring?.change, undefined)
  const back = world.startNode('n1', dead.store)
  world.untilSettled([back, silent, ...rest])
})

test('a node that is dead for long is evicted, and joins as new when it returns', (t) => {
  const { world, nodes } = servingWorld(4)
  const [dead, ...rest] = nodes as [FakeNode, ...FakeNode[]]
  dead.die()
  world.run(evictAfterMsDefault - 1_000)
  t.true(world.ring?.placement.nodes.includes('n1'))
  world.until(() => world.ring?.change !== undefined, 'an eviction')
  const evict = { ticket: 0, change: 'evict', node: 'n1', state: 'copying' } as const
  t.like(world.status.changes[0], evict)
  world.untilSettled(rest)
  const back = world.startNode('n1', dead.store)
  world.until(() => back.refused !== undefined, 'a refusal')
  t.is(back.refused?.code, 'NOT_FOUND')
  const fresh = world.startNode()
  world.until(() => fresh.id !== '', 'an id')
  world.untilSettled([...rest, fresh])
})

test('who asks for its place hears that it is gone only once that is durable', (t) => {
  const { world, nodes } = servingWorld(4)
  nodes[0]?.die()
  const members = () => world.manager?.state.ring?.placement.nodes ?? []
  world.until(() => !members().includes('n1'), 'the end of an eviction')
  t.true(world.ring?.placement.nodes.includes('n1'))
  const ask = () => world.manager?.received('late', { kind: 'node.enroll', id: 1, node: 'n1' })
  const answers = () => world.inbox.filter(({ to }) => to === 'late').length
  ask()
  world.killManager()
  world.run(10)
  t.is(answers(), 0)
  world.startManager()
  world.untilSettled(nodes.slice(1))
  ask()
  world.run(10)
  t.is(answers(), 1)
})

test('a stopped node is killed before it is evicted', (t) => {
  const { world, nodes } = servingWorld(4)
  const [stopped, ...rest] = nodes as [FakeNode, ...FakeNode[]]
  stopped.pause()
  world.until(() => world.ring?.change !== undefined, 'an eviction')
  t.false(stopped.isAlive)
  world.untilSettled(rest)
})

test('one that returns while its eviction copies waits, and goes on if that is given up', (t) => {
  const { world, nodes } = servingWorld(4)
  const [dead, second, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  for (const node of rest) node.stuck = true
  dead.die()
  world.until(() => world.ring?.change !== undefined, 'an eviction')
  const back = world.startNode('n1', dead.store)
  world.until(() => back.refused !== undefined, 'a refusal')
  t.is(back.refused?.code, 'CHANGE_REFUSED')
  t.true(back.isAlive)
  for (const node of rest) node.stuck = false
  second.die()
  world.until(() => world.ring?.members.some(({ pid }) => pid === back.pid) === true, 'its ring')
  t.true(world.ring?.placement.nodes.includes('n1'))
  world.untilSettled([back, second.restart(), ...rest])
})

test('one that is told to leave while its eviction copies leaves once it is back', (t) => {
  const { world, nodes } = servingWorld(5)
  const [dead, second, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  for (const node of nodes) node.stuck = true
  dead.die()
  world.until(() => world.ring?.change !== undefined, 'an eviction')
  const back = world.startNode('n1', dead.store)
  world.until(() => back.refused !== undefined, 'a refusal')
  let isNoted = false
  const received = back.received.bind(back)
  back.received = (message) => {
    isNoted ||= message.kind === 'node.leave.ok'
    received(message)
  }
  const leave = () => {
    if (isNoted) return
    const { id: node, incarnation, address = '' } = back
    world.toManager(address, { kind: 'node.leave', id: 3, node, incarnation })
    world.after(managerRepeatMs, leave)
  }
  leave()
  world.run(2 * managerRepeatMs)
  t.false(isNoted)
  second.die()
  for (const node of nodes) node.stuck = false
  world.until(() => world.ring?.members.some(({ pid }) => pid === back.pid) === true, 'its ring')
  world.untilSettled([second.restart(), ...rest])
  t.true(isNoted)
})

test('one that returns before its eviction begins keeps its place', (t) => {
  const { world, nodes } = servingWorld(4)
  nodes[0]?.die()
  world.run(evictAfterMsDefault - 1_000)
  const back = world.startNode('n1', nodes[0]?.store)
  world.untilSettled([back, ...nodes.slice(1)])
  nothingHappens(t, world, longMs)
})

test('a one-way cut evicts nobody, whichever way it goes', (t) => {
  for (const cut of ['manager>n1', 'n1>manager', 'n2>n1', 'n1>n2']) {
    const { world } = servingWorld(5)
    world.cuts.add(cut)
    world.run(longMs)
    t.deepEqual(world.status.changes, [], cut)
    t.is(new Set(world.ring?.placement.nodes).size, 5, cut)
    const isManagers = cut.includes('manager')
    t.is(reportOf(world, 'n1')?.reason, isManagers ? 'not answering' : '', cut)
    t.is(world.status.notices.length, isManagers ? 1 : 0, cut)
  }
})

test('half of the others is no majority', (t) => {
  const { world } = servingWorld(5)
  for (const cut of ['manager>n1', 'n2>n1', 'n3>n1']) world.cuts.add(cut)
  world.run(longMs)
  t.is(new Set(world.ring?.placement.nodes).size, 5)
  world.cuts.add('n4>n1')
  world.until(() => new Set(world.ring?.placement.nodes).size === 4, 'an eviction')
  t.false(world.ring?.placement.nodes.includes('n1'))
})

test('nobody is evicted below N nodes', (t) => {
  const { world, nodes } = servingWorld(3)
  nodes[0]?.die()
  world.run(longMs)
  t.is(new Set(world.ring?.placement.nodes).size, 3)
  t.regex(world.status.notices.join(), /n1 is down and keeps its ranges/)
  const joined = world.startNode()
  world.until(() => joined.id !== '', 'an id')
  world.untilSettled([...nodes.slice(1), joined])
})

test('at most a third is evicted at once, together, however many are down', (t) => {
  const { world, nodes } = servingWorld(9, { replicas: 5, readQuorum: 3, writeQuorum: 5 })
  for (const node of nodes.slice(0, 3)) node.die()
  const sizes = new Set<number>()
  world.until(() => {
    sizes.add(new Set(world.ring?.change?.next.nodes ?? []).size)
    return new Set(world.ring?.placement.nodes).size < 9
  }, 'an eviction')
  t.deepEqual([...sizes], [0, 6], 'all three in one change')
  world.untilSettled(nodes.slice(3))
  const more = servingWorld(9, { replicas: 5, readQuorum: 3, writeQuorum: 5 })
  for (const node of more.nodes.slice(0, 4)) node.die()
  more.world.run(longMs)
  t.regex(more.world.status.notices.join(), /at most a third/)
  t.is(new Set(more.world.ring?.placement.nodes).size, 9)
})

test('those that cannot go alone go together, once they have been down for long', (t) => {
  const { world, nodes } = servingWorld(5, { readQuorum: 1, writeQuorum: 3 })
  for (const node of nodes.slice(0, 2)) node.die()
  world.run(longMs)
  t.is(new Set(world.ring?.placement.nodes).size, 5)
  t.regex(world.status.changes[0]?.reason ?? '', /n2 is down, and data is to be copied to it/)
  world.untilSettled(nodes.slice(2))
})

/** No ring, settled or planned, ever had fewer members. */
function neverBelow(t: ExecutionContext, world: World, least: number): void {
  const rings = world.steps.flatMap((it) => (it.step === 'ring.published' ? [it.ring] : []))
  const sizes = rings.flatMap(({ placement, change }) =>
    [placement, change?.next ?? placement].map(({ nodes }) => new Set(nodes).size),
  )
  t.true(Math.min(...sizes) >= least, `${sizes}`)
}

const join = (world: World, count: number) => {
  const joined = world.startNodes(count)
  world.until(() => joined.every(({ id }) => id !== ''), 'ids')
  return joined
}

test('two of four are dead for good: whoever comes takes the place of one, and both go', (t) => {
  const { world, nodes } = servingWorld(4, { readQuorum: 1, writeQuorum: 3 })
  for (const node of nodes.slice(0, 2)) node.die()
  nothingHappensToRing(t, world, 3 * longMs)
  const notices = world.status.notices.join('\n')
  t.regex(notices, /n2 is down and keeps its ranges, since fewer than 3 nodes .* or add a node/)
  t.notRegex(notices, /at most a third/)
  world.untilSettled([...nodes.slice(2), ...join(world, 1)])
  neverBelow(t, world, 3)
  t.deepEqual(world.status.notices, [])
})

test('joins, a removal and evictions that wait for one another do not wait for ever', (t) => {
  const { world, nodes } = servingWorld(5, { readQuorum: 1, writeQuorum: 3 })
  for (const node of nodes.slice(0, 2)) node.die()
  const change = { kind: 'change.submit', change: 'remove', node: 'n5' } as const
  const { ticket } = world.call('change.submit.ok', { ...change, force: false, acceptLoss: false })
  const joined = join(world, 3)
  world.run(evictAfterMsDefault - 1_000)
  t.is(world.report(ticket).state, 'queued')
  world.untilSettled([...nodes.slice(2, 4), ...joined])
  neverBelow(t, world, 3)
})

test('a joiner makes room for one, not for two', (t) => {
  const { world, nodes } = servingWorld(3, { readQuorum: 1, writeQuorum: 3 })
  for (const node of nodes.slice(0, 2)) node.die()
  world.run(3 * longMs)
  const joined = join(world, 1)
  world.run(3 * longMs)
  const members = new Set(world.ring?.placement.nodes)
  t.true(members.has('n1') || members.has('n2'))
  t.regex(world.status.notices.join(), /keeps its ranges, since fewer than 3 nodes/)
  world.untilSettled([...nodes.slice(2), ...joined, ...join(world, 1)])
  neverBelow(t, world, 3)
})

test('who is down for less than long stays, also where somebody joins', (t) => {
  const { world, nodes } = servingWorld(4, { readQuorum: 1, writeQuorum: 3 })
  const [first, second, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  first.die()
  world.cuts.add('manager>n1')
  world.run(evictAfterMsDefault - 1_000)
  second.die()
  const joined = join(world, 1)
  world.run(evictAfterMsDefault - 1_000)
  t.true(world.ring?.placement.nodes.includes('n2'))
  world.untilSettled([second.restart(), ...rest, ...joined])
})

test('beyond a third only those go that have been down for long', (t) => {
  const { world, nodes } = servingWorld(5, { readQuorum: 1, writeQuorum: 3 })
  const [first, second, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  first.die()
  world.cuts.add('manager>n1')
  world.run(evictAfterMsDefault - 1_000)
  second.die()
  world.run(evictAfterMsDefault + 15_000)
  t.is(new Set(world.ring?.placement.nodes).size, 5)
  const back = second.restart()
  world.untilSettled([back, ...rest])
})

test('a leave that is asked for while an eviction waits outlives the eviction', (t) => {
  const { world, nodes } = servingWorld(5, { readQuorum: 1, writeQuorum: 3 })
  const [dead, silent, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  for (const by of ['manager', 'n3', 'n4', 'n5']) world.cuts.add(`${by}>n2`)
  world.run(2 * suspicionMs)
  dead.die()
  const isQueued = () =>
    world.status.changes.some(({ change, node }) => change === 'evict' && node === 'n2')
  world.until(isQueued, 'an eviction that waits')
  const { id: node, incarnation, address = '' } = silent
  world.toManager(address, { kind: 'node.leave', id: 3, node, incarnation })
  world.run(10)
  world.cuts.clear()
  world.run(gossipPeriodMs + 10)
  t.is(reportOf(world, 'n2')?.reason, '')
  world.untilSettled([dead.restart(), ...rest])
})

test('too few owners live: the dead are started again, once, and with their data', (t) => {
  const { world, nodes } = servingWorld(6)
  world.registerSupervisor(0)
  world.run(1_000)
  for (const node of nodes.slice(0, 2)) node.die()
  world.inbox.length = 0
  world.startsNothing = true
  world.run(2 * longMs)
  const spawned = world.inbox.filter((it) => it.message.kind === 'node.spawn')
  t.deepEqual(
    spawned.map((it) => it.message),
    ['n1', 'n2'].map((node) => ({ kind: 'node.spawn', node })),
  )
  world.startsNothing = false
  world.manager?.closed('supervisor')
  world.registerSupervisor(0)
  world.until(() => world.alive.size === 6, 'both again')
  world.run(longMs)
  t.is(new Set(world.ring?.placement.nodes).size, 6)
  t.true(world.status.nodes.every((node) => node.state === 'active'))
})

test('two of three owners are started again where nobody can be taken out, too', (t) => {
  const { world, nodes } = servingWorld(3)
  world.registerSupervisor(0)
  const [first, second, ...rest] = nodes as [FakeNode, FakeNode, ...FakeNode[]]
  first.die()
  world.run(10_000)
  t.regex(world.status.notices.join('\n'), /n1 is down and keeps its ranges, since fewer than 3/)
  second.die()
  world.run(10_000)
  const notices = world.status.notices.join('\n')
  t.regex(notices, /n1 is down: in 10 s it is started again, since its data is needed/)
  t.regex(notices, /n2 is down: in 2\d s it is started again/)
  t.notRegex(notices, /keeps its ranges|taken out/)
  t.is(world.alive.size, 1)
  world.run(evictAfterMsDefault - 18_000)
  t.is(world.alive.size, 3, 'both together')
  const ids = [first, second, ...rest].map(({ id }) => id)
  world.until(() => world.isSettled(ids), 'all three')
  t.deepEqual(world.status.notices, [])
})

test('one of three owners is not started again, since the others have all that it has', (t) => {
  const { world, nodes } = servingWorld(3)
  world.registerSupervisor(0)
  nodes[0]?.die()
  world.run(2 * longMs)
  t.is(world.alive.size, 2)
})

test('in memory no owner is started again for data that went with its process', (t) => {
  const { world, nodes } = servingWorld(3, { durability: 'memory' })
  world.registerSupervisor(0)
  for (const node of nodes.slice(0, 2)) node.die()
  world.run(2 * longMs)
  t.is(world.alive.size, 1)
})

test('two of three are gone for good: both are named, with what gives them up', (t) => {
  const { world, nodes } = servingWorld(3)
  for (const node of nodes.slice(0, 2)) node.die()
  nothingHappensToRing(t, world, longMs)
  const notices = world.status.notices.join('\n')
  t.regex(notices, /gtstore node restart ID/)
  t.notRegex(notices, /add a node|is taken out/)
  for (const node of ['n1', 'n2']) {
    t.regex(notices, new RegExp(`gtstore node remove ${node} --force --accept-loss`))
    const remove = { kind: 'change.submit', change: 'remove', node } as const
    world.call('change.submit.ok', { ...remove, force: true, acceptLoss: true })
  }
  world.untilSettled(nodes.slice(2))
})

test('with nobody to start them, status names the way out, and nothing is given up', (t) => {
  const { world, nodes } = servingWorld(6)
  for (const node of nodes.slice(0, 2)) node.die()
  nothingHappensToRing(t, world, 3 * longMs)
  const notices = world.status.notices.join('\n')
  t.regex(notices, /gtstore node restart ID/)
  t.regex(notices, /gtstore node remove n1 --force --accept-loss/)
  t.regex(notices, /gtstore node remove n2 --force --accept-loss/)
})

function nothingHappensToRing(t: ExecutionContext, world: World, ms: number): void {
  const epoch = world.ring?.epoch
  world.run(ms)
  t.is(world.ring?.epoch, epoch)
}

test('a stopped receiver does not hold a change up for ever', (t) => {
  const { world, nodes } = servingWorld(4)
  const [stopped, good] = world.startNodes(2) as [FakeNode, FakeNode]
  stopped.stuck = true
  world.until(() => world.ring?.change !== undefined, 'copying')
  stopped.pause()
  world.untilSettled([...nodes, good])
  stopped.stuck = false
  stopped.resume()
  world.untilSettled([...nodes, good, stopped])
  t.pass()
})

test('asking for status ten times a second changes nothing', (t) => {
  const { world } = servingWorld(5)
  world.run(2_000)
  const steps = stepsOf(world)
  const { ring } = world
  for (let i = 0; i < 300; i++) {
    t.is(world.status.state, 'serving')
    world.run(90)
  }
  t.is(stepsOf(world), steps)
  t.is(world.ring, ring)
  t.true(world.status.nodes.every((node) => node.state === 'active'))
})

test('a report counts for as long as it would be repeated', (t) => {
  const { world, nodes } = servingWorld(4)
  const suspects = [{ node: 'n1', incarnation: 1, refutation: 0, health: 'dead' }] as const
  world.cuts.add('manager>n1')
  const say = () => {
    for (const node of nodes.slice(1)) {
      const report = { kind: 'health.report', node: node.id, incarnation: 1, suspects } as const
      world.toManager(node.address ?? '', report)
    }
  }
  say()
  world.run(longMs)
  t.true(world.ring?.placement.nodes.includes('n1'))
  say()
  world.until(() => world.ring?.placement.nodes.includes('n1') === false, 'an eviction')
})

test('reports of a life that is over do not count', (t) => {
  const { world, nodes } = servingWorld(4)
  const suspects = [{ node: 'n1', incarnation: 1, refutation: 0, health: 'dead' }] as const
  nodes[0]?.restart()
  world.cuts.add('manager>n1')
  const say = () => {
    for (const node of nodes.slice(1)) {
      const report = { kind: 'health.report', node: node.id, incarnation: 1, suspects } as const
      world.toManager(node.address ?? '', report)
    }
    world.after(500, say)
  }
  say()
  world.run(longMs)
  t.is(new Set(world.ring?.placement.nodes).size, 4)
})
