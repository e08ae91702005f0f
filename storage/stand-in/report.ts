/**
 * A swarm's status as a node sees it: the ring it holds, what the members answered, and its own view
 * of those that did not.
 */
import type {
  ChangeReport,
  NodeReport,
  NodeState,
  StatusReport,
} from '../../shared/protocol/messages.js'
import { nodeReport, sumProgress } from '../../shared/protocol/status.js'
import { addressOf, type Member, type NodeId } from '../../shared/ring/description.js'
import { compareNodes, type Ring } from '../../shared/ring/ring.js'
import { primaryShares } from '../../shared/ring/shares.js'
import type { StorageNodeOptions } from '../node.js'
import type { Answers } from './stats-round.js'

export interface ReportSources
  extends Pick<StorageNodeOptions, 'swarmName' | 'durability' | 'mode' | 'runDirectory'> {
  readonly self: NodeId
  readonly ring: Ring
  readonly answers: Answers
  isAlive(member: Member): boolean
  /** False: the failure detector holds it dead, or it just hung up. */
  mayAnswer(member: Member): boolean
}

export function statusReport(from: ReportSources): StatusReport {
  const { ring, swarmName, durability, mode, self } = from
  const { placement, change } = ring.description
  const { replicas, readQuorum, writeQuorum } = placement
  const settled = change === undefined ? 'serving' : 'changing'
  return {
    swarm: swarmName,
    state: ring.forming ? 'forming' : settled,
    epoch: ring.epoch,
    replicas,
    readQuorum,
    writeQuorum,
    durability,
    mode,
    manager: null,
    nodes: nodeReports(from),
    changes: changeReports(from),
    notices: [
      `the manager is down: ${self} answers in its place; reads and writes go on, the ring does ` +
        'not change until `gtstore up` or `gtstore run manager` starts it again',
    ],
  }
}

function nodeReports(from: ReportSources): NodeReport[] {
  const { placement, members } = from.ring.description
  const shares = primaryShares(placement)
  const ordered = [...members].sort((a, b) => compareNodes(a.id, b.id))
  return ordered.map((member) => {
    const answer = from.answers.get(addressOf(member))
    const judged = { ...conditionOf(from, member), ownership: shares.get(member.id) ?? 0 }
    return nodeReport(member, answer, placement, from.runDirectory, judged)
  })
}

function conditionOf(from: ReportSources, member: Member): Pick<NodeReport, 'state' | 'reason'> {
  const answer = from.answers.get(addressOf(member))
  if (answer !== undefined) return { state: answer.state, reason: '' }
  if (!from.isAlive(member)) return { state: 'down', reason: 'exited' }
  if (!from.mayAnswer(member)) return { state: 'down', reason: 'not answering' }
  return { state: assumedState(from.ring, member.id), reason: '' }
}

/** Of a member that lives and was only too slow to answer. */
function assumedState({ description }: Ring, id: NodeId): NodeState {
  const { placement, change } = description
  if (!placement.nodes.includes(id)) return 'joining'
  return change?.next.nodes.includes(id) === false ? 'leaving' : 'active'
}

/** The change under way; what is queued behind it only the manager knows. */
function changeReports({ ring, answers }: ReportSources): ChangeReport[] {
  const { placement, change, members } = ring.description
  if (change === undefined) return []
  const gainers = new Set(change.transfers.map(({ gainer }) => gainer))
  const progress = sumProgress(
    members.filter(({ id }) => gainers.has(id)).map((member) => answers.get(addressOf(member))),
  )
  const copying = { ticket: 0, state: 'copying', reason: '', progress } as const
  const now = new Set(placement.nodes)
  const next = new Set(change.next.nodes)
  return [
    ...[...now]
      .filter((node) => !next.has(node))
      .map((node) => ({ node, change: 'remove' }) as const),
    ...[...next].filter((node) => !now.has(node)).map((node) => ({ node, change: 'add' }) as const),
  ].map((moved) => ({ ...copying, ...moved }))
}
