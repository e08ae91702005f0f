/**
 * What the head of a chain makes of a write: it alone puts the writes of a key in order, and it decides
 * each on the newest that it ordered, durable or not. A request is decided once: whoever sends it again
 * gets what was decided then. One that its condition refuses is kept like one that wrote.
 */
import {
  type DecidedRequest,
  noVersion,
  positionOf,
  requestsOf,
  withRequests,
} from '../../shared/data/chain-record.js'
import type { Condition } from '../../shared/data/mode.js'
import type { StoredRecord } from '../../shared/data/record.js'
import { compareVersions, type Micros, type Version } from '../../shared/data/version.js'
import { chainRequestsMax } from '../../shared/runtime/limits.js'

export interface AskedWrite {
  readonly stamp: Version
  readonly deadline: Micros
  /** null deletes. */
  readonly value: Uint8Array | null
  readonly condition: Condition | null
}

/** When and where it is decided. */
export interface Standpoint {
  readonly boot: number
  readonly epoch: number
  readonly now: Micros
  /** The request reached the end of the chain. */
  isCommitted(stamp: Version): boolean
}

export type Decision =
  /** It was decided before. */
  | { readonly is: 'known'; readonly request: DecidedRequest }
  | { readonly is: 'new'; readonly request: DecidedRequest; readonly record: StoredRecord }
  /** As many requests stand beside the key as may: nothing was done. */
  | { readonly is: 'crowded' }
  /** It may have been decided, and nobody remembers: nothing is done. */
  | { readonly is: 'forgotten' }

export function decide(
  held: StoredRecord | undefined,
  write: AskedWrite,
  standpoint: Standpoint,
): Decision {
  const { stamp, deadline, value, condition } = write
  const requests = requestsOf(held)
  const known = requests[positionOf(requests, stamp)]
  if (known !== undefined) return { is: 'known', request: known }
  if (requests.some((each) => forgets(each, stamp))) return { is: 'forgotten' }
  const kept = withRoom(withoutExpired(requests, standpoint), standpoint)
  if (kept.length >= chainRequestsMax) return { is: 'crowded' }
  const met = metBy(held)
  if (!holds(condition, met)) {
    const request = { stamp, deadline, version: null, met }
    const unchanged = held ?? { version: noVersion, value: null }
    return { is: 'new', request, record: withRequests(unchanged, [...kept, request]) }
  }
  const version = nextVersion(held?.version, standpoint)
  const request = { stamp, deadline, version, met }
  return { is: 'new', request, record: withRequests({ version, value }, [...kept, request]) }
}

/**
 * Nobody sends those again that are past their deadlines, and those below a floor are refused; of the
 * others, and of what is not committed, each member must know.
 */
export function withoutExpired(
  requests: readonly DecidedRequest[],
  { now, isCommitted }: Pick<Standpoint, 'now' | 'isCommitted'>,
): readonly DecidedRequest[] {
  const floors = requests.filter(isFloor)
  return requests.filter((each) => {
    const isOver = each.deadline < now || floors.some((floor) => forgets(floor, each.stamp))
    return !isOver || !isCommitted(each.stamp)
  })
}

/**
 * Of a key that is written more often than its record can hold, the oldest committed requests are
 * forgotten. A floor stands in their place until the last of them is past its deadline: whatever was
 * called before it and is not known is refused, since it may be one of them.
 */
function withRoom(
  requests: readonly DecidedRequest[],
  { isCommitted }: Standpoint,
): readonly DecidedRequest[] {
  if (requests.length < chainRequestsMax) return requests
  const first = requests.findIndex(({ stamp }) => !isCommitted(stamp))
  const count = Math.min(first < 0 ? requests.length : first, chainRequestsMax / 4)
  const last = requests[count - 1]
  if (last === undefined) return requests
  const { boot, micros, writer } = last.stamp
  const stamp = { boot, micros, writer: isFloor(last) ? writer : `${writer}${floorMark}` }
  const deadline = Math.max(...requests.slice(0, count).map((each) => each.deadline))
  return [{ stamp, deadline, version: null, met: null }, ...requests.slice(count)]
}

/** Above the stamp of the last one forgotten, and no stamp of a request. */
const floorMark = '+'

function isFloor({ stamp }: DecidedRequest): boolean {
  return stamp.writer.endsWith(floorMark)
}

function forgets(floor: DecidedRequest, stamp: Version): boolean {
  return isFloor(floor) && compareVersions(stamp, floor.stamp) < 0
}

/** The version that a condition meets: a deleted key is a missing one. */
function metBy(held: StoredRecord | undefined): Version | null {
  return held === undefined || held.value === null ? null : held.version
}

function holds(condition: Condition | null, met: Version | null): boolean {
  switch (condition?.is) {
    case undefined:
      return true
    case 'absent':
      return met === null
    case 'present':
      return met !== null
    case 'version':
      return met !== null && compareVersions(met, condition.version) === 0
  }
}

/** Above everything that the key ever had; the epoch names the head. */
function nextVersion(held: Version | undefined, { boot, epoch, now }: Standpoint): Version {
  if (held !== undefined && held.boot > boot) {
    throw new Error(`the store is of life ${held.boot} of the host, this is ${boot}`)
  }
  const micros = held?.boot === boot ? Math.max(now, held.micros + 1) : now
  return { boot, micros, writer: epoch.toString(16).padStart(16, '0') }
}
