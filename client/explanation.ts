/** How a get came about, as users read it. */
import { decodeSiblings } from '../shared/data/siblings.js'
import { formatVersion, type Version } from '../shared/data/version.js'
import type { ExplainReport } from '../shared/protocol/messages.js'
import type { Explanation } from './api.js'
import type { Encoding } from './encodings.js'

/** Throws INVALID_ARGUMENT for values that the encoding did not make. */
export function explanationOf(report: ExplainReport, encoding: Encoding): Explanation<unknown> {
  const { mode, epoch, token, path, quorums, refusal, reasons } = report
  return {
    mode,
    epoch,
    token,
    path,
    quorums,
    owners: report.owners.map((owner) => ({ ...owner, version: named(owner.version) })),
    refusal,
    version: named(report.version),
    values: valuesOf(report).map((value) => encoding.decode(value)),
    reasons,
  }
}

function valuesOf({ mode, version, value }: ExplainReport): readonly Uint8Array[] {
  if (value === null || version === null) return []
  if (mode !== 'siblings') return [value]
  return decodeSiblings(value).values.map((sibling) => sibling.value)
}

function named(version: Version | null): string | null {
  return version && formatVersion(version)
}
