/**
 * What a chain keeps of a key: its value as the head ordered it, and beside it the requests that were
 * decided on it, so that each has one effect and one result however often it is sent.
 *
 * The head draws versions in ascending order, so the newest value wins; requests are only ever added
 * by a merge. A request that its condition refused is kept like one that wrote.
 */
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

export function requestsOf(held: StoredRecord | undefined): readonly DecidedRequest[] {
  if (held?.attached === undefined) return none
  let requests = known.get(held.attached)
  if (requests === undefined) {
    requests = parseBytes(requestsField, held.attached)
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
  const sorted = [...requests].sort((a, b) => compareVersions(a.stamp, b.stamp))
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
  const added = theirs.filter(({ stamp }) => !isAmong(mine, stamp))
  if (!isNewer && added.length === 0) return held
  if (isNewer && mine.every(({ stamp }) => isAmong(theirs, stamp))) return incoming
  return withRequests(isNewer ? incoming : held, [...mine, ...added])
}

function isAmong(requests: readonly DecidedRequest[], stamp: Version): boolean {
  return requests.some((each) => compareVersions(each.stamp, stamp) === 0)
}
