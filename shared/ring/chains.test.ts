import test from 'ava'
import fc from 'fast-check'
import {
  aborted,
  copying,
  deserted,
  drop,
  found,
  joined,
  lacking,
  newReaders,
  settled,
  switching,
} from './chains.js'
import type { Chain, NodeId, Placement, Token, Transfer } from './description.js'
import { preferenceList } from './preference.js'
import { compareNodes } from './ring.js'
import { inRange, tokenSpace } from './token.js'

const names: readonly NodeId[] = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6']
/** Where the histories look: one token in each of the arcs that can come about. */
const spots = Array.from({ length: 12 }, (_, i) => i * 100 + 50)

function placement(vnodes: readonly (readonly [Token, NodeId])[], replicas = 3): Placement {
  const sorted = [...vnodes].sort(([a], [b]) => a - b)
  const tokens = sorted.map(([token]) => token)
  return { replicas, readQuorum: 1, writeQuorum: replicas, tokens, nodes: sorted.map(([, n]) => n) }
}

const chain = (from: Token, to: Token, members: NodeId[], full = members.length): Chain => ({
  from,
  to,
  members,
  full,
  reader: members[full - 1] ?? '',
})

const four = placement([
  [100, 'n1'],
  [200, 'n2'],
  [300, 'n3'],
  [400, 'n4'],
])

test('a join: joiners stand behind, the old tail reads, then the joiner, then the loser goes', (t) => {
  const before = found(placement([100, 200, 300].map((token, i) => [token, `n${i + 1}`])))
  t.deepEqual(before[1], chain(100, 200, ['n2', 'n3', 'n1']))
  const plan = copying(before, four)
  t.is(plan.obstacle, undefined)
  t.deepEqual(plan.chains, [
    chain(400, 100, ['n1', 'n2', 'n3']),
    chain(100, 200, ['n2', 'n3', 'n1', 'n4'], 3),
    chain(200, 300, ['n3', 'n1', 'n2', 'n4'], 3),
    chain(300, 400, ['n1', 'n2', 'n3', 'n4'], 3),
  ])
  t.deepEqual(plan.transfers, [
    { from: 100, to: 200, gainer: 'n4', sources: ['n1'], needed: 1, wipe: true },
    { from: 200, to: 300, gainer: 'n4', sources: ['n2'], needed: 1, wipe: true },
    { from: 300, to: 400, gainer: 'n4', sources: ['n3'], needed: 1, wipe: true },
  ])
  const switched = switching(plan.chains, plan.transfers)
  t.deepEqual(
    switched.map(({ reader }) => reader),
    ['n3', 'n4', 'n4', 'n4'],
  )
  t.deepEqual(newReaders(switched), ['n4'])
  t.deepEqual(settled(switched, four), [
    chain(400, 100, ['n1', 'n2', 'n3']),
    chain(100, 200, ['n2', 'n3', 'n4']),
    chain(200, 300, ['n3', 'n1', 'n4']),
    chain(300, 400, ['n1', 'n2', 'n4']),
  ])
  t.deepEqual(aborted(switched), before)
})

test('where nobody joins, a leaver reads to the end: those before it hold what it showed', (t) => {
  const three = placement([100, 200, 300].map((token, i) => [token, `n${i + 1}`]))
  const two = placement(three.tokens.slice(0, 2).map((token, i) => [token, `n${i + 1}`]))
  const plan = copying(found(three), two)
  t.deepEqual(plan.transfers, [])
  t.deepEqual(switching(plan.chains, []), plan.chains)
  t.deepEqual(newReaders(plan.chains), [])
  t.deepEqual(settled(plan.chains, two), [
    chain(200, 100, ['n1', 'n2']),
    chain(100, 200, ['n2', 'n1']),
  ])
})

