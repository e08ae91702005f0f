/**
 * What became of the operations that this node took part in, as coordinator and as replica: counted, for
 * `status`, and with `up --log-operations` each logged too.
 */
import type { OperationCounts, OutcomeCounts } from '../shared/protocol/messages.js'
import type { Log } from '../shared/runtime/runtime.js'

export type Operation = 'put' | 'delete' | 'get'
type Part = keyof OperationCounts
type Counts = { -readonly [K in keyof OutcomeCounts]: number }

const names = {
  put: ['puts', 'putsFailed'],
  delete: ['deletes', 'deletesFailed'],
  get: ['gets', 'getsFailed'],
} as const

export class Operations {
  private readonly log: Log | undefined
  private readonly counted: Readonly<Record<Part, Counts>> = {
    coordinated: noCounts(),
    replicated: noCounts(),
  }

  /** With a log, each is logged. */
  constructor(log: Log | undefined) {
    this.log = log
  }

  get counts(): OperationCounts {
    return this.counted
  }

  /** `refusal`: why it failed; undefined where it succeeded. */
  ended(part: Part, operation: Operation, key: Uint8Array, refusal: string | undefined): void {
    this.counted[part][names[operation][refusal === undefined ? 0 : 1]]++
    if (this.log === undefined) return
    const fields = { part, operation, key: Buffer.from(key).toString() }
    if (refusal === undefined) this.log.info(fields, `${operation} succeeded`)
    else this.log.warn({ ...fields, refusal }, `${operation} failed`)
  }
}

function noCounts(): Counts {
  return { puts: 0, putsFailed: 0, deletes: 0, deletesFailed: 0, gets: 0, getsFailed: 0 }
}
