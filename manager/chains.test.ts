/** The manager in chain mode: the dead leave their chains, joiners read before a change settles. */
import test, { type ExecutionContext } from 'ava'
import type { Chain, NodeId, RingDescription } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import { chainReturnMs, suspicionMs } from '../shared/runtime/limits.js'
import type { ManagerConfig } from './manager.js'
import type { FakeNode } from './node.fixture.js'
import { servingWorld, type World } from './world.fixture.js'

const chained: Partial<ManagerConfig> = { mode: 'chain', readQuorum: 1, writeQuorum: 3 }
const long = { ...chained, evictAfterMs: 600_000 }

const chainsOf = ({ ring }: World): readonly Chain[] => (ring as RingDescription).chains ?? []
const isIn = (world: World, id: NodeId) =>
  chainsOf(world).some(({ members }) => members.includes(id))
const idsOf = (nodes: readonly FakeNode[]) => nodes.map(({ id }) => id)
const placed = ({ ring }: World) => [...new Set(ring?.placement.nodes)]

function chainOf(members: NodeId[], to: number): Chain {
  return { from: to, to, members, full: members.length, reader: members.at(-1) ?? '' }
}

/** Each chain holds its owners, all of them full, the last one reads. */
function isWhole(world: World): boolean {
  const { placement } = world.ring as RingDescription
  const { arcs } = new Ring({ ...(world.ring as RingDescription), chains: undefined as never })
  return (
    arcs.length >= placement.tokens.length &&
    arcs.every(({ to, owners }) => {
      const { chain } = new Ring(world.ring as RingDescription).arcOf(to)
      const members = chain?.members ?? []
      const isTail = chain?.full === members.length && chain.reader === members.at(-1)
      return (
        isTail && members.length === owners.length && owners.every((it) => members.includes(it))
      )
    })
  )
}

test('a first ring has a chain of its owners for each arc, in the order of preference', (t) => {
  const { world } = servingWorld(4, long)
  t.true(isWhole(world))
  const { placement } = world.ring as RingDescription
  t.deepEqual(
    chainsOf(world).map(({ members }) => members[0] ?? ''),
    [...placement.nodes],
  )
  const other = servingWorld(4).world
  t.false('chains' in (other.ring as RingDescription))
})

test('a join copies, then its node reads, then it settles', (t) => {
  const { world, nodes } = servingWorld(4, long)
  const { epoch } = world.ring as RingDescription
  const joiner = world.startNode()
  world.untilSettled([...nodes, joiner])
  t.true(isWhole(world))
  const rings = world.steps.flatMap((step) => (step.step === 'ring.published' ? [step.ring] : []))
  const after = rings.filter((ring) => ring.epoch > epoch)
  t.deepEqual(
    after.map(({ change }) => change && (change.switching === true ? 'switching' : 'copying')),
    ['copying', 'switching', undefined],
  )
  for (const { members, full, reader } of after[1]?.chains ?? []) {
    t.is(reader, members.at(-1) as NodeId)
    t.true(full >= 3)
  }
})

test('a swarm grows from one node, and shrinks to it', (t) => {
  const { world, nodes } = servingWorld(1, long)
  t.is(chainsOf(world).length, 1)
  const others = [world.startNode(), ...world.startNodes(2)]
  world.untilSettled([...nodes, ...others])
  t.true(isWhole(world))
  for (const [i, node] of others.entries()) {
    node.leave()
    world.untilSettled([...nodes, ...others.slice(i + 1)])
    t.true(isWhole(world))
  }
  t.deepEqual(chainsOf(world), [chainOf(['n1'], chainsOf(world)[0]?.to ?? 0)])
})

test('a leave and a replacement go the same way', (t) => {
  const { world, nodes } = servingWorld(5, long)
  nodes[0]?.leave()
  world.untilSettled(nodes.slice(1))
  t.true(isWhole(world))
  world.registerSupervisor(0)
  world.run(5)
  const submit = { kind: 'change.submit', change: 'replace', node: 'n2' } as const
  world.call('change.submit.ok', { ...submit, force: false, acceptLoss: false })
  world.until(() => world.isSettled(['n3', 'n4', 'n5', 'n6']), 'the replacement')
  t.true(isWhole(world))
})

