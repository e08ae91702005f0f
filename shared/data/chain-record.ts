/**
 * What a chain keeps of a key: its value as the head ordered it, and beside it the requests that were
 * decided on it, so that each has one effect and one result however often it is sent.
 *
 * The head draws versions in ascending order, so the newest value wins; requests are only ever added
 * by a merge. A request that its condition refused is kept like one that wrote.
 */
import { Malformed } from './byte-stream.js'
import {
  bytesOf,
  expectArray,
  type Field,
  list,
  nullable,
  parseBytes,
  uint,
  writeArray,
} from './cbor.js'
import type { Merge } from './merge.js'
import { type StoredRecord, supersedes } from './record.js'
import { compareVersions, type Micros, type Version } from './version.js'
import { version } from './version-field.js'

/** One request and its result, the first one. */
export interface DecidedRequest {
  /** As the client stamped it: names the request. */
  readonly stamp: Version
  /** After it nobody sends it again. */
  readonly deadline: Micros
  /** The version that it wrote; null: its condition did not hold. */
  readonly version: Version | null
  /** What its condition met: null where the key was missing. */
  readonly met: Version | null
}

/** Of a key that has requests and was never written. */
export const noVersion: Version = { boot: 0, micros: 0, writer: '' }

const maybeVersion = nullable(version)
const decidedRequest: Field<DecidedRequest> = {
  write(out, { stamp, deadline, version: made, met }) {
    writeArray(out, 4)
    version.write(out, stamp)
    uint.write(out, deadline)
    maybeVersion.write(out, made)
    maybeVersion.write(out, met)
  },
  read(input) {
    expectArray(input, 4)
    return {
      stamp: version.read(input),
      deadline: uint.read(input),
      version: maybeVersion.read(input),
      met: maybeVersion.read(input),
    }
  },
}
const requestsField = list(decidedRequest)

const none: readonly DecidedRequest[] = []
/** A write looks at the same requests several times on its way through a member. */
const known = new WeakMap<Uint8Array, readonly DecidedRequest[]>()

/** By ascending stamps; throws Malformed. */
export function requestsOf(held: StoredRecord | undefined): readonly DecidedRequest[] {
  if (held?.attached === undefined) return none
  let requests = known.get(held.attached)
  if (requests === undefined) {
    requests = parseBytes(requestsField, held.attached)
    if (!isAscending(requests)) throw new Malformed('requests out of order')
    known.set(held.attached, requests)
  }
  return requests
}

/** The record with exactly these requests. */
export function withRequests(
  { version, value }: Pick<StoredRecord, 'version' | 'value'>,
  requests: readonly DecidedRequest[],
): StoredRecord {
  if (requests.length === 0) return { version, value }
  const sorted = [...requests].sort(byStamp)
  const attached = bytesOf(requestsField, sorted)
  known.set(attached, sorted)
  return { version, value, attached }
}

/** The newer value, and the requests of both: see merge.ts. */
export const chainMerge: Merge = (held, incoming) => {
  if (held === undefined) return incoming
  const isNewer = supersedes(incoming, held)
  const mine = requestsOf(held)
  const theirs = requestsOf(incoming)
  const both = union(mine, theirs)
  if (!isNewer && both === mine) return held
  if (isNewer && both.length === theirs.length) return incoming
  return withRequests(isNewer ? incoming : held, both)
}

interface Stamped {
  readonly stamp: Version
}

/** All of both, each by ascending stamps, as is the result: `a` itself if it has all. */
export function union(
  a: readonly DecidedRequest[],
  b: readonly DecidedRequest[],
): readonly DecidedRequest[] {
  const added = select(b, a, (met) => met === undefined)
  return added.length === 0 ? a : [...a, ...added].sort(byStamp)
}

/** Those for which the one of the same stamp in the other list, if any, passes the test; both ascend. */
export function select<A extends Stamped, B extends Stamped>(
  list: readonly A[],
  other: readonly B[],
  test: (met: B | undefined) => boolean,
): A[] {
  let from = 0
  return list.filter(({ stamp }) => {
    const at = positionOf(other, stamp, from)
    from = at < 0 ? ~at : at
    return test(at < 0 ? undefined : other[at])
  })
}

/**
 * Where a stamp stands in a list of ascending ones, of which those before `from` are older; if it is
 * missing, the complement (~) of where it would stand.
 */
export function positionOf(list: readonly Stamped[], stamp: Version, from = 0): number {
  let low = from
  let high = list.length - 1
  // Who looks for one after another finds most of them at once.
  let middle = low
  while (low <= high) {
    const order = compareVersions((list[middle] as Stamped).stamp, stamp)
    if (order === 0) return middle
    if (order < 0) low = middle + 1
    else high = middle - 1
    middle = (low + high) >>> 1
  }
  return ~low
}

function byStamp(a: Stamped, b: Stamped): number {
  return compareVersions(a.stamp, b.stamp)
}

function isAscending(list: readonly Stamped[]): boolean {
  return list.every((each, i) => i === 0 || byStamp(list[i - 1] as Stamped, each) < 0)
}
