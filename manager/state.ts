/** What the manager knows durably: the fold of its journal, pure, with nothing beside it. */
import type { NodeId, Placement, RingDescription } from '../shared/ring/description.js'
import { ticketsKept } from '../shared/runtime/limits.js'
import type { Step } from './steps.js'

interface NodeRecord {
  /** The number of the last life granted; 0: the id is set aside, nobody has claimed it. */
  readonly incarnation: number
  /** Of the store that joined the ring; empty before. */
  readonly store: string
  /** The store did not survive: the node is to leave the ring. */
  readonly lost: boolean
}

/** A change that a command asked for. */
export interface Ticket {
  readonly ticket: number
  readonly change: 'add' | 'remove' | 'replace'
  /** Removed or replaced; empty for `add`. */
  readonly node: NodeId | ''
  /** Added, or stands in for the replaced one; empty for `remove`. */
  readonly fresh: NodeId | ''
  /** The node goes without its help. */
  readonly force: boolean
  /** What only the node may hold is given up. */
  readonly acceptLoss: boolean
  readonly outcome: 'open' | 'done' | 'aborted'
  readonly reason: string
}

export interface ManagerState {
  /** Empty before the journal's first step. */
  readonly swarm: string
  readonly bootId: string
  readonly boot: number
  /** The highest epoch ever used or heard of. */
  readonly epoch: number
  /** The highest plan ever numbered. */
  readonly plans: number
  readonly clients: number
  readonly lastNode: number
  readonly lastTicket: number
  /** Every id given out, except of those that left: a number up to lastNode without a record. */
  readonly nodes: Readonly<Record<NodeId, NodeRecord>>
  readonly tickets: readonly Ticket[]
  readonly ring: RingDescription | undefined
  /** Members that the change under way evicts. */
  readonly evicted: readonly NodeId[]
}

export const initialState: ManagerState = {
  swarm: '',
  bootId: '',
  boot: 0,
  epoch: 0,
  plans: 0,
  clients: 0,
  lastNode: 0,
  lastTicket: 0,
  nodes: {},
  tickets: [],
  ring: undefined,
  evicted: [],
}

export function fold(state: ManagerState, step: Step): ManagerState {
  switch (step.step) {
    case 'swarm.created':
      return { ...state, swarm: step.swarm }
    case 'boot.raised':
      return { ...state, bootId: step.bootId, boot: step.boot }
    case 'epoch.raised':
      // A plan has an epoch of its own, so those that others have seen are numbered no higher.
      return { ...state, epoch: step.epoch, plans: Math.max(state.plans, step.epoch) }
    case 'clients.granted':
      return { ...state, clients: step.upTo }
    case 'node.enrolled':
      return withNode(state, step.node, { incarnation: step.incarnation })
    case 'store.lost':
      return withNode(state, step.node, { lost: true })
    case 'change.submitted': {
      const { step: _, ...submitted } = step
      const { ticket, fresh } = submitted
      const tickets = [...state.tickets, { ...submitted, ...open }]
      const next = { ...state, lastTicket: ticket, tickets: forgetOld(tickets) }
      return fresh === '' ? next : withNode(next, fresh, {})
    }
    case 'change.forced': {
      const { acceptLoss } = step
      const forced = (it: Ticket) =>
        it.ticket === step.ticket ? { ...it, force: true, acceptLoss } : it
      return { ...state, tickets: state.tickets.map(forced) }
    }
    case 'change.ended':
      return withTickets(state, (ticket) => ticket.ticket === step.ticket, step)
    case 'ring.published':
      return { ...withRing(state, step.ring, step.stores), evicted: step.evicted }
    case 'ring.reset':
      return withoutRing(state)
    case 'swarm.snapshot':
      return step.state
  }
}

const open = { outcome: 'open', reason: '' } as const
const newNode: NodeRecord = { incarnation: 0, store: '', lost: false }

function withNode(state: ManagerState, node: NodeId, change: Partial<NodeRecord>): ManagerState {
  const record = { ...(state.nodes[node] ?? newNode), ...change }
  return {
    ...state,
    lastNode: Math.max(state.lastNode, numberOf(node)),
    nodes: { ...state.nodes, [node]: record },
  }
}

/** Ends those of the open tickets that `which` picks. */
function withTickets(
  state: ManagerState,
  which: (ticket: Ticket) => boolean,
  end: { outcome: 'done' | 'aborted'; reason: string },
): ManagerState {
  const tickets = state.tickets.map((ticket) =>
    ticket.outcome === 'open' && which(ticket)
      ? { ...ticket, outcome: end.outcome, reason: end.reason }
      : ticket,
  )
  return { ...state, tickets: forgetOld(tickets) }
}

function withRing(
  state: ManagerState,
  ring: RingDescription,
  stores: Readonly<Record<NodeId, string>>,
): ManagerState {
  const nodes = { ...state.nodes }
  const present = new Set([...ring.placement.nodes, ...(ring.change?.next.nodes ?? [])])
  for (const node of state.ring?.placement.nodes ?? []) {
    if (!present.has(node)) delete nodes[node]
  }
  for (const [node, store] of Object.entries(stores)) {
    nodes[node] = { ...(nodes[node] ?? newNode), store }
  }
  const next = {
    ...state,
    nodes,
    ring,
    epoch: Math.max(state.epoch, ring.epoch),
    plans: Math.max(state.plans, ring.change?.plan ?? 0),
  }
  const shows = (ticket: Ticket) => ring.change === undefined && isShown(ticket, ring.placement)
  return withTickets(next, shows, { outcome: 'done', reason: '' })
}

/** The members are forgotten; processes that wait to join are not. */
function withoutRing(state: ManagerState): ManagerState {
  const nodes = { ...state.nodes }
  for (const { id } of state.ring?.members ?? []) delete nodes[id]
  const end = { outcome: 'aborted', reason: 'every process and its data were lost' } as const
  return { ...withTickets(state, () => true, end), nodes, ring: undefined, evicted: [] }
}

/** The settled placement is what the ticket asked for. */
function isShown(ticket: Ticket, placement: Placement): boolean {
  const added = ticket.fresh === '' || placement.nodes.includes(ticket.fresh)
  const removed = ticket.node === '' || !placement.nodes.includes(ticket.node)
  return added && removed
}

/** Open tickets stay, ended ones as long as there is room. */
function forgetOld(tickets: readonly Ticket[]): readonly Ticket[] {
  let surplus = tickets.length - ticketsKept
  return tickets.filter((ticket) => ticket.outcome === 'open' || surplus-- <= 0)
}

function numberOf(node: NodeId): number {
  return Number(node.slice(1))
}

/** The id after the last one given out. */
export function nextNodeId(state: ManagerState): NodeId {
  return `n${state.lastNode + 1}`
}

/** The id was given out once, and its node has left for good. */
export function hasLeft(state: ManagerState, node: NodeId): boolean {
  const number = numberOf(node)
  return state.nodes[node] === undefined && number >= 1 && number <= state.lastNode
}

/** A command took the node out, for good: it is not to come back, not even as a new one. */
export function wasDismissed(state: ManagerState, node: NodeId): boolean {
  const isDone = (ticket: Ticket) => ticket.node === node && ticket.outcome === 'done'
  return hasLeft(state, node) && state.tickets.some(isDone)
}

export function isForming(placement: Placement): boolean {
  return new Set(placement.nodes).size < placement.replicas
}