for (const place of ['head', 'middle', 'tail'] as const) {
  test(`the ${place} dies: it is dropped at once, and copied to again when it returns`, (t) => {
    const { world, nodes } = servingWorld(5, long)
    const { members } = chainsOf(world)[0] as Chain
    const id = members[['head', 'middle', 'tail'].indexOf(place)] as NodeId
    const node = nodes.find((it) => it.id === id) as FakeNode
    const { epoch } = world.ring as RingDescription
    node.die()
    world.run(10)
    t.is(world.ring?.epoch, epoch + 1)
    t.false(isIn(world, node.id))
    t.true(world.ring?.placement.nodes.includes(node.id))
    const again = node.restart()
    world.untilSettled([...nodes.filter((it) => it !== node), again])
    t.true(isWhole(world))
    const tails = chainsOf(world).filter(({ members }) => members.includes(node.id))
    t.true(
      tails.every(({ members }) => members.at(-1) === node.id),
      'it stands last',
    )
  })
}

test('a stopped node is dropped after the suspicion, and copied to again when it goes on', (t) => {
  const { world, nodes } = servingWorld(5, long)
  nodes[1]?.pause()
  world.run(suspicionMs - 1_000)
  t.true(isIn(world, 'n2'))
  world.run(3_000)
  t.false(isIn(world, 'n2'))
  t.true(
    world.status.notices.some((it) => /fewer than 3 copies/.test(it)),
    `${world.status.notices}`,
  )
  nodes[1]?.resume()
  world.until(() => world.ring?.change !== undefined, 'a change')
  t.true(
    world.status.notices.some((it) => /n2 .*copied to again/.test(it)),
    `${world.status.notices}`,
  )
  world.untilSettled(nodes)
  t.true(isWhole(world))
  t.deepEqual(world.status.notices, [])
})

test('a node that is back before its death was noticed goes on where it was', (t) => {
  const { world, nodes } = servingWorld(4, long)
  const before = chainsOf(world)
  const node = nodes[0] as FakeNode
  // Its connection does not end: the manager hears of the new life first.
  world.alive.delete(node.pid)
  const again = world.startNode(node.id, node.store)
  world.untilSettled([...nodes.slice(1), again])
  world.until(() => world.ring?.members[0]?.incarnation === 2, 'a ring with its new life')
  t.deepEqual(chainsOf(world), before)
})

for (const step of ['copying', 'switching'] as const) {
  for (const place of ['head', 'middle', 'tail', 'joiner'] as const) {
    test(`the ${place} dies while a join is ${step}`, (t) => {
      const { world, nodes } = servingWorld(5, long)
      const joiner = world.startNode()
      const isSwitching = () => world.ring?.change?.switching === true
      world.until(
        () => (step === 'switching' ? isSwitching() : world.ring?.change !== undefined),
        step,
      )
      const arc = chainsOf(world).find(({ members, full }) => members.length > full) as Chain
      const at = { head: 0, middle: 1, tail: arc.full - 1, joiner: arc.full }[place]
      const id = arc.members[at] as NodeId
      const all = [...nodes, joiner]
      const victim = all.find((it) => it.id === id) as FakeNode
      const plan = world.ring?.change?.plan
      const epoch = world.ring?.epoch as number
      victim.die()
      world.run(4)
      t.true((world.ring?.epoch ?? 0) > epoch, 'at once')
      const isLeft = chainsOf(world).every(({ members }) => !members.includes(id))
      t.true(isLeft, 'the dead are in no chain')
      const under = world.ring?.change
      if (place === 'joiner') t.is(under, undefined, 'given up')
      else if (step === 'copying' && place === 'tail') t.is(under?.plan, (plan ?? 0) + 1)
      else if (step === 'switching') t.is(under?.plan, plan)
      world.startNode(id, victim.store)
      world.until(() => world.isSettled(idsOf(all)), 'everybody')
      t.true(isWhole(world))
    })
  }
}

