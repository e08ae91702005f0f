import test from 'ava'
import fc from 'fast-check'
import type { Placement, RingDescription } from './description.js'
import { compareNodes, effectiveQuorums, Ring } from './ring.js'
import { inRange, rangeWidth, tokenSpace } from './token.js'

const last = tokenSpace - 1

function placement(vnodes: [number, string][], replicas = 2): Placement {
  const sorted = [...vnodes].sort(([a], [b]) => a - b)
  return {
    replicas,
    readQuorum: replicas,
    writeQuorum: 1,
    tokens: sorted.map(([token]) => token),
    nodes: sorted.map(([, node]) => node),
  }
}

function describe(current: Placement, next?: Placement): RingDescription {
  const ids = [...new Set([...current.nodes, ...(next?.nodes ?? [])])]
  return {
    epoch: 7,
    swarm: 's',
    boot: 1,
    members: ids.map((id, i) => ({ id, incarnation: 2, pid: 100 + i, startTime: '1' })),
    placement: current,
    ...(next === undefined ? {} : { change: { plan: 1, next, transfers: [] } }),
  }
}

test('a settled ring has an arc a vnode and finds it for every token', (t) => {
  const ring = new Ring(
    describe(
      placement([
        [10, 'n1'],
        [20, 'n2'],
        [30, 'n10'],
      ]),
    ),
  )
  t.deepEqual(ring.nodes, ['n1', 'n2', 'n10'])
  t.is(ring.epoch, 7)
  t.false(ring.forming)
  t.deepEqual(ring.arcOf(11).owners, ['n2', 'n10'])
  t.deepEqual(ring.arcOf(20).owners, ['n2', 'n10'])
  for (const token of [31, last, 0, 10]) t.deepEqual(ring.arcOf(token).owners, ['n1', 'n2'])
  t.is(ring.arcOf(15).next, undefined)
  t.is(ring.address('n10'), 'n10.2')
  t.is(ring.member('n2')?.pid, 101)
  t.is(ring.member('n3'), undefined)
  t.is(ring.address('n3'), undefined)
})

test('a single vnode owns the whole ring, which is forming below N nodes', (t) => {
  const ring = new Ring(describe(placement([[5, 'n1']], 3)))
  t.true(ring.forming)
  t.deepEqual(effectiveQuorums(ring.description.placement), { n: 1, r: 1, w: 1 })
  for (const token of [0, 5, 6, last]) t.deepEqual(ring.arcOf(token).owners, ['n1'])
  t.deepEqual(ring.ownedRanges('n1'), [{ from: 5, to: 5 }])
})

test('an empty ring answers that nobody owns anything', (t) => {
  const ring = new Ring(describe(placement([])))
  t.true(ring.forming)
  t.deepEqual(ring.arcOf(3).owners, [])
})

test('a change names both sides where owners or quorums differ, and only there', (t) => {
  const before = placement([
    [10, 'n1'],
    [20, 'n2'],
    [30, 'n3'],
  ])
  const after = placement([
    [10, 'n1'],
    [15, 'n4'],
    [20, 'n2'],
    [30, 'n3'],
  ])
  const ring = new Ring(describe(before, after))
  t.deepEqual(ring.arcOf(12).owners, ['n2', 'n3'])
  t.deepEqual(ring.arcOf(12).next?.owners, ['n4', 'n2'])
  t.is(ring.arcOf(17).next, undefined)
  t.deepEqual(ring.arcOf(5).next?.owners, ['n1', 'n4'])
  t.deepEqual(ring.nodes, ['n1', 'n2', 'n3'])
  t.deepEqual(ring.ownedRanges('n4'), [{ from: 30, to: 15 }])

  const quorums = new Ring(describe(before, { ...before, writeQuorum: 2 }))
  t.deepEqual(quorums.arcOf(12).next?.quorums, { n: 2, r: 2, w: 2 })
})

