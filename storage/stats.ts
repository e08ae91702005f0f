/** What a node says of itself for `status`: its counts, and what its departments add. */
import type { HintCount, NodeStatsOk, RepairReport } from '../shared/protocol/messages.js'
import type { Department } from './department.js'
import type { Desk } from './desk.js'

const noHints: HintCount = { keys: 0, bytes: 0 }
const noRepair: RepairReport = {
  pass: 0,
  running: false,
  rangesDone: 0,
  rangesTotal: 0,
  received: 0,
  given: 0,
  skipped: 0,
}

export type OwnStats = Omit<NodeStatsOk, 'kind' | 'id'>

export function gatherStats(
  desk: Pick<Desk, 'engine' | 'disk' | 'operations' | 'storageFailed'>,
  departments: readonly Department[],
  known: Pick<NodeStatsOk, 'state' | 'epoch' | 'handoff'>,
  done: (stats: OwnStats) => void,
): void {
  desk.engine.stats((error, stats) => {
    if (error !== undefined) return desk.storageFailed(error)
    const added: Department['stats'] = Object.assign({}, ...departments.map((each) => each.stats))
    done({
      ...known,
      keys: stats?.keys ?? 0,
      bytes: stats?.bytes ?? 0,
      hints: added.hints ?? noHints,
      repair: added.repair ?? noRepair,
      readOnly: desk.disk.isLow(),
      operations: desk.operations.counts,
    })
  })
}
