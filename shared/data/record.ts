/**
 * What a replica keeps for a key: a value with its version, or a tombstone with the version of the
 * delete. A merge keeps the newer of two records, so it may be repeated and reordered at will.
 */
import { compareVersions, type Version } from './version.js'

export interface StoredRecord {
  readonly version: Version
  /** null: a tombstone. */
  readonly value: Uint8Array | null
  /**
   * What the mode keeps beside the value, tombstones included: the causal context of siblings
   * (siblings.ts), the requests of a chain (chain-record.ts). Absent in mode `latest`.
   */
  readonly attached?: Uint8Array | undefined
}

/** True if `incoming` must replace `held`. The absence of a record counts as the lowest version. */
export function supersedes(incoming: StoredRecord, held: StoredRecord | undefined): boolean {
  return held === undefined || compareVersions(incoming.version, held.version) > 0
}
