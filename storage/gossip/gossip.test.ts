import test from 'ava'
import { addressOf } from '../../shared/ring/description.js'
import { Ring } from '../../shared/ring/ring.js'
import { gossipPeriodMs, suspicionMs } from '../../shared/runtime/limits.js'
import { evenRing } from '../cluster.fixture.js'
import { GossipWorld } from './world.fixture.js'

const second = 1_000
const hour = 3_600 * second

/** Who of these does not hold exactly `held`; nobody, once the news has reached all. */
function behind(world: GossipWorld, held: readonly string[], living: readonly string[]): string[] {
  const expected = [...held].sort().join()
  return living.filter((node) => [...world.heldBy(node)].sort().join() !== expected)
}

function deaths(world: GossipWorld): string[] {
  return world.verdicts.filter((verdict) => verdict.endsWith('dead'))
}

test('a process that is gone, seen by one, is known to all others before the next period', (t) => {
  const world = new GossipWorld({ nodes: 24 })
  world.advance(3 * second)
  world.kill('n7', 'n3')
  t.deepEqual(world.heldBy('n3'), [], 'the report goes at the end of the turn')
  world.advance(gossipPeriodMs)
  const living = world.nodes.filter((node) => node !== 'n7')
  t.deepEqual(behind(world, ['n7 dead'], living), [])
  for (const node of living) t.false(world.mayAnswer(node, 'n7'))
})

test('a process that is gone and was seen by nobody is found by a ping', (t) => {
  const world = new GossipWorld({ nodes: 24 })
  world.advance(3 * second)
  world.kill('n7')
  world.advance(4 * gossipPeriodMs)
  t.deepEqual(
    behind(
      world,
      ['n7 dead'],
      world.nodes.filter((node) => node !== 'n7'),
    ),
    [],
  )
})

test('the pid is looked at again when the sockets close before the process is gone', (t) => {
  const world = new GossipWorld({ nodes: 3 })
  world.advance(100)
  world.loseConnection('n1', 'n2')
  t.deepEqual(deaths(world), [])
  world.kill('n2')
  world.advance(200)
  t.deepEqual(deaths(world), ['n1: n2 dead', 'n3: n2 dead'])
})

test('half of the nodes die at once: every living one knows of each of them', (t) => {
  const world = new GossipWorld({ nodes: 24 })
  world.advance(3 * second)
  const dead = world.nodes.slice(0, 12)
  for (const node of dead) world.kill(node)
  world.advance(20 * second)
  const held = dead.map((node) => `${node} dead`)
  t.deepEqual(behind(world, held, world.nodes.slice(12)), [])
})

test('half of the nodes stop answering: the same, by suspicion alone', (t) => {
  const world = new GossipWorld({ nodes: 24 })
  world.advance(3 * second)
  const silent = world.nodes.slice(0, 12)
  for (const node of silent) world.pause(node, hour)
  world.advance(suspicionMs + 30 * second)
  const held = silent.map((node) => `${node} dead`)
  t.deepEqual(behind(world, held, world.nodes.slice(12)), [])
  t.deepEqual(
    deaths(world).filter((verdict) => !/n([1-9]|1[0-2]) dead$/.test(verdict)),
    [],
  )
})

for (const seed of [1, 2, 3]) {
  test(`one message of ten is lost, seed ${seed}: the failure is known to all, nobody else is called dead`, (t) => {
    const world = new GossipWorld({ nodes: 12, loss: 0.1, seed })
    world.advance(0.5 * hour)
    t.deepEqual(deaths(world), [])
    t.true(world.messagesLost > 1_000)
    world.pause('n5', hour)
    const living = world.nodes.filter((node) => node !== 'n5')
    world.advance(suspicionMs + 20 * second)
    for (const node of living) t.true(world.heldBy(node).includes('n5 dead'), node)
    world.advance(0.25 * hour)
    t.true(deaths(world).every((verdict) => verdict.endsWith('n5 dead')))
  })
}