test('the dead go at once, in any place, never the last full member', (t) => {
  const up =
    (...nodes: NodeId[]) =>
    (node: NodeId) =>
      nodes.includes(node)
  const chains = [chain(0, 0, ['n1', 'n2', 'n3', 'n4', 'n5'], 3)]
  t.is(
    drop(chains, () => true),
    chains,
  )
  t.deepEqual(drop(chains, up('n1', 'n3', 'n4', 'n5')), [chain(0, 0, ['n1', 'n3', 'n4', 'n5'], 2)])
  t.deepEqual(drop(chains, up('n1', 'n2', 'n5')), [chain(0, 0, ['n1', 'n2', 'n5'], 2)])
  t.deepEqual(drop(chains, up('n4')), [chain(0, 0, ['n1', 'n2', 'n3', 'n4'], 3)])
  const switched = [{ ...chain(0, 0, ['n1', 'n2', 'n3', 'n4'], 2), reader: 'n4' }]
  t.is(drop(switched, up('n2', 'n3', 'n4'))[0]?.reader, 'n4')
  t.is(drop(switched, up('n1', 'n2', 'n3'))[0]?.reader, 'n3')
  t.is(drop(switched, up('n1', 'n2'))[0]?.reader, 'n2')
  t.deepEqual(
    drop([chain(0, 0, ['n1', 'n2'])], up('n3')),
    [chain(0, 0, ['n1', 'n2'])],
    'whoever comes back first holds all',
  )
})

test('who was dropped and is up again is copied to, by a change that changes no owner', (t) => {
  const chains = drop(found(four), (node) => node !== 'n2')
  t.deepEqual(
    lacking(chains, four, (node) => node !== 'n2'),
    [],
  )
  t.deepEqual(
    lacking(chains, four, () => true),
    ['n2'],
  )
  const plan = copying(chains, four)
  t.deepEqual(
    plan.transfers.map(({ to, gainer, sources }) => [to, gainer, ...sources]),
    [
      [100, 'n2', 'n3'],
      [200, 'n2', 'n4'],
      [400, 'n2', 'n1'],
    ],
  )
  const after = settled(switching(plan.chains, plan.transfers), four)
  t.deepEqual(after[1], chain(100, 200, ['n3', 'n4', 'n2']))
})

test('a range that only the dead hold blocks who would take it, and no other change', (t) => {
  const isUp = (node: NodeId) => node !== 'n3'
  const pair = placement(
    [
      [100, 'n1'],
      [200, 'n3'],
    ],
    1,
  )
  const chains = drop(found(pair), isUp)
  const grown = placement(
    [
      [100, 'n1'],
      [150, 'n2'],
      [200, 'n3'],
    ],
    1,
  )
  const without = placement(
    [
      [100, 'n1'],
      [200, 'n2'],
    ],
    1,
  )
  t.deepEqual(copying(chains, grown, isUp).obstacle, { kind: 'unread', nodes: ['n3'] })
  t.deepEqual(copying(chains, without, isUp).obstacle, { kind: 'unread', nodes: ['n3'] })
  const split = placement(
    [
      [50, 'n2'],
      [100, 'n1'],
      [200, 'n3'],
    ],
    1,
  )
  t.is(copying(chains, split, isUp).obstacle, undefined)
  const begun = copying(chains, without, isUp, (node) => node === 'n3')
  t.is(begun.obstacle, undefined)
  t.deepEqual(begun.transfers, [
    { from: 100, to: 200, gainer: 'n2', sources: [], needed: 0, wipe: true },
  ])
  const switched = switching(begun.chains, begun.transfers)
  t.deepEqual(switched[1], chain(100, 200, ['n3', 'n2'], 1), 'it begins once all is settled')
  t.deepEqual(settled(switched, without)[1], chain(100, 200, ['n2']))
})

test('of a range whose full members are all down none goes, unless it is given up', (t) => {
  const isUp = (node: NodeId) => node === 'n4'
  const nobody = () => false
  const chains = drop(found(four), isUp)
  const grown = placement([
    [100, 'n1'],
    [200, 'n2'],
    [250, 'n4'],
    [300, 'n3'],
    [400, 'n4'],
  ])
  // Of (0, 100] n3 would go, and n4 come.
  const dead = ['n1', 'n2', 'n3']
  t.deepEqual(copying(chains, grown, isUp).obstacle, { kind: 'unread', nodes: dead })
  t.deepEqual(deserted(chains, grown, isUp, nobody), dead)
  t.is(
    deserted(chains, grown, (node) => node === 'n3', nobody),
    undefined,
    'one is back',
  )
  t.is(deserted(chains, four, isUp, nobody), undefined, 'all of them stay')
  const isGivenUp = (node: NodeId) => node === 'n3'
  t.is(copying(chains, grown, isUp, isGivenUp).obstacle, undefined)
  t.is(deserted(chains, grown, isUp, isGivenUp), undefined)
})

