import test from 'ava'
import fc from 'fast-check'
import { inRange, rangeWidth, tokenSpace } from '../ring/token.js'
import {
  differingLeaves,
  isEmptyLeaf,
  leafOf,
  leafRange,
  leavesFor,
  MerkleLeaves,
} from './merkle.js'
import type { Version } from './version.js'

const hashBytes = 8

interface Copy {
  readonly token: number
  readonly key: Uint8Array
  readonly record: { readonly version: Version }
}

const ranges = fc.oneof(
  fc.record({ from: fc.integer({ min: 0, max: tokenSpace - 1 }), to: fc.constant(7) }),
  fc.record({
    from: fc.integer({ min: 0, max: tokenSpace - 1 }),
    to: fc.integer({ min: 0, max: tokenSpace - 1 }),
  }),
  // Narrow ones, where the number of points limits the leaves.
  fc
    .integer({ min: 0, max: tokenSpace - 1 })
    .chain((from) =>
      fc.integer({ min: 1, max: 20 }).map((width) => ({ from, to: (from + width) % tokenSpace })),
    ),
)

/** Where in a range, as a share of it; which key; which version of it. */
const placed = fc.record({
  share: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  key: fc.constantFrom('a', 'b', 'ab', ''),
  micros: fc.integer({ min: 1, max: 3 }),
  writer: fc.constantFrom('0011', '0012'),
})
type Placed = typeof placed extends fc.Arbitrary<infer T> ? T : never

/** One copy a token and key, in the order of a scan. */
function copyOf(places: readonly Placed[], range: { from: number; to: number }): Map<string, Copy> {
  const copies = places.map(({ share, key, micros, writer }) => {
    const offset = Math.floor(share * rangeWidth(range))
    const token = (range.from + 1 + offset) % tokenSpace
    const version = { boot: 1, micros, writer }
    return { offset, name: `${offset}/${key}`, token, key: Buffer.from(key), record: { version } }
  })
  copies.sort((a, b) => a.offset - b.offset || Buffer.compare(a.key, b.key))
  return new Map(copies.map((copy) => [copy.name, copy]))
}

function hashesOf(
  copies: Iterable<Copy>,
  range: { from: number; to: number },
  leaves: number,
): Uint8Array {
  const merkle = new MerkleLeaves(range, leaves, hashBytes)
  for (const copy of copies) merkle.add(copy)
  return merkle.finish()
}

function isSame(a: Copy | undefined, b: Copy | undefined): boolean {
  return JSON.stringify(a?.record) === JSON.stringify(b?.record)
}

test('leaves differ exactly where keys differ, however the range is cut', (t) => {
  const property = fc.property(
    ranges,
    fc.array(placed, { maxLength: 30 }),
    fc.array(placed, { maxLength: 4 }),
    fc.integer({ min: 1, max: 1024 }),
    (range, shared, extra, wanted) => {
      const leaves = Math.min(wanted, rangeWidth(range))
      const ours = copyOf(shared, range)
      const theirs = copyOf([...shared, ...extra], range)
      const found = differingLeaves(
        hashesOf(ours.values(), range, leaves),
        hashesOf(theirs.values(), range, leaves),
        hashBytes,
      )
      const names = [...new Set([...ours.keys(), ...theirs.keys()])]
      const differing = names.filter((name) => !isSame(ours.get(name), theirs.get(name)))
      const expected = differing.map((name) => {
        const token = (theirs.get(name) ?? ours.get(name))?.token ?? 0
        return leafOf(token, range, leaves)
      })
      t.deepEqual(
        found,
        [...new Set(expected)].sort((a, b) => a - b),
      )
    },
  )
  fc.assert(property, { numRuns: 500 })
})

test('the leaves of a range cover each point of it once', (t) => {
  const property = fc.property(
    ranges,
    fc.integer({ min: 1, max: 1024 }),
    fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    (range, wanted, share) => {
      const leaves = Math.min(wanted, rangeWidth(range))
      const token = (range.from + 1 + Math.floor(share * rangeWidth(range))) % tokenSpace
      const leaf = leafOf(token, range, leaves)
      t.true(inRange(token, leafRange(range, leaves, leaf)))
      let width = 0
      for (let index = 0; index < leaves; index++) {
        const part = leafRange(range, leaves, index)
        width += rangeWidth(part)
        if (index > 0) t.is(part.from, leafRange(range, leaves, index - 1).to)
      }
      t.is(width, rangeWidth(range))
    },
  )
  fc.assert(property, { numRuns: 50 })
})

test('a leaf holds about one entry, up to the limits of leaves and of points', (t) => {
  const whole = { from: 0, to: 0 }
  t.is(leavesFor(0, whole, 1024), 1)
  t.is(leavesFor(3, whole, 1024), 4)
  t.is(leavesFor(1_000_000, whole, 1024), 1024)
  t.is(leavesFor(1_000, { from: 10, to: 13 }, 1024), 3)
})

test('an empty leaf is told from one that holds something', (t) => {
  const range = { from: 0, to: 10 }
  const version = { boot: 1, micros: 1, writer: 'w' }
  const hashes = hashesOf([{ token: 9, key: Buffer.from('k'), record: { version } }], range, 2)
  t.true(isEmptyLeaf(hashes, 0, hashBytes))
  t.false(isEmptyLeaf(hashes, 1, hashBytes))
})

test('a scan out of order is refused, as are sides of different size', (t) => {
  const merkle = new MerkleLeaves({ from: 0, to: 100 }, 10, hashBytes)
  const at = (token: number) => ({
    token,
    key: Buffer.from('k'),
    record: { version: { boot: 1, micros: 1, writer: 'w' } },
  })
  merkle.add(at(90))
  t.throws(() => merkle.add(at(5)), { message: /order/ })
  t.throws(() => differingLeaves(new Uint8Array(8), new Uint8Array(16), hashBytes))
})
