/** `gtstore status`: what the manager knows of the swarm, for people a table, for scripts JSON. */
import { openAdmin } from '../client/admin.js'
import type { Mode } from '../shared/data/mode.js'
import type { ChangeReport, NodeReport, StatusReport } from '../shared/protocol/messages.js'
import { exitCodes } from './errors.js'
import type { Context } from './options.js'
import { formatBytes, formatQuorums, formatTable, paint } from './output.js'

export async function status({ run, output }: Context): Promise<number> {
  await using admin = await openAdmin({ run })
  const report = await admin.status()
  const text = output.json ? '' : await describe(report)
  output.result(report, () => text)
  return exitCodes.ok
}

const colours = {
  serving: 'green',
  changing: 'yellow',
  forming: 'yellow',
  stopping: 'red',
} as const

async function describe(report: StatusReport): Promise<string> {
  const { swarm, state, epoch, replicas, durability, mode } = report
  const head = `swarm "${swarm}" is ${paint(process.stdout, colours[state], state)}`
  const missing = replicas - report.nodes.filter((node) => node.state === 'active').length
  const needed = state === 'forming' && missing > 0 ? ` (${missing} more needed)` : ''
  const facts = `${formatQuorums(report)}, durability ${durability}, mode ${mode}`
  const columns = ['node', 'life', 'pid', 'state', 'vnodes', 'share', 'keys', 'bytes', 'hints']
  return [
    `${head}${needed}: epoch ${epoch}, ${facts}, ${managerOf(report)}`,
    await formatTable(
      [...columns, 'socket', ''],
      report.nodes.map((node) => nodeRow(node, mode)),
    ),
    ...report.changes.map(changeLine),
    ...report.notices.map((notice) => `${paint(process.stdout, 'yellow', 'notice:')} ${notice}`),
  ].join('\n')
}

/** Without it everything but membership goes on. */
function managerOf({ manager }: StatusReport): string {
  if (manager !== null) return `manager pid ${manager.pid}`
  return paint(process.stdout, 'red', 'the manager is down: a node answers')
}

function nodeRow(node: NodeReport, mode: Mode): string[] {
  const { id, incarnation, pid, state, vnodes, ownership, keys, bytes, hints, socket } = node
  return [
    id,
    String(incarnation),
    String(pid),
    paint(process.stdout, stateColours[state] ?? 'yellow', state),
    String(vnodes),
    `${(ownership * 100).toFixed(1)} %`,
    keys === null ? '?' : String(keys),
    bytes === null ? '?' : formatBytes(bytes),
    hintsIn(mode, hints),
    socket,
    remarkOf(node),
  ]
}

/** A chain keeps none: who is away is copied to when it is back. */
function hintsIn(mode: Mode, hints: NodeReport['hints']): string {
  if (mode === 'chain') return '-'
  return hints === null ? '?' : String(hints.keys)
}

const stateColours: { readonly [S in NodeReport['state']]?: 'green' | 'red' } = {
  active: 'green',
  down: 'red',
}

/** Why it is down, or what it does not do. */
function remarkOf({ reason, readOnly }: NodeReport): string {
  return [reason, readOnly ? 'read-only: its disk is nearly full' : '']
    .filter((part) => part !== '')
    .join(', ')
}

export function changeLine({
  ticket,
  change,
  node,
  state,
  reason,
  progress,
}: ChangeReport): string {
  const { rangesDone, rangesTotal, keys, bytes } = progress
  const done = rangesTotal === 0 ? '' : `, ${rangesDone} of ${rangesTotal} ranges`
  const copied = keys === 0 ? '' : `, ${keys} keys (${formatBytes(bytes)}) copied`
  const why = reason === '' ? '' : `: ${reason}`
  // Only what a command asked for has a number.
  const name = ticket === 0 ? 'change' : `change ${ticket}`
  return `${name}: ${change} ${node} is ${state}${done}${copied}${why}`
}
