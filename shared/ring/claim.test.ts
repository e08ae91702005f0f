import test, { type ExecutionContext } from 'ava'
import { type ClaimSettings, type MembershipDelta, planPlacement } from './claim.js'
import type { NodeId, Placement } from './description.js'
import { copyShares, movedShares, primaryShares } from './shares.js'

const settings = (virtualNodes: number, replicas = 3): ClaimSettings => ({
  virtualNodes,
  replicas,
  readQuorum: 1,
  writeQuorum: replicas,
})
const names = (count: number): NodeId[] => Array.from({ length: count }, (_, i) => `n${i + 1}`)
const join = (...nodes: NodeId[]): MembershipDelta => ({ join: nodes, leave: [], replace: [] })
const leave = (...nodes: NodeId[]): MembershipDelta => ({ join: [], leave: nodes, replace: [] })

/** mulberry32: the walks are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Bounds {
  /** Of the fullest node, relative to the mean. */
  readonly primary: number
  readonly copies: number
}
const boundsOf = (virtualNodes: number): Bounds =>
  virtualNodes >= 8 ? { primary: 1.15, copies: 1.25 } : { primary: 1.3, copies: 1.4 }

/** The largest share relative to the mean. */
function fullest(shares: ReadonlyMap<NodeId, number>): number {
  const values = [...shares.values()]
  return (Math.max(...values) * values.length) / values.reduce((sum, share) => sum + share, 0)
}

function sum(shares: ReadonlyMap<NodeId, number>, nodes: readonly NodeId[]): number {
  return nodes.reduce((total, node) => total + (shares.get(node) ?? 0), 0)
}

/** What a change may be judged by: the bounds, what it moved, and that it is a placement at all. */
function check(
  t: ExecutionContext,
  where: string,
  change: { before: Placement; after: Placement; delta: MembershipDelta; bounds: Bounds },
): void {
  const { before, after, delta, bounds } = change
  const expected = new Set([...before.nodes, ...delta.join])
  for (const node of delta.leave) expected.delete(node)
  t.deepEqual([...new Set(after.nodes)].sort(), [...expected].sort(), where)
  t.is(after.tokens.length, after.nodes.length, where)
  t.true(
    after.tokens.every((token, i) => i === 0 || token > (after.tokens[i - 1] as number)),
    `${where}: tokens ascend`,
  )
  t.true((after.tokens[0] as number) >= 0 && (after.tokens.at(-1) as number) < 2 ** 32, where)
  t.true(after.tokens.every(Number.isInteger), where)

  const primary = fullest(primaryShares(after))
  const copies = fullest(copyShares(after))
  t.true(primary <= bounds.primary, `${where}: a primary share of ${primary} times the mean`)
  t.true(copies <= bounds.copies, `${where}: a share of all copies of ${copies} times the mean`)

  const moved = movedShares(before, after)
  const ownPrimary = sum(primaryShares(before), delta.leave) + sum(primaryShares(after), delta.join)
  const ownCopies = sum(copyShares(before), delta.leave) + sum(copyShares(after), delta.join)
  t.true(
    moved.primary <= 2 * ownPrimary,
    `${where}: ${moved.primary / ownPrimary} own shares moved`,
  )
  // Below N nodes a leaver has nobody to leave its copies to, and nothing is measured by them.
  if (new Set(before.nodes).size >= after.replicas && expected.size >= after.replicas) {
    t.true(moved.copies <= 2 * ownCopies, `${where}: ${moved.copies / ownCopies} own copies moved`)
  }
}

interface Walk {
  readonly seed: number
  readonly steps: number
  readonly virtualNodes: number
  readonly replicas?: number
  readonly least?: number
  readonly most?: number
  /** Up to the most and down to the least, again and again, instead of at random. */
  readonly sweep?: boolean
}

/** Single joins and leaves, each checked. */
function walk(t: ExecutionContext, options: Walk): void {
  const { seed, steps, virtualNodes, replicas = 3, least = 3, most = 20, sweep = false } = options
  const random = seeded(seed)
  const config = settings(virtualNodes, replicas)
  let nodes = names(least)
  let ids = least
  let before = planPlacement(undefined, join(...nodes), config)
  let growing = true
  for (let step = 0; step < steps; step++) {
    if (nodes.length === least) growing = true
    else if (nodes.length === most) growing = false
    else if (!sweep) growing = random() < 0.5
    const node = growing ? `n${++ids}` : (nodes[Math.floor(random() * nodes.length)] as NodeId)
    nodes = growing ? [...nodes, node] : nodes.filter((other) => other !== node)
    const delta = growing ? join(node) : leave(node)
    const after = planPlacement(before, delta, config)
    const where = `seed ${seed} step ${step}: ${growing ? 'join' : 'leave'} to ${nodes.length} nodes`
    check(t, where, { before, after, delta, bounds: boundsOf(virtualNodes) })
    before = after
  }
}

