/**
 * Manager, donor and receiver are killed, alone and together, at every boundary that the manager passes:
 * before and after each step is durable, before and after each effect. What was killed is started again.
 */
import test from 'ava'
import type { Mode } from '../shared/data/mode.js'
import type { ManagerConfig } from './manager.js'
import type { FakeNode } from './node.fixture.js'
import { type Kill, servingWorld, type Victim, type World } from './world.fixture.js'

interface Story {
  readonly name: string
  readonly config?: Partial<ManagerConfig>
  /** Starts it; returns the condition under which it has ended well. */
  readonly tell: (world: World, nodes: FakeNode[]) => () => boolean
}

const idsOf = (nodes: readonly FakeNode[]) => nodes.map((node) => node.id)

/** Asked again until it is journaled: a lost request has no effect. */
function ask(world: World, change: 'remove' | 'replace', node: string, force = false): void {
  const submit = { kind: 'change.submit', id: 1, change, node, force, acceptLoss: false } as const
  if (world.steps.some((step) => step.step === 'change.submitted')) return
  const isAsked = (world.manager?.state.tickets.length ?? 1) > 0
  if (!isAsked) world.toManager('cli', submit)
  world.after(50, () => ask(world, change, node, force))
}

const stories: Story[] = [
  {
    name: 'a join',
    tell: (world, nodes) => {
      const joiner = world.startNode()
      return () => world.isSettled(idsOf([...nodes, joiner]))
    },
  },
  {
    name: 'a leave',
    tell: (world, nodes) => {
      nodes[0]?.leave()
      // An intent to leave dies with its process: the change is undone where the leaver was killed.
      return () =>
        world.isSettled(idsOf(nodes.slice(1))) ||
        (nodes[0]?.isAlive === false && world.isSettled(idsOf(nodes)))
    },
  },
  {
    name: 'two joins and a leave by command',
    tell: (world, nodes) => {
      const joiners = world.startNodes(2)
      ask(world, 'remove', 'n1')
      return () => world.isSettled([...idsOf(nodes.slice(1)), ...idsOf(joiners)])
    },
  },
  {
    name: 'a replacement',
    tell: (world, nodes) => {
      world.registerSupervisor(0)
      world.after(10, () => ask(world, 'replace', 'n1'))
      return () => world.isSettled(['n5', ...idsOf(nodes.slice(1))])
    },
  },
  {
    name: 'a removal by force',
    tell: (world, nodes) => {
      nodes[0]?.pause()
      world.after(10, () => ask(world, 'remove', 'n1', true))
      return () => world.isSettled(idsOf(nodes.slice(1)))
    },
  },
  {
    name: 'an eviction',
    tell: (world, nodes) => {
      nodes[0]?.die()
      return () => world.isSettled(idsOf(nodes.slice(1)))
    },
  },
  {
    name: 'the eviction of a stopped node',
    tell: (world, nodes) => {
      nodes[0]?.pause()
      return () => world.isSettled(idsOf(nodes.slice(1))) && nodes[0]?.isAlive === false
    },
  },
  {
    name: 'two evictions that a joiner makes room for',
    config: { readQuorum: 1, writeQuorum: 3 },
    tell: (world, nodes) => {
      for (const node of nodes.slice(0, 2)) node.die()
      const joined = world.startNode()
      return () => world.isSettled(idsOf([...nodes.slice(2), joined]))
    },
  },
  {
    name: 'restarts of every member',
    tell: (world, nodes) => {
      for (const node of nodes) node.restart()
      return () =>
        world.isSettled(idsOf(nodes)) &&
        world.ring?.members.every(({ pid }) => world.alive.has(pid)) === true
    },
  },
  {
    name: 'a lost store',
    tell: (world, nodes) => {
      nodes[0]?.die()
      const empty = world.startNode('n1', 'another')
      return () => empty.refused !== undefined && world.isSettled(idsOf(nodes.slice(1)))
    },
  },
]

const victims: readonly (readonly Victim[])[] = [
  ['manager'],
  ['donor'],
  ['receiver'],
  ['manager', 'donor'],
  ['manager', 'receiver'],
  ['donor', 'receiver'],
  ['manager', 'donor', 'receiver'],
]

function run(story: Story, mode: Mode, kill: Kill | undefined): World {
  const { world, nodes } = servingWorld(4, { evictAfterMs: 2_000, ...story.config, mode })
  world.boundaries = 0
  world.kill = kill
  const ended = story.tell(world, nodes)
  world.until(ended, `the end of: ${story.name} (${mode}), killed at ${JSON.stringify(kill)}`)
  return world
}

for (const mode of ['latest', 'chain'] as const) {
  for (const story of stories) {
    test(`${mode}: killed at every boundary of ${story.name}`, (t) => {
      t.timeout(120_000)
      const { boundaries } = run(story, mode, undefined)
      t.true(boundaries > 5)
      for (let at = 1; at <= boundaries; at++) {
        for (const killed of victims) {
          const world = run(story, mode, { at, victims: killed })
          t.is(world.kill, undefined, `they were killed at ${at}`)
        }
      }
    })
  }
}
