/** `gtstore status`: what the manager knows of the swarm, for people a table, for scripts JSON. */
import { openAdmin } from '../client/admin.js'
import type { ChangeReport, NodeReport, StatusReport } from '../shared/protocol/messages.js'
import { exitCodes } from './errors.js'
import type { Context } from './options.js'
import { formatBytes, formatTable, paint } from './output.js'

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
  const { swarm, state, epoch, replicas, readQuorum, writeQuorum, durability, manager } = report
  const head = `swarm "${swarm}" is ${paint(process.stdout, colours[state], state)}`
  const missing = replicas - report.nodes.filter((node) => node.state === 'active').length
  const needed = state === 'forming' && missing > 0 ? ` (${missing} more needed)` : ''
  const facts = `N=${replicas} R=${readQuorum} W=${writeQuorum}, durability ${durability}`
  const columns = ['node', 'life', 'pid', 'state', 'vnodes', 'share', 'keys', 'bytes', 'socket']
  return [
    `${head}${needed}: epoch ${epoch}, ${facts}, ${manager === null ? 'the manager is down' : `manager pid ${manager.pid}`}`,
    await formatTable(columns, report.nodes.map(nodeRow)),
    ...report.changes.map(changeLine),
  ].join('\n')
}

function nodeRow(node: NodeReport): string[] {
  const { id, incarnation, pid, state, vnodes, ownership, keys, bytes, socket } = node
  return [
    id,
    String(incarnation),
    String(pid),
    paint(process.stdout, state === 'active' ? 'green' : 'yellow', state),
    String(vnodes),
    `${(ownership * 100).toFixed(1)} %`,
    keys === null ? '?' : String(keys),
    bytes === null ? '?' : formatBytes(bytes),
    socket,
  ]
}

function changeLine({ ticket, change, node, state, reason, progress }: ChangeReport): string {
  const { rangesDone, rangesTotal, keys, bytes } = progress
  const done = rangesTotal === 0 ? '' : `, ${rangesDone} of ${rangesTotal} ranges`
  const copied = keys === 0 ? '' : `, ${keys} keys (${formatBytes(bytes)}) copied`
  const why = reason === '' ? '' : `: ${reason}`
  return `change ${ticket}: ${change} ${node} is ${state}${done}${copied}${why}`
}
