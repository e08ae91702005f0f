/**
 * What the head of a chain makes of a write: it alone puts the writes of a key in order, and it decides
 * each on the newest that it ordered, durable or not. A request is decided once: whoever sends it again
 * gets what was decided then. One that its condition refuses is kept like one that wrote.
 */
import {
  type DecidedRequest,
  noVersion,
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

export function decide(
  held: StoredRecord | undefined,
  write: AskedWrite,
  standpoint: Standpoint,
): Decision {
  const { stamp, deadline, value, condition } = write
  const requests = requestsOf(held)
  const known = requests.find((each) => compareVersions(each.stamp, stamp) === 0)
  if (known !== undefined) return { is: 'known', request: known }
  const kept = withoutExpired(requests, standpoint)
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

/** Nobody sends those again that are past their deadlines; of the others each member must know. */
export function withoutExpired(
  requests: readonly DecidedRequest[],
  { now, isCommitted }: Pick<Standpoint, 'now' | 'isCommitted'>,
): readonly DecidedRequest[] {
  return requests.filter(({ stamp, deadline }) => deadline >= now || !isCommitted(stamp))
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