test('all members of an arc die: the first that is back waits for the others, then goes on', (t) => {
  const { world, nodes } = servingWorld(6, long)
  const { members } = chainsOf(world)[0] as Chain
  const dead = nodes.filter(({ id }) => members.includes(id))
  // In one moment, so that nobody of them is seen without the others.
  for (const node of dead) world.alive.delete(node.pid)
  for (const node of dead) world.end(node)
  world.run(20)
  t.deepEqual(
    chainsOf(world).find((it) => it.members.every((id) => members.includes(id)))?.members,
    [...members],
  )
  const notices = world.status.notices.join('\n')
  t.regex(notices, /nobody else has all of/)
  const first = world.startNode(dead[1]?.id as NodeId, dead[1]?.store)
  world.run(chainReturnMs - 1_000)
  const isHeldBy = (ids: readonly NodeId[]) =>
    chainsOf(world).some((it) => it.members.join() === ids.join())
  t.true(isHeldBy(members), 'the others may be about to come back')
  world.run(3_000)
  t.true(isHeldBy([first.id]))
  for (const it of dead) if (it.id !== first.id) world.startNode(it.id, it.store)
  world.until(() => world.isSettled(idsOf(nodes)), 'everybody')
  t.true(isWhole(world))
})

test('all members of an arc die: a join waits for one of them, and leaves nobody out', (t) => {
  const { world, nodes } = servingWorld(4, { ...chained, evictAfterMs: 2_000 })
  const { members } = chainsOf(world)[0] as Chain
  const dead = nodes.filter(({ id }) => members.includes(id))
  for (const node of dead) world.alive.delete(node.pid)
  for (const node of dead) world.end(node)
  const joiner = world.startNode()
  world.run(3_000)
  const hasAll = ({ members: held }: Chain) => members.every((id) => held.includes(id))
  t.true(chainsOf(world).some(hasAll))
  t.false(isIn(world, joiner.id))
  // The one that the join would have taken the range from is the only one to come back.
  const last = dead.at(-1) as FakeNode
  world.startNode(last.id, last.store)
  const others = nodes.filter(({ id }) => !members.includes(id))
  world.until(() => world.isSettled(idsOf([...others, last, joiner])), 'those that live')
  t.true(isWhole(world))
})

test('a swarm that starts again has nothing to copy', (t) => {
  const { world, nodes } = servingWorld(4, long)
  const before = chainsOf(world)
  world.killManager()
  for (const node of nodes) node.die()
  world.startManager()
  for (const [i, node] of nodes.entries()) {
    world.after(400 * i, () => world.startNode(node.id, node.store))
  }
  world.run(300)
  world.until(() => world.isSettled(idsOf(nodes)), 'everybody')
  t.deepEqual(chainsOf(world), before)
  world.run(10_000)
  t.deepEqual(chainsOf(world), before)
})

test('the last one that has a range cannot be taken out, unless what it holds is given up', (t) => {
  const { world, nodes } = servingWorld(4, long)
  const last = nodes[3] as FakeNode
  for (const node of nodes.slice(0, 3)) {
    node.die()
    world.run(10)
  }
  last.die()
  world.run(10)
  for (const node of nodes.slice(0, 3)) world.startNode(node.id, node.store)
  world.run(chainReturnMs + 2_000)
  const held = chainsOf(world).filter(({ members }) => members.join() === last.id)
  t.true(held.length > 0)
  const remove = { kind: 'change.submit', change: 'remove', node: last.id } as const
  const refused = world.call('error', { ...remove, force: true, acceptLoss: false })
  t.is(refused.code, 'CHANGE_REFUSED')
  t.regex(refused.message, /--accept-loss/)
  t.regex(world.status.notices.join('\n'), /node remove n4 --force --accept-loss/)
  world.call('change.submit.ok', { ...remove, force: true, acceptLoss: true })
  world.until(() => world.isSettled(['n1', 'n2', 'n3']), 'the others')
  t.true(isWhole(world))
})

