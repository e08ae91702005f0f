import test from 'ava'
import fc from 'fast-check'
import type { NodeId, Placement, Token, Transfer } from './description.js'
import { inRange, tokenSpace } from './token.js'
import { planTransfers } from './transfers.js'

const last = tokenSpace - 1
const everybody = () => true

function placement(
  vnodes: readonly (readonly [Token, NodeId])[],
  [replicas, writeQuorum]: readonly [number, number] = [2, 1],
): Placement {
  const sorted = [...vnodes].sort(([a], [b]) => a - b)
  const tokens = sorted.map(([token]) => token)
  const nodes = sorted.map(([, node]) => node)
  return { replicas, readQuorum: replicas + 1 - writeQuorum, writeQuorum, tokens, nodes }
}

test('a joiner copies each range from the one that loses it, in as few pieces as can be', (t) => {
  const before = placement([
    [100, 'n1'],
    [200, 'n2'],
    [300, 'n3'],
  ])
  const after = placement([
    [100, 'n1'],
    [150, 'n4'],
    [200, 'n2'],
    [300, 'n3'],
  ])
  t.deepEqual(planTransfers(before, after, everybody), [
    { from: 300, to: 100, gainer: 'n4', sources: ['n2'], needed: 1, wipe: true },
    { from: 100, to: 150, gainer: 'n4', sources: ['n3'], needed: 1, wipe: true },
  ])
})

test('in the place of a dead node a fresh one merges from N - W + 1 others', (t) => {
  const before = placement(
    [
      [1, 'n1'],
      [2, 'n2'],
      [3, 'n3'],
    ],
    [3, 2],
  )
  const after = placement(
    [
      [1, 'n1'],
      [2, 'n4'],
      [3, 'n3'],
    ],
    [3, 2],
  )
  const transfers = planTransfers(before, after, (node) => node !== 'n2')
  t.true(transfers.length > 0)
  for (const transfer of transfers) {
    t.is(transfer.needed, 2)
    t.deepEqual([...transfer.sources].sort(), ['n1', 'n3'])
  }
})

test('who is given up is not waited for; other dead owners may hold what it held', (t) => {
  const vnodes: [Token, NodeId][] = [1, 2, 3, 4, 5, 6].map((i) => [i * 100, `n${i}`])
  const before = placement(vnodes, [3, 2])
  const after = placement(vnodes.slice(1), [3, 2])
  const isAlive = (node: NodeId) => !['n1', 'n2', 'n6'].includes(node)
  const plan = (...givenUp: NodeId[]) =>
    planTransfers(before, after, isAlive, (node) => givenUp.includes(node))
  const lacking = (transfers: readonly Transfer[]) =>
    transfers.filter(({ sources, needed }) => sources.length < needed)
  t.true(lacking(plan()).length > 0)
  t.true(lacking(plan('n1')).length > 0, 'n2 and n6 may hold what n1 did')
  t.true(lacking(plan('n1', 'n2', 'n4')).length > 0, 'n6 and n1 own a range with n2')
  const cut = plan('n1', 'n2', 'n6')
  t.deepEqual(lacking(cut), [])
  t.deepEqual(
    cut.map(({ from, to, gainer, wipe }) => ({ from, to, gainer, wipe })),
    plan().map(({ from, to, gainer, wipe }) => ({ from, to, gainer, wipe })),
    'who gains, and wipes, stays the same',
  )
})