test('a node that sleeps for two seconds is suspected at most, refutes, and is good again', (t) => {
  const world = new GossipWorld({ nodes: 6 })
  world.advance(5 * second)
  world.pause('n2', 2_000)
  world.findLate('n1', 'n2')
  world.advance(1_900)
  t.true(world.verdicts.includes('n1: n2 suspect'))
  t.false(world.isReachable('n1', 'n2'), 'asked last')
  t.true(world.mayAnswer('n1', 'n2'), 'but asked')
  world.advance(2 * gossipPeriodMs)
  t.deepEqual(deaths(world), [])
  for (const node of world.nodes.filter((it) => it !== 'n2')) {
    t.true(world.isReachable(node, 'n2'))
    t.deepEqual(world.heldBy(node), [])
  }
})

test('a node that slept until it was called dead comes back when it wakes', (t) => {
  const world = new GossipWorld({ nodes: 6 })
  world.advance(5 * second)
  world.pause('n2', 30 * second)
  world.advance(30 * second)
  t.deepEqual(world.heldBy('n6'), ['n2 dead'])
  world.advance(3 * gossipPeriodMs)
  for (const node of world.nodes.filter((it) => it !== 'n2')) {
    t.true(world.isReachable(node, 'n2'))
    t.deepEqual(world.heldBy(node), [])
  }
  t.deepEqual(
    world.verdicts.filter((verdict) => verdict.startsWith('n2:')),
    [],
    'the sleeper accused nobody',
  )
})

test('a node is told that it was called dead, long after that was news, and refutes', (t) => {
  const world = new GossipWorld({ nodes: 6 })
  const others = world.nodes.filter((node) => node !== 'n2')
  for (const node of others) world.cut(node, 'n2')
  for (const node of others) world.cut('n2', node)
  world.advance(120 * second)
  t.deepEqual(behind(world, ['n2 dead'], others), [])
  world.heal()
  world.cut('n2', 'n1')
  world.advance(8 * gossipPeriodMs)
  t.deepEqual(behind(world, [], others), [], 'also where its own word does not get through')
})

test('who sleeps itself while it suspects another does not find it dead on waking', (t) => {
  const world = new GossipWorld({ nodes: 3 })
  world.pause('n2', 2_500)
  world.findLate('n1', 'n2')
  world.advance(1_100)
  t.deepEqual(world.heldBy('n1'), ['n2 suspect'])
  world.pause('n1', suspicionMs + 5 * second)
  world.advance(suspicionMs + 10 * second)
  t.deepEqual(
    deaths(world).filter((verdict) => verdict.startsWith('n1')),
    [],
  )
  t.deepEqual(world.heldBy('n1'), [])
})

test('one way between two nodes is cut: others get through, and nobody is called dead', (t) => {
  const world = new GossipWorld({ nodes: 8 })
  world.cut('n1', 'n2')
  world.advance(0.25 * hour)
  t.true(world.trace.some((line) => line.startsWith('n1 > ') && line.endsWith('gossip.probe')))
  t.deepEqual(world.verdicts, [])
})

test('a node whose timers all fire late accuses nobody, not even the dead', (t) => {
  const world = new GossipWorld({ nodes: 6, lag: (node) => (node === 'n1' ? 600 : 0) })
  for (const node of ['n2', 'n3', 'n4', 'n5', 'n6']) world.pause(node, hour)
  world.advance(120 * second)
  t.deepEqual(world.verdicts, [])
})

test('an hour of two dozen nodes on a starved host: all late by up to 1.5 s, none called dead', (t) => {
  t.timeout(120_000)
  const lag = (_: string, random: () => number) => random() * 1_500
  const world = new GossipWorld({ nodes: 24, lag })
  world.advance(hour)
  t.true(world.trace.length > 100_000)
  t.true(
    world.verdicts.some((verdict) => verdict.endsWith('suspect')),
    'the hour was hard enough',
  )
  t.deepEqual(deaths(world), [])
})

test('a node that owes an answer is looked after at once', (t) => {
  const world = new GossipWorld({ nodes: 12 })
  world.advance(5 * second)
  world.pause('n9', hour)
  world.trace.length = 0
  world.findLate('n1', 'n9')
  t.deepEqual(world.trace, ['n1 > n9.1 gossip.ping'])
  t.false(world.isReachable('n1', 'n9'))
  world.advance(gossipPeriodMs + 10)
  t.true(world.verdicts.includes('n1: n9 suspect'))
})