test('no copy is given up for want of an owner that is down', (t) => {
  const three = placement([
    [100, 'n1'],
    [200, 'n2'],
    [300, 'n3'],
    [400, 'n4'],
    [500, 'n5'],
  ])
  const chains = drop(found(three), (node) => node !== 'n4')
  const without = placement([
    [100, 'n1'],
    [300, 'n3'],
    [400, 'n4'],
    [500, 'n5'],
  ])
  const plan = copying(chains, without, (node) => node !== 'n4')
  t.deepEqual(plan.obstacle, { kind: 'absent', nodes: ['n4'] })
  t.is(copying(chains, without).obstacle, undefined)
})

// --- Histories --------------------------------------------------------------------------------

type Deed =
  | { readonly do: 'change'; readonly owners: readonly number[]; readonly replicas: number }
  | { readonly do: 'die'; readonly node: number }
  | { readonly do: 'return'; readonly node: number }
  | { readonly do: 'write'; readonly spot: number; readonly hops: number }
  | { readonly do: 'read'; readonly spot: number }
  | { readonly do: 'advance' | 'abort' | 'rejoin' }

const node = fc.nat(names.length - 1)
const spot = fc.nat(spots.length - 1)
const owners = fc.array(node, { minLength: 2, maxLength: 6 })
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({
    do: fc.constant('change' as const),
    owners,
    replicas: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ do: fc.constant('die' as const), node }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('return' as const), node }) },
  fc.record({ do: fc.constant('write' as const), spot, hops: fc.nat(5) }),
  fc.record({ do: fc.constant('write' as const), spot, hops: fc.constant(9) }),
  fc.record({ do: fc.constant('read' as const), spot }),
  { weight: 4, arbitrary: fc.constant({ do: 'advance' as const }) },
  fc.constant({ do: 'rejoin' as const }),
  fc.constant({ do: 'abort' as const }),
)

interface Change {
  readonly next: Placement
  readonly transfers: readonly Transfer[]
  readonly isSwitched: boolean
}

/** What is known of the keys of one spot; each write has a key of its own. */
interface Ledger {
  readonly held: Map<NodeId, Set<number>>
  readonly acknowledged: Set<number>
  readonly shown: Set<number>
  isMarked: boolean
}

/** Chains in the hands of a manager, and nodes that hold what they were sent. */
class History {
  readonly up = new Set(names)
  placement: Placement
  chains: readonly Chain[]
  change: Change | undefined
  readonly ledgers: readonly Ledger[]
  writes = 0

  constructor(placed: Placement) {
    this.placement = placed
    this.chains = found(placed)
    this.ledgers = spots.map(() => ({
      held: new Map(names.map((id) => [id, new Set<number>()])),
      acknowledged: new Set(),
      shown: new Set(),
      isMarked: false,
    }))
  }

  readonly isUp = (id: NodeId) => this.up.has(id)

  perform(deed: Deed): void {
    if (deed.do === 'change') this.#start(anyPlacement(deed.owners, deed.replicas))
    else if (deed.do === 'rejoin') this.#start(this.placement)
    else if (deed.do === 'write') this.#write(deed.spot, deed.hops)
    else if (deed.do === 'read') this.#read(deed.spot)
    else if (deed.do === 'abort') this.#abort()
    else if (deed.do === 'advance') this.#advance()
    else if (deed.do === 'return') this.up.add(names[deed.node] as NodeId)
    else if (deed.do === 'die') this.up.delete(names[deed.node] as NodeId)
    this.#drop()
  }

