/**
 * What became of the operations that this node took part in, as coordinator and as replica: counted, for
 * `status`, and with `up --log-operations` each logged too. A replica's are what coordinators asked of
 * this node's own copy, their repairs included; handoffs are none.
 *
 * Counting is on the path of every request: it adds to a number, and nothing is made for a log that is
 * not kept.
 */
import type { OperationCounts, OutcomeCounts } from '../shared/protocol/messages.js'
import { noOutcomes } from '../shared/protocol/status.js'
import type { Log } from '../shared/runtime/runtime.js'

export type Operation = 'put' | 'delete' | 'get'
type Part = keyof OperationCounts
type Counts = { -readonly [K in keyof OutcomeCounts]: number }

/** What a coordinator says in the log of its quorum; asked only where there is a log. */
export interface QuorumTold {
  readonly told: object
}

export class Operations {
  private readonly log: Log | undefined
  private readonly counted: Readonly<Record<Part, Counts>> = {
    coordinated: { ...noOutcomes },
    replicated: { ...noOutcomes },
  }

  /** With a log, each is logged. */
  constructor(log: Log | undefined) {
    this.log = log
  }

  get counts(): OperationCounts {
    return this.counted
  }

  /** `refusal`: why it failed; undefined where it succeeded. */
  ended(
    part: Part,
    operation: Operation,
    key: Uint8Array,
    refusal: string | undefined,
    quorum?: QuorumTold,
  ): void {
    const counts = part === 'coordinated' ? this.counted.coordinated : this.counted.replicated
    if (refusal === undefined) count(counts, operation)
    else countFailed(counts, operation)
    if (this.log !== undefined) this.tell(this.log, part, operation, key, refusal, quorum)
  }

  /** A get: one that found nothing was answered, but whoever asked for the key has failed. */
  got(part: Part, key: Uint8Array, hasFound: boolean, quorum?: QuorumTold): void {
    const counts = part === 'coordinated' ? this.counted.coordinated : this.counted.replicated
    counts.gets++
    if (!hasFound) counts.getsMissed++
    const refusal = hasFound ? undefined : 'the key is missing'
    if (this.log !== undefined) this.tell(this.log, part, 'get', key, refusal, quorum)
  }

  private tell(
    log: Log,
    part: Part,
    operation: Operation,
    key: Uint8Array,
    refusal: string | undefined,
    quorum: QuorumTold | undefined,
  ): void {
    const fields = { part, operation, key: Buffer.from(key).toString(), ...quorum?.told }
    if (refusal === undefined) log.info(fields, `${operation} succeeded`)
    else log.warn({ ...fields, refusal }, `${operation} failed`)
  }
}

/** Of a write with this value: null deletes. */
export function operationOf(value: Uint8Array | null): Operation {
  return value === null ? 'delete' : 'put'
}

function count(counts: Counts, operation: Operation): void {
  if (operation === 'put') counts.puts++
  else if (operation === 'delete') counts.deletes++
  else counts.gets++
}

function countFailed(counts: Counts, operation: Operation): void {
  if (operation === 'put') counts.putsFailed++
  else if (operation === 'delete') counts.deletesFailed++
  else counts.getsFailed++
}