test('founding several nodes gives all the same share', (t) => {
  for (const virtualNodes of [1, 3, 8]) {
    for (const count of [1, 3, 6, 7, 20]) {
      const ring = planPlacement(undefined, join(...names(count)), settings(virtualNodes))
      t.is(ring.tokens.length, count * virtualNodes)
      t.true(fullest(primaryShares(ring)) < 1.000001)
      t.true(fullest(copyShares(ring)) < 1.000001)
    }
  }
})

test('a joiner of an even ring gets V vnodes, all others keep theirs', (t) => {
  const before = planPlacement(undefined, join(...names(6)), settings(3))
  const after = planPlacement(before, join('n7'), settings(3))
  for (const node of names(7)) t.is(after.nodes.filter((owner) => owner === node).length, 3)
})

test('shares and movement keep their bounds in long random sequences, V=3', (t) => {
  t.timeout(120_000)
  walk(t, { seed: 1, steps: 1_500, virtualNodes: 3 })
  walk(t, { seed: 2, steps: 400, virtualNodes: 3, least: 12 })
  walk(t, { seed: 3, steps: 400, virtualNodes: 3, most: 7 })
})

test('shares and movement keep their bounds in long random sequences, V=8', (t) => {
  t.timeout(120_000)
  walk(t, { seed: 4, steps: 250, virtualNodes: 8 })
  walk(t, { seed: 5, steps: 250, virtualNodes: 8, most: 7 })
})

test('they keep them on the way up to 20 nodes and down to 3, again and again', (t) => {
  t.timeout(120_000)
  walk(t, { seed: 6, steps: 340, virtualNodes: 3, sweep: true })
  walk(t, { seed: 7, steps: 102, virtualNodes: 8, sweep: true })
})

test('they keep them with other numbers of replicas', (t) => {
  t.timeout(120_000)
  walk(t, { seed: 8, steps: 300, virtualNodes: 3, replicas: 1 })
  walk(t, { seed: 9, steps: 300, virtualNodes: 3, replicas: 2 })
  walk(t, { seed: 10, steps: 300, virtualNodes: 3, replicas: 5 })
  walk(t, { seed: 11, steps: 100, virtualNodes: 8, replicas: 5 })
})

test('several that join and leave at once are planned as one change', (t) => {
  t.timeout(120_000)
  const random = seeded(12)
  let nodes = names(3)
  let ids = 3
  let before = planPlacement(undefined, join(...nodes), settings(3))
  for (let step = 0; step < 300; step++) {
    const leavers = nodes.filter(() => random() < 0.2).slice(0, nodes.length - 3)
    const room = 20 - nodes.length + leavers.length
    const joiners = names(Math.min(room, 1 + Math.floor(random() * 5))).map(() => `n${++ids}`)
    nodes = [...nodes.filter((node) => !leavers.includes(node)), ...joiners]
    const delta = { join: joiners, leave: leavers, replace: [] }
    const after = planPlacement(before, delta, settings(3))
    check(t, `step ${step}`, { before, after, delta, bounds: boundsOf(3) })
    before = after
  }
})

test('the fresh node takes exactly the tokens of the old one', (t) => {
  const ring = planPlacement(undefined, join(...names(5)), settings(3))
  const replaced = planPlacement(
    ring,
    { join: [], leave: [], replace: [['n2', 'n6']] },
    settings(3),
  )
  t.deepEqual(replaced.tokens, ring.tokens)
  t.deepEqual(
    replaced.nodes,
    ring.nodes.map((node) => (node === 'n2' ? 'n6' : node)),
  )
})

test('a ring grows from one node and shrinks to none', (t) => {
  const config = settings(3)
  let ring = planPlacement(undefined, join('n1'), config)
  t.deepEqual(primaryShares(ring), new Map([['n1', 1]]))
  ring = planPlacement(ring, join('n2'), config)
  ring = planPlacement(ring, join('n3', 'n4'), config)
  t.true(fullest(primaryShares(ring)) <= 1.3)
  ring = planPlacement(ring, leave('n1', 'n2', 'n3'), config)
  t.deepEqual(primaryShares(ring), new Map([['n4', 1]]))
  ring = planPlacement(ring, leave('n4'), config)
  t.deepEqual([ring.tokens, ring.nodes], [[], []])
})

test('other quorums alone move no token', (t) => {
  const ring = planPlacement(undefined, join(...names(5)), settings(3, 3))
  const after = planPlacement(ring, join(), settings(3, 5))
  t.deepEqual([after.tokens, after.nodes, after.replicas], [ring.tokens, ring.nodes, 5])
})

test('the same input gives the same plan, in whichever order the nodes are named', (t) => {
  const config = settings(3)
  const ring = planPlacement(undefined, join(...names(6)), config)
  const copy = structuredClone(ring)
  const plan = planPlacement(ring, join('n7', 'n8'), config)
  t.deepEqual(planPlacement(copy, join('n8', 'n7'), config), plan)
  t.deepEqual(ring, copy, 'the current ring is left as it was')
})
