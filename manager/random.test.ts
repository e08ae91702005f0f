/**
 * Random joins, leaves, deaths, pauses, cuts and commands, messages lost and doubled, with the manager
 * killed in between: all of it settles.
 */
import test from 'ava'
import fc from 'fast-check'
import { lacking } from '../shared/ring/chains.js'
import type { FakeNode } from './node.fixture.js'
import { servingWorld, type World } from './world.fixture.js'

type Deed =
  | { readonly do: 'join' }
  | { readonly do: (typeof kinds)[number]; readonly pick: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'kill manager' }

const kinds = [
  'leave',
  'die',
  'restart',
  'pause',
  'resume',
  'cut',
  'remove',
  'replace',
  'force',
] as const
const picks = fc.constantFrom(...kinds)
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ do: fc.constant('join' as const) }),
  fc.record({ do: picks, pick: fc.nat(9) }) as fc.Arbitrary<Deed>,
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(300) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(9_000) }),
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
    else if (deed.do === 'pause') node.pause()
    else if (deed.do === 'resume') node.resume()
    else if (deed.do === 'cut') world.cuts.add(`manager>${node.id}`)
    else if (deed.do === 'remove' || deed.do === 'replace' || deed.do === 'force') {
      const force = deed.do === 'force'
      world.toManager('cli', {
        kind: 'change.submit',
        force,
        acceptLoss: false,
        id: 1,
        change: deed.do === 'replace' ? 'replace' : 'remove',
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
  const { chains, placement } = ring
  const isWhole = chains === undefined || lacking(chains, placement, () => true).length === 0
  return !isOpen && isWhole && held && lives.length === ring.members.length
}

/** One in ten is lost, and one in ten comes twice; the same for the same seed. */
function fates(seed: number): () => 'lost' | 'twice' | 'delivered' {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const tenth = Math.floor((state / 2 ** 32) * 10)
    if (tenth === 0) return 'lost'
    return tenth === 1 ? 'twice' : 'delivered'
  }
}

/** Faults end: what is stopped goes on, what is cut off is heard, what is dead is started again. */
function heal(world: World, nodes: readonly FakeNode[]): void {
  world.fate = () => 'delivered'
  world.cuts.clear()
  const all = [...nodes, ...world.nodes.values()]
  for (const node of all) node.resume()
  for (const { id, pid } of world.ring?.members ?? []) {
    const node = all.findLast((it) => it.pid === pid)
    if (node !== undefined && !node.isAlive) world.startNode(id, node.store)
  }
}

/** Who was left out of its chains comes back to a plan that is begun again, before its other joiner. */
const overtaken: readonly Deed[] = [
  { do: 'join' },
  { do: 'kill manager' },
  { do: 'pause', pick: 1 },
  { do: 'wait', ms: 220 },
  { do: 'restart', pick: 0 },
  { do: 'wait', ms: 3_927 },
  { do: 'join' },
  { do: 'wait', ms: 372 },
]

for (const mode of ['latest', 'chain'] as const) {
  test(`${mode}: whatever happens, the ring settles once the dead are back`, (t) => {
    t.timeout(120_000)
    const deeds = fc.array(deed, { minLength: 3, maxLength: 25 })
    const property = fc.property(deeds, fc.nat(), (deeds, seed) => {
      const { world, nodes } = servingWorld(5, { evictAfterMs: 8_000, mode })
      world.fate = fates(seed)
      world.registerSupervisor(0)
      world.run(5)
      for (const deed of deeds) perform(world, nodes, deed)
      world.run(500)
      heal(world, nodes)
      world.until(() => isQuiet(world) || world.alive.size === 0, 'quiet')
    })
    const examples: [Deed[], number][] = [[[...overtaken], 25]]
    t.notThrows(() => fc.assert(property, { numRuns: 150, examples, includeErrorInReport: true }))
  })
}
