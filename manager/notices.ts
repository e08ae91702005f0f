/** What `status` points out: who is down and what becomes of it, and what only the user can do. */
import type { NodeReport } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Verdict } from './evictions.js'

export interface NoticeSources {
  readonly verdicts: readonly Verdict[]
  /** Members that cannot be taken out, since too few owners of their ranges are up. */
  readonly starved: readonly NodeId[]
  readonly replicas: number
  readonly nodes: readonly NodeReport[]
}

export function noticesOf({ verdicts, starved, replicas, nodes }: NoticeSources): string[] {
  const fates = verdicts.flatMap((verdict) => fateOf(verdict, replicas, starved) ?? [])
  const full = nodes
    .filter((node) => node.readOnly)
    .map(({ id }) => `${id} takes no writes, its disk is nearly full: make room on it`)
  return [...starved.map((node) => lackOf(node, nodes)), ...fates, ...full]
}

function lackOf(node: NodeId, nodes: readonly NodeReport[]): string {
  const down = nodes.filter(({ state }) => state === 'down').map(({ id }) => id)
  const givingUp = down.map((id) => `\`gtstore node remove ${id} --force --accept-loss\``)
  return (
    `${node} cannot be taken out: too few nodes that hold its ranges are up (down: ` +
    `${down.join(', ')}). Start them again with \`gtstore node restart ID\`; if the data of one ` +
    `is gone for good, give it up: ${givingUp.join(', ')}`
  )
}

function fateOf(
  { node, verdict, leftMs }: Verdict,
  replicas: number,
  starved: readonly NodeId[],
): string | undefined {
  switch (verdict) {
    case 'waits':
      return `${node} is down: in ${Math.ceil(leftMs / 1_000)} s it is taken out, unless it is back`
    case 'too few would be left':
      return (
        `${node} is down and keeps its ranges, since fewer than ${replicas} nodes would be left: ` +
        `start it again with \`gtstore node restart ${node}\`, or add a node`
      )
    case 'others reach it':
      return `${node} does not answer the manager, and most other nodes do not doubt it: it stays`
    case 'one of too many':
      return `${node} is down and stays for now: at most a third of the nodes is taken out at once`
    case 'due':
      if (starved.includes(node)) return undefined
      return `${node} has been down for too long: it is taken out`
  }
}
