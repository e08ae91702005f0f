/** What `status` and `change.query` say: the ring, the queue and the nodes' own answers put together. */
import type { Mode } from '../shared/data/mode.js'
import type {
  ChangeReport,
  Durability,
  HandoffProgress,
  NodeReport,
  NodeState,
  StatusReport,
  SwarmState,
} from '../shared/protocol/messages.js'
import { nodeReport, noProgress, sumProgress } from '../shared/protocol/status.js'
import {
  addressOf,
  type Change,
  type Member,
  type NodeId,
  type Placement,
} from '../shared/ring/description.js'
import { primaryShares } from '../shared/ring/shares.js'
import type { ChangeQueue } from './changes.js'
import type { Verdict } from './evictions.js'
import type { DownReason } from './health.js'
import type { Phase } from './machine.js'
import { noticesOf } from './notices.js'
import { distinctNodes, gainersOf, joinersOf, leaversOf } from './plan.js'
import { isForming, type ManagerState, type Ticket } from './state.js'
import type { NodeAnswers } from './stats.js'

/** What does not change while the manager runs. */
export interface StatusBasics {
  readonly name: string
  readonly durability: Durability
  readonly mode: Mode
  readonly quorums: Pick<Placement, 'replicas' | 'readQuorum' | 'writeQuorum'>
  readonly pid: number
  readonly runDirectory: string
}

/** What a report is made of, read at one moment. */
export interface StatusSources extends StatusBasics {
  readonly phase: Phase
  readonly state: ManagerState
  readonly queue: ChangeQueue
  readonly member: (node: NodeId) => Member | undefined
  readonly down: (member: Member) => DownReason
  readonly supervised: boolean
  readonly answers: NodeAnswers
  readonly verdicts: readonly Verdict[]
  /** Members that cannot be taken out, since too few owners of their ranges are up. */
  readonly starved: readonly NodeId[]
}

export function statusReport(from: StatusSources): StatusReport {
  const { ring } = from.state
  const { replicas, readQuorum, writeQuorum } = ring?.placement ?? from.quorums
  const nodes = nodeReports(from)
  return {
    swarm: from.name,
    state: swarmState(from),
    epoch: ring?.epoch ?? from.state.epoch,
    replicas,
    readQuorum,
    writeQuorum,
    durability: from.durability,
    mode: from.mode,
    manager: { pid: from.pid },
    nodes,
    changes: changeReports(from),
    notices: noticesOf({ ...from, nodes, replicas }),
  }
}

/** A ring of too few members refuses requests, also while a change to it is copying. */
function swarmState({ phase, state }: StatusSources): SwarmState {
  if (phase === 'stopping') return 'stopping'
  const forming = state.ring === undefined || isForming(state.ring.placement)
  return forming ? 'forming' : phase
}

function nodeReports(from: StatusSources): NodeReport[] {
  const { ring } = from.state
  const named = ring?.members.map((member) => member.id) ?? []
  const shares = ring === undefined ? new Map<NodeId, number>() : primaryShares(ring.placement)
  return distinctNodes(named, from.queue.joining).flatMap((id) => {
    const member = from.member(id)
    if (member === undefined) return []
    const answer = from.answers.get(addressOf(member))
    const reason = from.down(member)
    const state = reason === '' ? (answer?.state ?? assumedState(from, member)) : 'down'
    const judged = { state, reason, ownership: shares.get(id) ?? 0 }
    return nodeReport(member, answer, ring?.placement, from.runDirectory, judged)
  })
}

/** Of a node that is up and did not answer in time, or came while the others were asked. */
function assumedState({ state, queue }: StatusSources, { id, incarnation }: Member): NodeState {
  const { ring } = state
  if (ring?.placement.nodes.includes(id) !== true) return 'joining'
  const named = ring.members.find((member) => member.id === id)
  if (named?.incarnation !== incarnation) return 'recovering'
  return queue.leaving.includes(id) ? 'leaving' : 'active'
}

/** The change under way first, then the rest in order. */
function changeReports(from: StatusSources): ChangeReport[] {
  const { tickets, ring } = from.state
  const open = tickets.filter((ticket) => ticket.outcome === 'open')
  const commanded = new Set(open.flatMap(({ node, fresh }) => [node, fresh]))
  const own = (nodes: readonly NodeId[], change: (node: NodeId) => Ticketless) =>
    nodes.filter((node) => !commanded.has(node)).map((node) => untold(from, node, change(node)))
  const { placement, change } = ring ?? {}
  const joining = placement && change ? joinersOf(placement, change) : []
  const leaving = placement && change ? leaversOf(placement, change) : []
  const reports = [
    ...open.map((ticket) => ticketReport(from, ticket)),
    ...own(distinctNodes(leaving, from.queue.leaving), (node) => leaveOf(from, node)),
    ...own(distinctNodes(joining, from.queue.joining), () => 'add'),
  ]
  const copying = reports.filter((report) => report.state === 'copying')
  return [...copying, ...reports.filter((report) => report.state !== 'copying')]
}

type Ticketless = 'add' | 'remove' | 'evict'

function leaveOf({ queue, state }: StatusSources, node: NodeId): 'remove' | 'evict' {
  return queue.origin(node) === 'eviction' || state.evicted.includes(node) ? 'evict' : 'remove'
}

/** A change that no command asked for: it has no ticket. */
function untold(from: StatusSources, node: NodeId, change: Ticketless): ChangeReport {
  const fresh = change === 'add' ? node : ''
  const old = change === 'add' ? '' : node
  return ticketReport(from, { ticket: 0, change, node: old, fresh, outcome: 'open', reason: '' })
}

type Reported = Pick<Ticket, 'ticket' | 'node' | 'fresh' | 'outcome' | 'reason'> & {
  readonly change: ChangeReport['change']
}

export function ticketReport(from: StatusSources, ticket: Reported): ChangeReport {
  const { change, outcome, reason } = ticket
  const node = ticket.fresh === '' ? ticket.node : ticket.fresh
  const report = { ticket: ticket.ticket, change, node, reason, progress: noProgress }
  if (outcome !== 'open') return { ...report, state: outcome }
  const under = from.state.ring?.change
  if (under !== undefined && isPartOf(ticket, under)) {
    return { ...report, state: 'copying', progress: progressOf(from, under) }
  }
  if (ticket.fresh !== '' && !from.queue.has('join', ticket.fresh)) {
    return { ...report, state: 'waiting', reason: awaited(from, ticket) }
  }
  return { ...report, state: 'queued', reason: from.queue.blocked(node) }
}

function isPartOf({ node, fresh }: Reported, change: Change): boolean {
  const added = fresh === '' || change.next.nodes.includes(fresh)
  return added && (node === '' || !change.next.nodes.includes(node))
}

/** Who is to be replaced stays, dead or alive, for as long as nobody comes to stand in for it. */
function awaited({ supervised }: StatusSources, { fresh, node }: Reported): string {
  const until = node === '' ? '' : `; ${node} keeps its place until ${fresh} has joined`
  if (supervised) return `${fresh} is being started${until}`
  const byHand = `run \`gtstore up\`, or \`gtstore run node --node ${fresh}\``
  return `nobody is there to start ${fresh}: ${byHand}${until}`
}

function progressOf(from: StatusSources, change: Change): HandoffProgress {
  const gainers = gainersOf(change).flatMap((node) => from.member(node) ?? [])
  return sumProgress(gainers.map((member) => from.answers.get(addressOf(member))))
}
