/**
 * `gtstore transfers`: everything that moves between the nodes: ranges that new owners copy, hints kept
 * for nodes that are away, and what repair mends.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { openAdmin } from '../client/admin.js'
import type { Mode } from '../shared/data/mode.js'
import type { ChangeReport, NodeReport, StatusReport } from '../shared/protocol/messages.js'
import { exitCodes } from './errors.js'
import { watchPeriodMs } from './limits.js'
import type { Context } from './options.js'
import { formatBytes, formatTable, stdoutError } from './output.js'
import { catchSignals, signalExitCode } from './signals.js'
import { changeLine } from './status.js'

type NodeTransfers = Pick<NodeReport, 'id' | 'state' | 'handoff' | 'hints' | 'repair'>

interface Transfers {
  readonly mode: Mode
  readonly nodes: readonly NodeTransfers[]
  readonly changes: readonly ChangeReport[]
}

export async function transfers(context: Context, flags: { watch?: boolean }): Promise<number> {
  const { run, output } = context
  await using admin = await openAdmin({ run })
  const show = async () => {
    const report = transfersOf(await admin.status())
    const text = output.json ? '' : await describe(report)
    if (flags.watch === true) clear(output.json)
    output.result(report, () => text)
  }
  await show()
  if (flags.watch !== true) return exitCodes.ok
  const signals = catchSignals()
  for (;;) {
    await delay(watchPeriodMs, undefined, { signal: signals.first }).catch(() => {})
    if (signals.received !== undefined) return signalExitCode(signals.received)
    if (stdoutError() !== undefined) return exitCodes.ok
    await show()
  }
}

/** On a terminal each table takes the place of the one before. */
function clear(json: boolean): void {
  if (!json && process.stdout.isTTY) process.stdout.write('\x1b[H\x1b[2J')
}

function transfersOf({ mode, nodes, changes }: StatusReport): Transfers {
  return {
    mode,
    nodes: nodes.map(({ id, state, handoff, hints, repair }) => ({
      id,
      state,
      handoff,
      hints,
      repair,
    })),
    changes,
  }
}

async function describe({ mode, nodes, changes }: Transfers): Promise<string> {
  const columns = ['node', 'state', 'ranges', 'keys', 'bytes']
  const kept = ['hints', 'bytes', 'repair', 'ranges', 'received', 'given', 'skipped']
  // A chain has neither: who is away is copied to when it is back.
  const table =
    mode === 'chain'
      ? await formatTable(columns, nodes.map(copiedRow))
      : await formatTable([...columns, ...kept], nodes.map(row))
  return [table, ...changes.map(changeLine)].join('\n')
}

/** `?`: the node did not say. */
function row(node: NodeTransfers): string[] {
  return [...copiedRow(node), ...keptRow(node)]
}

function copiedRow({ id, state, handoff }: NodeTransfers): string[] {
  return [
    id,
    state,
    ...(handoff === null
      ? ['?', '?', '?']
      : [
          `${handoff.rangesDone}/${handoff.rangesTotal}`,
          String(handoff.keys),
          formatBytes(handoff.bytes),
        ]),
  ]
}

function keptRow({ hints, repair }: NodeTransfers): string[] {
  return [
    ...(hints === null ? ['?', '?'] : [String(hints.keys), formatBytes(hints.bytes)]),
    ...(repair === null
      ? ['?', '?', '?', '?', '?']
      : [
          `${repair.running ? 'pass' : 'done'} ${repair.pass}`,
          `${repair.rangesDone}/${repair.rangesTotal}`,
          String(repair.received),
          String(repair.given),
          String(repair.skipped),
        ]),
  ]
}