  #start(next: Placement): void {
    if (this.change !== undefined) return
    const { chains, transfers, obstacle } = copying(this.chains, next, this.isUp)
    if (obstacle !== undefined) return
    for (const { gainer, from, to } of transfers) {
      this.#each({ from, to }, ({ held }) => held.set(gainer, new Set()))
    }
    this.#publish(chains, { next, transfers, isSwitched: false })
  }

  #advance(): void {
    const { change } = this
    if (change === undefined) return
    const { next, transfers, isSwitched } = change
    if (isSwitched) {
      // The new readers have their marks.
      const isReady = spots.every((at, i) => {
        const { full, members, reader } = this.chainAt(at)
        return members.indexOf(reader) < full || this.#mark(i)
      })
      if (!isReady) return
      this.placement = next
      return this.#publish(settled(this.chains, next), undefined)
    }
    for (const { gainer, sources, from, to } of transfers) {
      this.#each({ from, to }, ({ held }) => {
        for (const source of sources) for (const it of at(held, source)) at(held, gainer).add(it)
      })
    }
    this.#publish(switching(this.chains, transfers), { next, transfers, isSwitched: true })
  }

  #abort(): void {
    if (this.change !== undefined) this.#publish(aborted(this.chains), undefined)
  }

  /** As a manager does, also where that ends the change. */
  #drop(): void {
    const kept = drop(this.chains, this.isUp)
    const { change } = this
    if (change === undefined) {
      if (kept !== this.chains) this.#publish(joined(kept), undefined)
      return
    }
    const isOpen = ({ gainer, sources, from, to }: Transfer) => {
      const { members } = kept.find((it) => it.from === from && it.to === to) as Chain
      const hasSource = change.isSwitched || sources.every((it) => members.includes(it))
      return !members.includes(gainer) || !hasSource
    }
    const lists = (it: Chain) => ownersAt(change.next, it.to)
    const isOrphan = (it: Chain) => !it.members.some((member) => lists(it).includes(member))
    if (change.transfers.some(isOpen) || kept.some(isOrphan)) {
      this.#publish(aborted(kept), undefined)
    } else if (kept !== this.chains) this.#publish(kept, change)
  }

  #publish(chains: readonly Chain[], change: Change | undefined): void {
    this.chains = chains
    this.change = change
    for (const [i, ledger] of this.ledgers.entries()) {
      ledger.isMarked = false
      if (change !== undefined) continue
      const { members } = this.chainAt(spots[i] as Token)
      for (const id of names) if (!members.includes(id)) ledger.held.set(id, new Set())
    }
  }

  /** Passes so many members on its way down; the dead pass nothing on. */
  #write(index: number, hops: number): void {
    const { members } = this.chainAt(spots[index] as Token)
    const { held, acknowledged } = this.ledgers[index] as Ledger
    const write = ++this.writes
    for (const [hop, id] of members.entries()) {
      if (hop > hops || !this.isUp(id)) return
      at(held, id).add(write)
    }
    acknowledged.add(write)
  }

  #read(index: number): void {
    if (!this.#mark(index)) return
    const ledger = this.ledgers[index] as Ledger
    const { reader } = this.chainAt(spots[index] as Token)
    const read = at(ledger.held, reader)
    const lost = [...ledger.acknowledged, ...ledger.shown].filter((write) => !read.has(write))
    if (lost.length > 0) throw new Error(`${reader} lost ${lost.join(', ')} at ${spots[index]}`)
    for (const write of read) ledger.shown.add(write)
  }

  /** True: the reader has the mark of this ring. What was not acknowledged went before it. */
  #mark(index: number): boolean {
    const ledger = this.ledgers[index] as Ledger
    const { members, reader } = this.chainAt(spots[index] as Token)
    const way = members.slice(0, members.indexOf(reader) + 1)
    if (!way.every(this.isUp)) return false
    if (ledger.isMarked) return true
    for (const [hop, id] of way.entries()) {
      const before = way[hop - 1]
      if (before === undefined) continue
      for (const write of at(ledger.held, before)) {
        if (!ledger.acknowledged.has(write)) at(ledger.held, id).add(write)
      }
    }
    ledger.isMarked = true
    return true
  }

  #each(range: { from: Token; to: Token }, visit: (ledger: Ledger) => void): void {
    for (const [i, token] of spots.entries()) {
      if (inRange(token, range)) visit(this.ledgers[i] as Ledger)
    }
  }

  chainAt(token: Token): Chain {
    return this.chains.find((it) => inRange(token, it)) as Chain
  }
}

function at(held: ReadonlyMap<NodeId, Set<number>>, id: NodeId): Set<number> {
  return held.get(id) as Set<number>
}

