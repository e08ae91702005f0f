import test from 'ava'
import fc from 'fast-check'
import type { Arc } from '../shared/ring/ring.js'
import type { Entry } from '../shared/runtime/ports.js'
import {
  type Copy,
  CopyMerge,
  compareEntries,
  copyOf,
  type Faults,
  type HeldKey,
  isFaultless,
  judge,
} from './copies.js'

const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'] as const

const anEntry: fc.Arbitrary<Entry> = fc
  .record({
    token: fc.constantFrom(0, 1, 2, 0x7fffffff, 0xffffffff),
    key: fc.uint8Array({ minLength: 1, maxLength: 2, max: 2 }),
    micros: fc.nat(3),
    deleted: fc.boolean(),
  })
  .map(({ token, key, micros, deleted }) => ({
    token,
    key,
    record: {
      version: { boot: 1, micros, writer: '00000000000000aa' },
      value: deleted ? null : new Uint8Array(0),
    },
  }))

/** A store: one entry a key, in the order of a dump. */
const aStore = fc
  .uniqueArray(anEntry, { selector: placeOf, maxLength: 12 })
  .map((entries) => entries.sort(compareEntries))

function placeOf({ token, key }: Pick<Entry, 'token' | 'key'>): string {
  return `${token} ${Buffer.from(key).toString('hex')}`
}

/** Feeds pages of the given sizes, in turn, to whoever is hungry. */
function mergeAll(stores: readonly (readonly Entry[])[], sizes: readonly number[]): HeldKey[] {
  const merge = new CopyMerge(nodes.slice(0, stores.length), copyOf)
  const fed = stores.map(() => 0)
  const merged: HeldKey[] = []
  for (let turn = 0; ; turn++) {
    for (let held = merge.next(); held !== undefined; held = merge.next()) merged.push(held)
    const [node] = merge.hungry
    if (node === undefined) return merged
    const index = nodes.indexOf(node as (typeof nodes)[number])
    const from = fed[index] ?? 0
    const to = from + (sizes[turn % sizes.length] ?? 1)
    fed[index] = to
    merge.feed(node, stores[index]?.slice(from, to) ?? [], to >= (stores[index]?.length ?? 0))
  }
}

test('the merge meets every copy of every key once, in order, whatever the pages', (t) => {
  const stores = fc.array(aStore, { minLength: 1, maxLength: nodes.length })
  const sizes = fc
    .array(fc.nat(4), { minLength: 1, maxLength: 5 })
    .filter((all) => Math.max(...all) > 0)
  fc.assert(
    fc.property(stores, sizes, (all, pages) => {
      const merged = mergeAll(all, pages)
      const expected = new Map<string, string[]>()
      all.forEach((store, index) => {
        for (const entry of store) {
          const { version, value } = entry.record
          const place = placeOf(entry)
          const copy = `${nodes[index]} ${version.micros} ${value === null}`
          expected.set(place, [...(expected.get(place) ?? []), copy])
        }
      })
      const found = merged.map((held) => [
        placeOf(held),
        held.copies.map(
          ({ node, version, isTombstone }) => `${node} ${version.micros} ${isTombstone}`,
        ),
      ])
      t.deepEqual(Object.fromEntries(found), Object.fromEntries(expected))
      t.is(found.length, expected.size, 'no key comes twice')
      merged.slice(1).forEach((held, index) => {
        t.true(compareEntries(merged[index] as HeldKey, held) < 0)
      })
    }),
  )
})

const quorums = { n: 3, r: 2, w: 2 }
const settled: Arc = { from: 0, to: 9, owners: ['n1', 'n2', 'n3'], quorums }
const copying: Arc = { ...settled, next: { owners: ['n2', 'n3', 'n4'], quorums } }

/** `n1:5 n2:5x`: n1 holds version 5, n2 a tombstone of it. */
function held(text: string): HeldKey {
  const copies = text.split(' ').map((word): Copy => {
    const [, node = '', micros, deleted] = /^(n\d):(\d+)(x?)$/.exec(word) ?? []
    const version = { boot: 1, micros: Number(micros), writer: '00000000000000aa' }
    return { node, version, isTombstone: deleted === 'x' }
  })
  return { token: 5, key: Buffer.from('k'), copies }
}

const none: Faults = { missing: [], misplaced: [], divergent: [], beyond: 0 }

test('each fault by its name', (t) => {
  const cases: readonly [copies: string, faults: Partial<Faults>, arc?: Arc, unread?: string][] = [
    ['n1:5 n2:5 n3:5', {}],
    ['n1:5 n3:5', { missing: ['n2'] }],
    ['n1:5 n2:4 n3:5', { divergent: ['n2'] }],
    ['n1:5 n2:5 n3:5 n4:5', { misplaced: ['n4'], beyond: 1 }],
    ['n1:5 n2:5 n4:5', { missing: ['n3'], misplaced: ['n4'] }],
    // Nobody who owns it has what was written last.
    ['n1:4 n2:4 n3:4 n5:6', { divergent: ['n1', 'n2', 'n3'], misplaced: ['n5'], beyond: 1 }],
    ['n5:6', { missing: ['n1', 'n2', 'n3'], misplaced: ['n5'] }],
    // Deleted: collected on some owners.
    ['n1:5x', {}],
    ['n1:5x n2:5x n3:5x', {}],
    ['n1:5x n2:4', { missing: ['n3'], divergent: ['n2'] }],
    ['n1:5x n2:4x', { divergent: ['n2'] }],
    ['n4:5x', { misplaced: ['n4'] }],
    // A change copies: the gainer may lag or lack it.
    ['n1:5 n2:5 n3:5', {}, copying],
    ['n1:5 n2:5 n3:5 n4:3', {}, copying],
    ['n1:5 n2:5 n3:5 n4:5 n5:5', { misplaced: ['n5'], beyond: 1 }, copying],
    // What could not be read is not judged.
    ['n1:5 n2:5', {}, settled, 'n3'],
    ['n1:5 n2:4', { divergent: ['n2'] }, settled, 'n3'],
  ]
  for (const [copies, faults, arc = settled, unread = ''] of cases) {
    const found = judge(held(copies), arc, new Set([unread]))
    t.deepEqual(found, { ...none, ...faults }, copies)
    t.is(isFaultless(found), Object.keys(faults).length === 0)
  }
})

test('N equal copies on the owners, and only these, are faultless', (t) => {
  const aCopy = fc.record({ node: fc.constantFrom(...nodes), micros: fc.nat(2) })
  const someCopies = fc.uniqueArray(aCopy, { selector: ({ node }) => node, minLength: 1 })
  fc.assert(
    fc.property(someCopies, (copies) => {
      const found = held(copies.map(({ node, micros }) => `${node}:${micros}`).join(' '))
      const holders = copies.map(({ node }) => node).sort()
      const same = copies.every(({ micros }) => micros === copies[0]?.micros)
      t.is(
        isFaultless(judge(found, settled, new Set())),
        same && `${holders}` === `${settled.owners}`,
      )
    }),
  )
})