test('what an owner that is not given up holds is not lost with those that are', (t) => {
  let waits = 0
  fc.assert(
    fc.property(rings, fc.subarray(['n1', 'n2', 'n3']), fc.nat(), ({ before, after }, dead, at) => {
      const givenUp = dead.slice(1)
      const plan = (isGivenUp: (n: NodeId) => boolean) =>
        planTransfers(before, after, (n) => !dead.includes(n), isGivenUp)
      const transfers = plan((n) => givenUp.includes(n))
      for (const point of pointsOf(before, after)) {
        const old = ownersOf(before, point)
        const start = at % old.length
        const holders = [...old.slice(start), ...old.slice(0, start)]
          .slice(0, writeQuorumOf(before))
          .filter((n) => !givenUp.includes(n))
        const copies = transfersAt(point, transfers)
        const isStuck = copies.some(({ sources, needed }) => sources.length < needed)
        if (isStuck) waits++
        if (isStuck || holders.length === 0) continue
        const left = ownersOf(after, point).filter((owner) => {
          const copy = copies.find(({ gainer }) => gainer === owner)
          const lacking = copy?.sources.filter((source) => !holders.includes(source)).length ?? 0
          const copied = copy !== undefined && lacking < copy.needed
          return copied || (holders.includes(owner) && copy?.wipe !== true)
        })
        const fresh = ownersOf(after, point).filter((owner) => !old.includes(owner))
        const paired = copies.filter(({ needed, sources }) => needed === 1 && sources.length === 1)
        if (paired.length === 0) t.true(fresh.every((owner) => left.includes(owner)))
      }
    }),
    { numRuns: 3_000 },
  )
  t.true(waits > 100, `only ${waits} ranges wait for a dead owner`)
})

test('the same owners everywhere, but a larger W: all merge, and wipe nothing', (t) => {
  const vnodes = [
    [1, 'n1'],
    [2, 'n2'],
    [3, 'n3'],
  ] as const
  const transfers = planTransfers(placement(vnodes, [3, 2]), placement(vnodes, [3, 3]), everybody)
  t.deepEqual(
    transfers
      .map(({ gainer }) => gainer)
      .sort()
      .filter((g, i, all) => g !== all[i - 1]),
    ['n1', 'n2', 'n3'],
  )
  t.true(transfers.every(({ needed, wipe }) => needed === 1 && !wipe))
})

test('the last of two nodes gets the whole ring in one piece', (t) => {
  const transfers = planTransfers(
    placement(
      [
        [7, 'n1'],
        [9, 'n1'],
      ],
      [1, 1],
    ),
    placement([[5, 'n2']], [1, 1]),
    everybody,
  )
  t.is(transfers.length, 1)
  t.is(transfers[0]?.from, transfers[0]?.to)
})

test('nothing moves between equal placements, and nothing comes from an empty one', (t) => {
  const ring = placement([
    [1, 'n1'],
    [last, 'n2'],
  ])
  t.deepEqual(planTransfers(ring, ring, everybody), [])
  t.deepEqual(planTransfers(placement([]), ring, everybody), [])
})

// --- Against brute force ----------------------------------------------------------------------

const node = fc.integer({ min: 1, max: 6 }).map((n) => `n${n}`)
const token = fc.oneof(fc.nat(last), fc.nat(12), fc.constantFrom(0, last - 1, last))
const vnodes = fc.uniqueArray(fc.tuple(token, node), {
  selector: ([at]) => at,
  minLength: 1,
  maxLength: 9,
})
const quorums = fc
  .integer({ min: 1, max: 4 })
  .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 1, max: n })))

/** Two rings: unrelated ones, or one with some vnodes changed, taken out and added. */
const rings = fc
  .record({
    before: vnodes,
    other: vnodes,
    related: fc.boolean(),
    q: quorums,
    p: quorums,
    keep: fc.boolean(),
  })
  .map(({ before, other, related, q, p, keep }) => {
    const added = other.filter(([at]) => !before.some(([held]) => held === at))
    const after = related ? [...before.slice(1), ...added.slice(0, 2)] : other
    return {
      before: placement(before, q),
      after: placement(after.length > 0 ? after : other, keep ? q : p),
    }
  })

/** From the definition: sort the vnodes by their distance ahead of the point, drop repetitions. */
function ownersOf({ tokens, nodes, replicas }: Placement, point: Token): NodeId[] {
  const ahead = tokens.map((at, i) => ({
    distance: (at - point + tokenSpace) % tokenSpace,
    node: nodes[i] as NodeId,
  }))
  ahead.sort((a, b) => a.distance - b.distance)
  return [...new Set(ahead.map((vnode) => vnode.node))].slice(0, replicas)
}

/** Owners change only at tokens: one point on each side of all of them is every case there is. */
function pointsOf(...placements: Placement[]): Token[] {
  const tokens = placements.flatMap((each) => each.tokens)
  return [...new Set([...tokens, ...tokens.map((at) => (at + 1) % tokenSpace)])]
}

