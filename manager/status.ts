/** What `status` and `change.query` say: the ring, the queue and the nodes' own answers put together. */
import type {
  ChangeReport,
  Durability,
  HandoffProgress,
  NodeReport,
  NodeState,
  StatusReport,
  SwarmState,
} from '../shared/protocol/messages.js'
import {
  addressOf,
  type Change,
  type Member,
  type NodeId,
  type Placement,
} from '../shared/ring/description.js'
import { primaryShares } from '../shared/ring/shares.js'
import type { ChangeQueue } from './changes.js'
import type { Phase } from './machine.js'
import { distinctNodes, gainersOf, joinersOf, leaversOf } from './plan.js'
import { isForming, type ManagerState, type Ticket } from './state.js'
import { type NodeAnswers, noProgress, sumProgress } from './stats.js'

/** What does not change while the manager runs. */
export interface StatusBasics {
  readonly name: string
  readonly durability: Durability
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
  readonly isUp: (member: Member) => boolean
  readonly supervised: boolean
  readonly answers: NodeAnswers
}

export function statusReport(from: StatusSources): StatusReport {
  const { ring } = from.state
  const { replicas, readQuorum, writeQuorum } = ring?.placement ?? from.quorums
  return {
    swarm: from.name,
    state: swarmState(from),
    epoch: ring?.epoch ?? from.state.epoch,
    replicas,
    readQuorum,
    writeQuorum,
    durability: from.durability,
    manager: { pid: from.pid },
    nodes: nodeReports(from),
    changes: changeReports(from),
    notices: [],
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
    return {
      id,
      incarnation: member.incarnation,
      pid: member.pid,
      state: from.isUp(member) ? (answer?.state ?? assumedState(from, member)) : 'down',
      reason: from.isUp(member) ? '' : 'exited',
      socket: `${from.runDirectory}/${addressOf(member)}.sock`,
      vnodes: ring?.placement.nodes.filter((node) => node === id).length ?? 0,
      keys: answer?.keys ?? null,
      bytes: answer?.bytes ?? null,
      ownership: shares.get(id) ?? 0,
      handoff: answer?.handoff ?? null,
      hints: answer?.hints ?? null,
      repair: answer?.repair ?? null,
      readOnly: answer?.readOnly ?? false,
    }
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
  const own = (nodes: readonly NodeId[], change: 'add' | 'remove') =>
    nodes.filter((node) => !commanded.has(node)).map((node) => untold(from, node, change))
  const { placement, change } = ring ?? {}
  const joining = placement && change ? joinersOf(placement, change) : []
  const leaving = placement && change ? leaversOf(placement, change) : []
  const reports = [
    ...open.map((ticket) => ticketReport(from, ticket)),
    ...own(distinctNodes(leaving, from.queue.leaving), 'remove'),
    ...own(distinctNodes(joining, from.queue.joining), 'add'),
  ]
  const copying = reports.filter((report) => report.state === 'copying')
  return [...copying, ...reports.filter((report) => report.state !== 'copying')]
}

/** A change that no command asked for: it has no ticket. */
function untold(from: StatusSources, node: NodeId, change: 'add' | 'remove'): ChangeReport {
  const fresh = change === 'add' ? node : ''
  const old = change === 'add' ? '' : node
  const ticket: Ticket = { ticket: 0, change, node: old, fresh, outcome: 'open', reason: '' }
  return ticketReport(from, ticket)
}

export function ticketReport(from: StatusSources, ticket: Ticket): ChangeReport {
  const { change, outcome, reason } = ticket
  const node = ticket.fresh === '' ? ticket.node : ticket.fresh
  const report = { ticket: ticket.ticket, change, node, reason, progress: noProgress }
  if (outcome !== 'open') return { ...report, state: outcome }
  const under = from.state.ring?.change
  if (under !== undefined && isPartOf(ticket, under)) {
    return { ...report, state: 'copying', progress: progressOf(from, under) }
  }
  if (ticket.fresh !== '' && !from.queue.has('join', ticket.fresh)) {
    return { ...report, state: 'waiting', reason: awaited(from, ticket.fresh) }
  }
  return { ...report, state: 'queued', reason: from.queue.blocked(node) }
}

function isPartOf({ node, fresh }: Ticket, change: Change): boolean {
  const added = fresh === '' || change.next.nodes.includes(fresh)
  return added && (node === '' || !change.next.nodes.includes(node))
}

function awaited(from: StatusSources, node: NodeId): string {
  if (from.supervised) return `${node} is being started`
  return `nobody is there to start ${node}: run \`gtstore up\`, or \`gtstore run node\` with its data`
}

function progressOf(from: StatusSources, change: Change): HandoffProgress {
  const gainers = gainersOf(change).flatMap((node) => from.member(node) ?? [])
  return sumProgress(gainers.map((member) => from.answers.get(addressOf(member))))
}
