/** What a node says of itself for `status`: its counts, and what its departments add. */
import type { HintCount, NodeStatsOk, RepairReport } from '../shared/protocol/messages.js'
import type { Address } from '../shared/runtime/runtime.js'
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

export function tellStats(
  desk: Desk,
  departments: readonly Department[],
  known: Pick<NodeStatsOk, 'state' | 'epoch' | 'handoff'>,
  { from, id }: { readonly from: Address; readonly id: number },
): void {
  desk.engine.stats((error, stats) => {
    if (error !== undefined) return desk.storageFailed(error)
    const added: Department['stats'] = Object.assign({}, ...departments.map((each) => each.stats))
    desk.runtime.send(from, {
      kind: 'node.stats.ok',
      id,
      ...known,
      keys: stats?.keys ?? 0,
      bytes: stats?.bytes ?? 0,
      hints: added.hints ?? noHints,
      repair: added.repair ?? noRepair,
      readOnly: desk.disk.isLow(),
    })
  })
}
