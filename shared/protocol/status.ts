/** The parts of a status report that both its authors share: the manager, and a node in its place. */
import { addressOf, type Member, type Placement } from '../ring/description.js'
import type { HandoffProgress, NodeReport, NodeStatsOk, OutcomeCounts } from './messages.js'

/** What a node said of itself; undefined where it did not. */
export type NodeAnswer = Omit<NodeStatsOk, 'kind' | 'id'> | undefined

/** What only the author of the report knows. */
type Judged = Pick<NodeReport, 'state' | 'reason' | 'ownership'>

export function nodeReport(
  member: Member,
  answer: NodeAnswer,
  placement: Placement | undefined,
  runDirectory: string,
  judged: Judged,
): NodeReport {
  const { id, incarnation, pid } = member
  return {
    id,
    incarnation,
    pid,
    ...judged,
    socket: `${runDirectory}/${addressOf(member)}.sock`,
    vnodes: placement?.nodes.filter((node) => node === id).length ?? 0,
    keys: answer?.keys ?? null,
    bytes: answer?.bytes ?? null,
    handoff: answer?.handoff ?? null,
    hints: answer?.hints ?? null,
    repair: answer?.repair ?? null,
    readOnly: answer?.readOnly ?? false,
    operations: answer?.operations ?? null,
  }
}

export const noOutcomes: OutcomeCounts = {
  puts: 0,
  putsFailed: 0,
  deletes: 0,
  deletesFailed: 0,
  gets: 0,
  getsMissed: 0,
  getsFailed: 0,
}

export const noProgress: HandoffProgress = { rangesDone: 0, rangesTotal: 0, keys: 0, bytes: 0 }

/** All gainers of a change together. */
export function sumProgress(answers: readonly NodeAnswer[]): HandoffProgress {
  return answers.reduce(
    (sum, answer) => ({
      rangesDone: sum.rangesDone + (answer?.handoff.rangesDone ?? 0),
      rangesTotal: sum.rangesTotal + (answer?.handoff.rangesTotal ?? 0),
      keys: sum.keys + (answer?.handoff.keys ?? 0),
      bytes: sum.bytes + (answer?.handoff.bytes ?? 0),
    }),
    noProgress,
  )
}
