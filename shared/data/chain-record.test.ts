/** Merges of what a chain keeps of a key: order and repetition do not matter. */
import test from 'ava'
import fc from 'fast-check'
import {
  chainMerge,
  type DecidedRequest,
  noVersion,
  requestsOf,
  withRequests,
} from './chain-record.js'
import type { StoredRecord } from './record.js'
import { compareVersions, type Version } from './version.js'

const version = (micros: number): Version => ({ boot: 1, micros, writer: '0000000000000001' })

/** What one request became, wherever it is met: members never disagree about it. */
function decided(number: number): DecidedRequest {
  const stamp = { boot: 1, micros: number, writer: `c${number % 3}` }
  const isRefused = number % 4 === 0
  const met = number % 2 === 0 ? version(number) : null
  return { stamp, deadline: 1000 + number, version: isRefused ? null : version(number + 1), met }
}

/** Records of one key as members may hold them: of one version there is one value. */
const record: fc.Arbitrary<StoredRecord> = fc
  .tuple(fc.nat(6), fc.uniqueArray(fc.nat(12)))
  .map(([micros, numbers]) => {
    const value = micros % 3 === 0 ? null : Buffer.from(`value ${micros}`)
    const at = micros === 0 ? noVersion : version(micros)
    return withRequests({ version: at, value }, numbers.map(decided))
  })

test('the newer value wins, and the requests of both are kept', (t) => {
  fc.assert(
    fc.property(record, record, (a, b) => {
      const merged = chainMerge(a, b)
      const newer = compareVersions(a.version, b.version) >= 0 ? a : b
      t.deepEqual([merged.version, merged.value], [newer.version, newer.value])
      const stamps = (each: StoredRecord) => requestsOf(each).map(({ stamp }) => stamp.micros)
      const all = new Set([...stamps(a), ...stamps(b)])
      t.deepEqual(
        stamps(merged),
        [...all].sort((one, other) => one - other),
      )
    }),
  )
  t.pass()
})

test('a merge may be repeated and reordered at will', (t) => {
  fc.assert(
    fc.property(record, record, record, (a, b, c) => {
      t.deepEqual(plain(chainMerge(a, b)), plain(chainMerge(b, a)))
      const left = chainMerge(chainMerge(a, b), c)
      t.deepEqual(plain(left), plain(chainMerge(a, chainMerge(b, c))))
      t.deepEqual(plain(chainMerge(left, a)), plain(left))
      t.is(chainMerge(a, a), a)
      t.is(chainMerge(undefined, a), a)
    }),
  )
  t.pass()
})

test('what adds nothing leaves the record itself, what has everything is taken itself', (t) => {
  fc.assert(
    fc.property(record, record, (a, b) => {
      const both = chainMerge(a, b)
      t.is(chainMerge(both, a), both)
      t.is(chainMerge(both, b), both)
      if (compareVersions(b.version, a.version) > 0 && requestsOf(a).length === 0) t.is(both, b)
    }),
  )
  t.pass()
})

test('requests are read as they were written, in the order of their stamps', (t) => {
  const requests = [7, 3, 12, 0].map(decided)
  const held = withRequests({ version: version(13), value: null }, requests)
  t.deepEqual(requestsOf(held), [0, 3, 7, 12].map(decided))
  t.deepEqual(withRequests(held, []), { version: version(13), value: null })
  t.deepEqual(requestsOf(undefined), [])
})

function plain({ version: at, value, attached }: StoredRecord): object {
  return { at, value: value && Buffer.from(value), attached: attached && Buffer.from(attached) }
}