test('a leave does not go below the copies that there are while an owner is down', (t) => {
  const { world, nodes } = servingWorld(4, long)
  nodes[0]?.die()
  world.run(10)
  nodes[1]?.leave()
  world.run(2_000)
  t.true(world.ring?.placement.nodes.includes('n2'))
  const [change] = world.status.changes
  t.regex(change?.reason ?? '', /n1.*down, and data is to be copied there/)
  const again = nodes[0]?.restart() as FakeNode
  world.untilSettled([...nodes.slice(2), again])
  t.true(isWhole(world))
})

test('the manager goes on in the middle of a switch', (t) => {
  const { world, nodes } = servingWorld(4, long)
  const joiner = world.startNode()
  world.until(() => world.ring?.change?.switching === true, 'switching')
  world.killManager()
  world.run(500)
  world.startManager()
  world.untilSettled([...nodes, joiner])
  t.true(isWhole(world))
})

test('who is dropped for long is evicted, and joins as new', (t) => {
  const { world, nodes } = servingWorld(5, { ...chained, evictAfterMs: 3_000 })
  nodes[0]?.pause()
  world.until(() => world.isSettled(['n2', 'n3', 'n4', 'n5']), 'an eviction')
  t.true(isWhole(world))
  t.false(nodes[0]?.isAlive)
})

test('in memory a dead member joins as new, and all of them found the chains anew', (t) => {
  const { world, nodes } = servingWorld(5, { ...long, durability: 'memory' })
  nodes[0]?.die()
  world.run(10)
  t.false(isIn(world, 'n1'))
  const fresh = world.startNode('n1')
  world.until(() => fresh.refused !== undefined, 'a refusal')
  world.untilSettled(nodes.slice(1))
  t.true(isWhole(world))
  for (const node of nodes) node.die()
  const others = world.startNodes(3)
  world.untilSettled(others)
  t.true(isWhole(world))
})

test('a command takes a member out by force: it is killed, and leaves its chains at once', (t) => {
  const { world, nodes } = servingWorld(5, long)
  nodes[1]?.pause()
  const submit = { kind: 'change.submit', change: 'remove', node: 'n2' } as const
  world.call('change.submit.ok', { ...submit, force: true, acceptLoss: false })
  world.run(5)
  t.false(nodes[1]?.isAlive)
  t.false(isIn(world, 'n2'))
  world.untilSettled(nodes.filter(({ id }) => id !== 'n2'))
  t.true(isWhole(world))
})

test('several that join are one change, and who was dropped is copied to with them', (t) => {
  const { world, nodes } = servingWorld(5, long)
  nodes[4]?.pause()
  world.run(suspicionMs + 2_000)
  const { plans } = world.manager?.state ?? { plans: 0 }
  nodes[4]?.resume()
  const joiners = world.startNodes(2)
  world.untilSettled([...nodes, ...joiners])
  t.true(isWhole(world))
  t.true((world.manager?.state.plans ?? 0) <= plans + 2)
})

test('ranges that only a dead node has are named; evicting it starts it again instead', (t) => {
  const { world, nodes } = servingWorld(3, { ...chained, replicas: 1, writeQuorum: 1 })
  nodes[2]?.die()
  world.run(10)
  t.regex(world.status.notices.join(), /ranges wait for n3: nobody else has all of them/)
  world.startsNothing = false
  world.registerSupervisor(0)
  world.until(() => [...world.nodes.values()].some((it) => it.id === 'n3' && it.isAlive), 'n3')
  world.until(() => world.isSettled(idsOf(nodes)), 'n3 in the ring')
  t.deepEqual(world.status.notices, [])
})

const evictAfterMs = 4_000

/** Head, middle and tail of a chain die in this order, each seen before the next. */
function killInOrder(world: World, nodes: readonly FakeNode[]): FakeNode {
  const { members } = chainsOf(world)[0] as Chain
  const dead = members.flatMap((id) => nodes.find((node) => node.id === id) ?? [])
  for (const node of dead) {
    node.die()
    world.run(100)
  }
  return dead.at(-1) as FakeNode
}