test('whoever missed a ring hears of it from others', (t) => {
  const world = new GossipWorld({ nodes: 6 })
  world.publish(new Ring({ ...world.ring.description, epoch: 2 }), 'n4')
  world.advance(4 * gossipPeriodMs)
  t.deepEqual(
    world.nodes.map((node) => world.epochOf(node)),
    [2, 2, 2, 2, 2, 2],
  )
})

test('whoever gets no answer looks for a newer ring: nobody who knows it may know of this node', (t) => {
  const world = new GossipWorld({ nodes: 3 })
  world.kill('n2')
  world.kill('n3')
  world.publish(new Ring({ ...world.ring.description, epoch: 2 }))
  t.is(world.epochOf('n1'), 1)
  world.advance(4 * gossipPeriodMs)
  t.is(world.epochOf('n1'), 2)
})

test('a new life of a dead node begins alive; one that the ring does not name is forgotten', (t) => {
  const world = new GossipWorld({ nodes: 4 })
  world.kill('n3', 'n1')
  world.kill('n4', 'n1')
  world.advance(gossipPeriodMs)
  t.deepEqual(world.heldBy('n1'), ['n3 dead', 'n4 dead'])
  const { description } = world.ring
  const members = description.members
    .filter(({ id }) => id !== 'n4')
    .map((member) => (member.id === 'n3' ? { ...member, incarnation: 2 } : member))
  world.publish(new Ring({ ...description, epoch: 2, members }), 'n1')
  world.advance(10)
  t.deepEqual(world.heldBy('n1'), [])
})

test('the manager hears of each change, each period while there is one, and when it comes anew', (t) => {
  const world = new GossipWorld({ nodes: 3 })
  world.advance(2 * second)
  world.pause('n3', 60 * second)
  const ofN1 = () => world.reports.filter(({ node }) => node === 'n1').length
  t.is(ofN1(), 0)
  world.advance(20 * second)
  t.is(ofN1(), 2, 'suspect, then dead; not again to a manager that says nothing itself')
  for (let period = 0; period < 5; period++) {
    world.managerSays('n1')
    world.advance(gossipPeriodMs)
  }
  t.is(ofN1(), 7)
  world.managerOpens('n1')
  world.advance(1)
  t.is(ofN1(), 8)
  world.managerOpens('n2')
  world.advance(41 * second)
  t.deepEqual(world.heldBy('n1'), [])
  const last = ofN1()
  world.managerSays('n1')
  world.managerOpens('n1')
  world.advance(3 * gossipPeriodMs)
  t.is(ofN1(), last, 'nothing to report')
})

test('news travels a bounded number of times, and a quiet swarm sends one ping a node and period', (t) => {
  const world = new GossipWorld({ nodes: 8 })
  world.kill('n8', 'n1')
  world.advance(60 * second)
  world.trace.length = 0
  world.rumorsSent = 0
  world.advance(10 * gossipPeriodMs)
  t.is(world.rumorsSent, 0)
  t.is(world.trace.filter((line) => line.endsWith('gossip.ping')).length, 70)
  t.is(world.trace.length, 140)
})

test('a node that the ring does not name answers and asks nobody', (t) => {
  const world = new GossipWorld({ nodes: 4 })
  const { description } = world.ring
  const members = description.members.filter(({ id }) => id !== 'n4')
  world.publish(new Ring({ ...evenRing(2, ['n1', 'n2', 'n3']), members }), ...world.nodes)
  world.trace.length = 0
  world.advance(5 * gossipPeriodMs)
  t.false(
    world.trace.some(
      (line) => line.startsWith('n4') || line.includes(addressOf({ id: 'n4', incarnation: 1 })),
    ),
  )
})

test('a node that leaves holds nothing against those who only were silent', (t) => {
  const world = new GossipWorld({ nodes: 6 })
  world.advance(5 * second)
  world.pause('n2', 60 * second)
  world.advance(30 * second)
  t.deepEqual(world.heldBy('n4'), ['n2 dead'])
  const nodes = world.nodes.filter((node) => node !== 'n4')
  world.publish(new Ring(evenRing(2, nodes)), ...world.nodes)
  t.true(world.isReachable('n4', 'n2'))
  t.false(world.isReachable('n6', 'n2'))
  t.deepEqual(world.heldBy('n6'), ['n2 dead'])
})
