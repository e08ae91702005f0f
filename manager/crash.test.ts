/** The manager is killed at every step of its journal, before the step is durable and right after. */
import test from 'ava'
import type { FakeNode } from './node.fixture.js'
import { type Kill, servingWorld, type World } from './world.fixture.js'

interface Story {
  readonly name: string
  /** Starts it; returns the condition under which it has ended well. */
  readonly tell: (world: World, nodes: FakeNode[]) => () => boolean
}

const stories: Story[] = [
  {
    name: 'two joins and a leave',
    tell: (world, nodes) => {
      const joiners = world.startNodes(2)
      nodes[0]?.leave()
      return () => world.isSettled([...nodes.slice(1), ...joiners].map((node) => node.id))
    },
  },
  {
    name: 'a gainer that dies',
    tell: (world, nodes) => {
      const [dying, other] = world.startNodes(2) as [FakeNode, FakeNode]
      dying.stuck = true
      world.after(500, () => dying.die())
      return () => world.isSettled([...nodes, other].map((node) => node.id))
    },
  },
  {
    name: 'a replacement',
    tell: (world, nodes) => {
      world.registerSupervisor(0)
      const submit = {
        kind: 'change.submit',
        force: false,
        acceptLoss: false,
        id: 1,
        change: 'replace',
        node: 'n1',
      } as const
      // Asked again until it is journaled: a lost request has no effect.
      const ask = () => {
        if (world.manager?.state.tickets.length === 0) world.toManager('cli', submit)
        if (!world.steps.some((step) => step.step === 'change.submitted')) world.after(50, ask)
      }
      world.after(10, ask)
      return () => world.isSettled(['n5', ...nodes.slice(1).map((node) => node.id)])
    },
  },
  {
    name: 'restarts of every member',
    tell: (world, nodes) => {
      const back = nodes.map((node) => node.restart())
      return () =>
        world.isSettled(nodes.map((node) => node.id)) &&
        back.every((node) => world.ring?.members.some((member) => member.pid === node.pid))
    },
  },
  {
    name: 'a lost store',
    tell: (world, nodes) => {
      nodes[0]?.die()
      const empty = world.startNode('n1', 'another')
      return () => {
        const rest = nodes.slice(1).map((node) => node.id)
        return empty.refused !== undefined && world.isSettled(rest)
      }
    },
  },
]

function run(story: Story, kill: Kill | undefined): World {
  const { world, nodes } = servingWorld(4)
  world.kill = kill
  const ended = story.tell(world, nodes)
  world.until(ended, `the end of: ${story.name}, killed at ${JSON.stringify(kill)}`)
  return world
}

for (const story of stories) {
  test(`killed at every step of ${story.name}`, (t) => {
    t.timeout(60_000)
    const before = servingWorld(4).world.steps.length
    const { steps } = run(story, undefined)
    t.true(steps.length > before)
    for (let step = before + 1; step <= steps.length; step++) {
      for (const durable of [false, true]) {
        const world = run(story, { step, durable })
        t.is(world.kill, undefined, `it was killed at ${step}`)
      }
    }
  })
}