/** No notice promises what another one rules out. */
function agree(t: ExecutionContext, notices: readonly string[], id: NodeId): void {
  const said = notices.join('\n')
  t.regex(said, new RegExp(`ranges wait for ${id}: nobody else has all of them`))
  t.notRegex(said, new RegExp(`${id} is down.*(taken out|add a node|at most a third)`))
}

for (const count of [3, 4, 5, 7]) {
  test(`${count} nodes, and a whole chain dies in order: its last member is started again`, (t) => {
    const { world, nodes } = servingWorld(count, { ...chained, evictAfterMs })
    world.registerSupervisor(0)
    world.startsNothing = true
    const last = killInOrder(world, nodes)
    const asked = () =>
      world.inbox.flatMap(({ message }) => (message.kind === 'node.spawn' ? [message.node] : []))
    world.run(evictAfterMs - 1_000)
    t.deepEqual(asked(), [], 'it may come back by itself')
    const { notices } = world.status
    agree(t, notices, last.id)
    const soon = new RegExp(
      `${last.id} is down: in 1 s it is started again, since its data is needed`,
    )
    t.regex(notices.join('\n'), soon)
    world.run(3 * evictAfterMs)
    t.deepEqual(asked(), [last.id], 'once, and nobody else')
    agree(t, world.status.notices, last.id)
    t.regex(world.status.notices.join('\n'), /the supervisor is asked to start it/)
    t.true(world.ring?.placement.nodes.includes(last.id))
    last.restart()
    world.until(
      () => chainsOf(world).every(({ members }) => world.isServing(members[0] ?? '')),
      'it',
    )
    world.run(3 * evictAfterMs)
    t.notRegex(world.status.notices.join('\n'), /ranges wait/)
  })
}

test('a supervisor that comes later is asked for the last member of a chain', (t) => {
  const { world, nodes } = servingWorld(5, { ...chained, evictAfterMs })
  const last = killInOrder(world, nodes)
  world.run(5 * evictAfterMs)
  agree(t, world.status.notices, last.id)
  t.notRegex(world.status.notices.join('\n'), /started again|is asked/)
  world.registerSupervisor(0)
  world.until(() => world.isServing(last.id), 'the last one')
  world.until(() => world.isSettled(placed(world)), 'a settled ring')
  t.true(isWhole(world))
})

test('a manager that was started again has the last member of a chain started again', (t) => {
  const { world, nodes } = servingWorld(5, { ...chained, evictAfterMs })
  world.registerSupervisor(0)
  const last = killInOrder(world, nodes)
  world.killManager()
  world.run(2 * evictAfterMs)
  world.startManager()
  world.until(() => world.isServing(last.id), 'the last one')
  world.until(() => world.isSettled(placed(world)), 'a settled ring')
  t.true(isWhole(world))
})

test('all members of a chain die at once: each of them is started again', (t) => {
  const { world, nodes } = servingWorld(5, { ...chained, evictAfterMs })
  world.registerSupervisor(0)
  const { members } = chainsOf(world)[0] as Chain
  const dead = nodes.filter(({ id }) => members.includes(id))
  for (const node of dead) world.alive.delete(node.pid)
  for (const node of dead) world.end(node)
  world.until(() => world.isSettled(idsOf(nodes)), 'everybody')
  t.true(isWhole(world))
})

test('what is given up is not started again', (t) => {
  const { world, nodes } = servingWorld(5, { ...chained, evictAfterMs })
  const last = killInOrder(world, nodes)
  world.registerSupervisor(0)
  world.run(10)
  const remove = { kind: 'change.submit', change: 'remove', node: last.id } as const
  world.call('change.submit.ok', { ...remove, force: true, acceptLoss: true })
  world.run(5 * evictAfterMs)
  t.false(world.inbox.some(({ message }) => message.kind === 'node.spawn'))
})