function writeQuorumOf({ nodes, writeQuorum }: Placement): number {
  return Math.min(writeQuorum, new Set(nodes).size)
}

/** What must be copied at one point, by the rules of the plan alone. */
function expectedAt(
  point: Token,
  before: Placement,
  after: Placement,
  alive: (n: NodeId) => boolean,
) {
  const old = ownersOf(before, point)
  const fresh = ownersOf(after, point)
  const spare = old.length - writeQuorumOf(before)
  const allMerge = fresh.length - writeQuorumOf(after) < spare
  const gainers = fresh.filter((n) => !old.includes(n))
  const losers = old.filter((n) => !fresh.includes(n))
  const expected = []
  for (const gainer of fresh) {
    const owned = old.includes(gainer)
    if (owned && !allMerge) continue
    const partner = losers[gainers.indexOf(gainer)]
    if (!allMerge && gainers.length === losers.length && partner !== undefined && alive(partner)) {
      expected.push({ gainer, sources: [partner], needed: 1, wipe: true })
      continue
    }
    const needed = spare + 1 - (owned ? 1 : 0)
    const sources = old.filter((n) => n !== gainer && alive(n))
    expected.push({ gainer, sources, needed, wipe: !owned })
  }
  return expected.filter(({ needed }) => needed > 0)
}

function transfersAt(point: Token, transfers: readonly Transfer[]) {
  return transfers
    .filter((transfer) => inRange(point, transfer))
    .map(({ gainer, sources, needed, wipe }) => ({ gainer, sources, needed, wipe }))
}

const byGainer = (a: { gainer: NodeId }, b: { gainer: NodeId }) => (a.gainer < b.gainer ? -1 : 1)

test('the two-pointer plan agrees with brute force on 10,000 random rings', (t) => {
  t.timeout(120_000)
  let wrapping = 0
  fc.assert(
    fc.property(rings, fc.subarray(['n1', 'n2', 'n3']), ({ before, after }, dead) => {
      const alive = (n: NodeId) => !dead.includes(n)
      const transfers = planTransfers(before, after, alive)
      for (const point of pointsOf(before, after)) {
        const expected = expectedAt(point, before, after, alive).sort(byGainer)
        t.deepEqual(transfersAt(point, transfers).sort(byGainer), expected)
      }
      wrapping += transfers.some(({ from, to }) => from >= to) ? 1 : 0
      const joinable = transfers.filter((a) =>
        transfers.some((b) => a !== b && a.to === b.from && sameButRange(a, b)),
      )
      t.deepEqual(joinable, [], 'adjacent ranges copied alike are one')
    }),
    { numRuns: 10_000 },
  )
  t.true(wrapping > 1_000, `only ${wrapping} rings with a transfer that wraps`)
})

function sameButRange(a: Transfer, b: Transfer): boolean {
  const key = ({ gainer, sources, needed, wipe }: Transfer) =>
    [gainer, ...sources, needed, wipe].join()
  return key(a) === key(b)
}

test('after the copies as many owners hold an acknowledged write as the new quorums count on', (t) => {
  fc.assert(
    fc.property(rings, fc.subarray(['n1', 'n2']), fc.nat(), ({ before, after }, dead, choice) => {
      const alive = (n: NodeId) => !dead.includes(n)
      const transfers = planTransfers(before, after, alive)
      for (const point of pointsOf(before, after)) {
        const copies = transfersAt(point, transfers)
        // A change with too few living sources never completes.
        if (copies.some(({ sources, needed }) => sources.length < needed)) continue
        const old = ownersOf(before, point)
        const start = choice % old.length
        const holders = [...old.slice(start), ...old.slice(0, start)].slice(
          0,
          writeQuorumOf(before),
        )
        const after2 = ownersOf(after, point).filter((owner) => {
          const copy = copies.find(({ gainer }) => gainer === owner)
          const lacking = copy?.sources.filter((source) => !holders.includes(source)).length ?? 0
          // The worst case: the sources read are those that lack the write.
          const copied = copy !== undefined && lacking < copy.needed
          return copied || (holders.includes(owner) && copy?.wipe !== true)
        })
        t.true(after2.length >= writeQuorumOf(after))
      }
    }),
    { numRuns: 3_000 },
  )
})