test('the fallbacks of an arc are the other nodes clockwise, each once', (t) => {
  const ring = new Ring(
    describe(
      placement([
        [10, 'n1'],
        [20, 'n2'],
        [30, 'n4'],
        [40, 'n2'],
        [50, 'n3'],
        [60, 'n4'],
        [70, 'n5'],
      ]),
    ),
  )
  t.deepEqual(ring.arcOf(5).owners, ['n1', 'n2'])
  t.deepEqual(ring.fallbacksOf(ring.arcOf(5)), ['n4', 'n3', 'n5'])
  t.deepEqual(ring.fallbacksOf(ring.arcOf(65)), ['n2', 'n4', 'n3'])
  t.deepEqual(ring.fallbacksOf(ring.arcOf(71)), ['n4', 'n3', 'n5'], 'past the last token')
  const lonely = new Ring(describe(placement([[5, 'n1']], 3)))
  t.deepEqual(lonely.fallbacksOf(lonely.arcOf(5)), [])
})

test('while a change runs the owners of both sides and the joiners stand in for nobody', (t) => {
  const current = placement([
    [10, 'n1'],
    [20, 'n2'],
    [30, 'n3'],
    [40, 'n4'],
    [50, 'n5'],
  ])
  const next = { ...current, nodes: ['n1', 'n6', 'n7', 'n4', 'n5'] }
  const ring = new Ring(describe(current, next))
  const arc = ring.arcOf(5)
  t.deepEqual(
    [arc.owners, arc.next?.owners],
    [
      ['n1', 'n2'],
      ['n1', 'n6'],
    ],
  )
  t.deepEqual(ring.fallbacksOf(arc), ['n4', 'n5', 'n3'], 'the leaver last')
})

test('nodes are ordered by their numbers', (t) => {
  t.deepEqual(['n10', 'n2', 'n1', 'n2'].sort(compareNodes), ['n1', 'n2', 'n2', 'n10'])
})

const vnodes = fc
  .uniqueArray(
    fc.tuple(
      fc.oneof(fc.nat(last), fc.constantFrom(0, 1, last - 1, last)),
      fc.integer({ min: 1, max: 6 }).map((n) => `n${n}`),
    ),
    { selector: ([token]) => token, minLength: 1, maxLength: 12 },
  )
  .map((list) => list as [number, string][])

/** From the definition: sort the vnodes by their distance ahead of the token, drop repetitions. */
function ownersOf({ tokens, nodes, replicas }: Placement, token: number): string[] {
  const ahead = tokens.map((at, i) => ({
    distance: (at - token + tokenSpace) % tokenSpace,
    node: nodes[i] as string,
  }))
  ahead.sort((a, b) => a.distance - b.distance)
  return [...new Set(ahead.map(({ node }) => node))].slice(0, replicas)
}

test('every lookup agrees with the definition of a preference list', (t) => {
  fc.assert(
    fc.property(vnodes, vnodes, fc.integer({ min: 1, max: 4 }), fc.nat(last), (a, b, n, any) => {
      const before = placement(a, n)
      const after = placement(b, n)
      const ring = new Ring(describe(before, after))
      for (const token of [
        any,
        ...before.tokens,
        ...after.tokens.map((at) => (at + 1) % tokenSpace),
      ]) {
        const arc = ring.arcOf(token)
        t.true(inRange(token, arc))
        t.deepEqual(arc.owners, ownersOf(before, token))
        t.deepEqual([...(arc.next ?? arc).owners].sort(), ownersOf(after, token).sort())
        for (const node of ['n1', 'n2', 'n3']) {
          const owned = ring.ownedRanges(node).some((range) => inRange(token, range))
          t.is(owned, arc.owners.includes(node) || arc.next?.owners.includes(node) === true)
        }
      }
      t.is(
        ring.arcs.reduce((sum, arc) => sum + rangeWidth(arc), 0),
        tokenSpace,
      )
    }),
    { numRuns: 500 },
  )
})