function anyPlacement(owners: readonly number[], replicas: number): Placement {
  const vnodes = owners.map((owner, i) => [((i * 5 + owner) % 12) * 100, names[owner] as NodeId])
  const distinct = new Map(vnodes as [Token, NodeId][])
  return placement([...distinct], replicas)
}

function ownersAt(placed: Placement, token: Token): readonly NodeId[] {
  const index = placed.tokens.findIndex((end) => end >= token)
  return preferenceList(placed, Math.max(index, 0))
}

/** What holds of any chains at any moment. */
function fault({ chains, change, placement: placed, isUp }: History): string | undefined {
  for (const [i, it] of chains.entries()) {
    const { from, to, members, full, reader } = it
    const before = chains.at(i - 1) as Chain
    if (before.to !== from) return `a gap before ${to}`
    if (i > 0 && to <= before.to) return `the order at ${to}`
    if (new Set(members).size !== members.length) return `twice in ${members}`
    if (full < 1 || full > members.length) return `${full} full of ${members}`
    const joiners = members.slice(full)
    const isTail = reader === members[full - 1]
    if (!isTail && (change?.isSwitched !== true || reader !== joiners.at(-1)))
      return `reads ${reader}`
    for (const joiner of joiners) {
      const own = change?.transfers.filter((it) => it.gainer === joiner && it.to === to) ?? []
      const [transfer] = own
      if (own.length !== 1 || transfer?.from !== from) return `no transfer to ${joiner}`
      if (!transfer.wipe || transfer.needed !== 1) return `not a whole copy for ${joiner}`
    }
    const named = [...ownersAt(placed, to), ...(change ? ownersAt(change.next, to) : [])]
    if (members.some((id) => !named.includes(id))) return `a stranger in ${members}`
    if (members.slice(0, full).some(isUp) && !members.every(isUp)) return `a dead in ${members}`
    if (change === undefined && chains.length > 1 && joined(chains) !== chains) {
      if (joined(chains).length !== chains.length) return 'neighbours that do not differ'
    }
  }
  return undefined
}

/** Whoever was in a chain before keeps its place among those who stayed. */
function outOfOrder(before: readonly Chain[], after: readonly Chain[]): string | undefined {
  for (const token of spots) {
    const old = before.find((it) => inRange(token, it))?.members ?? []
    const now = after.find((it) => inRange(token, it))?.members ?? []
    const stayed = old.filter((id) => now.includes(id))
    if (stayed.some((id, i) => now[i] !== id)) return `${old} became ${now} at ${token}`
  }
  return undefined
}

test('whatever happens, a reader never reads less than was acknowledged or shown', (t) => {
  t.timeout(120_000)
  const deeds = fc.array(deed, { minLength: 5, maxLength: 40 })
  let settledChanges = 0
  const property = fc.property(owners, deeds, (first, deeds) => {
    const history = new History(anyPlacement(first, 3))
    for (const deed of deeds) {
      const { chains: before, placement: placed } = history
      history.perform(deed)
      const wrong = fault(history) ?? outOfOrder(before, history.chains)
      if (wrong !== undefined) throw new Error(`${JSON.stringify(deed)}: ${wrong}`)
      if (history.placement !== placed) settledChanges++
    }
    for (let round = 0; round < 3; round++) {
      for (const id of names.keys()) history.perform({ do: 'return', node: id })
      history.perform({ do: 'rejoin' })
      history.perform({ do: 'advance' })
      history.perform({ do: 'advance' })
    }
    t.is(history.change, undefined)
    t.deepEqual(lacking(history.chains, history.placement, history.isUp), [])
    for (const [i, token] of spots.entries()) {
      const members = [...history.chainAt(token).members].sort(compareNodes)
      t.deepEqual(members, [...ownersAt(history.placement, token)].sort(compareNodes))
      history.perform({ do: 'read', spot: i })
    }
  })
  fc.assert(property, { numRuns: 3_000 })
  t.true(settledChanges > 500, `${settledChanges} changes came to an end`)
})

test('one node holds the whole ring', (t) => {
  const alone = found(
    placement([
      [5, 'n1'],
      [tokenSpace - 1, 'n1'],
    ]),
  )
  t.deepEqual(alone, [chain(tokenSpace - 1, tokenSpace - 1, ['n1'])])
})
