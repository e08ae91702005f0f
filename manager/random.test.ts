/** Random joins, leaves, deaths and commands, with the manager killed in between: all of it settles. */
import test from 'ava'
import fc from 'fast-check'
import type { FakeNode } from './node.fixture.js'
import { servingWorld, type World } from './world.fixture.js'

type Deed =
  | { readonly do: 'join' }
  | { readonly do: 'leave' | 'die' | 'restart' | 'remove' | 'replace'; readonly pick: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'kill manager' }

const picks = fc.constantFrom('leave', 'die', 'restart', 'remove', 'replace')
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ do: fc.constant('join' as const) }),
  fc.record({ do: picks, pick: fc.nat(9) }) as fc.Arbitrary<Deed>,
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(300) }),
  fc.record({ do: fc.constant('kill manager' as const) }),
)

function perform(world: World, nodes: FakeNode[], deed: Deed): void {
  if (deed.do === 'join') nodes.push(world.startNode())
  else if (deed.do === 'wait') world.run(deed.ms)
  else if (deed.do === 'kill manager') {
    world.killManager()
    world.after(20, () => {
      if (world.manager === undefined) world.startManager()
    })
  } else {
    const node = nodes[deed.pick % nodes.length] as FakeNode
    if (deed.do === 'leave') node.leave()
    else if (deed.do === 'die') node.die()
    else if (deed.do === 'restart' && node.incarnation > 0) nodes.push(node.restart())
    else if (deed.do === 'remove' || deed.do === 'replace') {
      world.toManager('cli', {
        kind: 'change.submit',
        force: false,
        acceptLoss: false,
        id: 1,
        change: deed.do,
        node: node.id,
      })
    }
  }
}

/** Nothing is left to do: one settled ring, its members alive and in it, no change open. */
function isQuiet(world: World): boolean {
  const { manager, ring } = world
  if (manager === undefined || ring === undefined || ring.change !== undefined) return false
  const isOpen = manager.state.tickets.some((ticket) => ticket.outcome === 'open')
  const lives = [...world.nodes.values()].filter((node) => node.isAlive)
  const isMember = (node: FakeNode) => ring.members.some((member) => member.pid === node.pid)
  const held = lives.every((node) => isMember(node) && node.ring?.epoch === ring.epoch)
  return !isOpen && held && lives.length === ring.members.length
}

test('whatever happens, the ring settles once the dead are back', (t) => {
  t.timeout(120_000)
  const property = fc.property(fc.array(deed, { minLength: 3, maxLength: 25 }), (deeds) => {
    const { world, nodes } = servingWorld(4)
    world.registerSupervisor(0)
    world.run(5)
    for (const deed of deeds) perform(world, nodes, deed)
    world.run(500)
    for (const { id, pid } of world.ring?.members ?? []) {
      const node = [...nodes, ...world.nodes.values()].findLast((it) => it.pid === pid)
      if (node !== undefined && !node.isAlive) world.startNode(id, node.store)
    }
    world.until(() => isQuiet(world) || world.alive.size === 0, 'quiet')
  })
  t.notThrows(() => fc.assert(property, { numRuns: 150 }))
})
