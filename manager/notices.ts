/** What `status` points out: who is down and what becomes of it, and what only the user can do. */
import type { NodeReport } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { chainNotices } from './chain-notices.js'
import type { Verdict } from './evictions.js'
import { distinctNodes } from './plan.js'
import type { ManagerState, Ticket } from './state.js'

export interface NoticeSources {
  readonly verdicts: readonly Verdict[]
  /** Members that cannot be taken out, since too few owners of their ranges are up. */
  readonly starved: readonly NodeId[]
  readonly replicas: number
  /** Somebody is there to start processes. */
  readonly supervised: boolean
  readonly nodes: readonly NodeReport[]
  readonly state: Pick<ManagerState, 'tickets'> & Partial<Pick<ManagerState, 'ring'>>
}

export function noticesOf(from: NoticeSources): string[] {
  const { verdicts, nodes } = from
  const fates = verdicts.flatMap((verdict) => fateOf(verdict, from) ?? [])
  const full = nodes
    .filter((node) => node.readOnly)
    .map(({ id }) => `${id} takes no writes, its disk is nearly full: make room on it`)
  return [...lacksOf(from), ...fates, ...full]
}

/** Of a chain it is known who must come back; of other ranges, only how many. */
function lacksOf(from: NoticeSources): string[] {
  const { state, nodes, starved, verdicts } = from
  const isUp = (id: NodeId) => nodes.some((node) => node.id === id && node.state !== 'down')
  const isGivenUp = (id: NodeId) =>
    state.tickets.some((it) => it.outcome === 'open' && it.node === id && it.acceptLoss)
  const { ring } = state
  if (ring?.chains !== undefined) return chainNotices(ring, isUp, isGivenUp)
  const needed = verdicts.filter((it) => it.verdict === 'needed' && !isAwaited(it, from))
  const lacking = distinctNodes(
    starved,
    needed.map(({ node }) => node),
  )
  return lacking.map((node) => lackOf(node, from))
}

/** What was given up is not asked for again, and what was taken out by force is no source. */
function lackOf(node: NodeId, { nodes, state }: NoticeSources): string {
  const ticketOf = (id: NodeId): Ticket | undefined =>
    state.tickets.find((ticket) => ticket.outcome === 'open' && ticket.node === id)
  const dead = nodes.filter((it) => it.state === 'down').map(({ id }) => id)
  const down = dead.filter((id) => ticketOf(id)?.acceptLoss !== true)
  const givenUp = dead.filter((id) => !down.includes(id))
  const causes = [listed('down', down), listed('given up', givenUp)].filter((each) => each !== '')
  const lack = `${node} cannot be taken out: too few nodes that hold its ranges are up`
  const start = down.every((id) => ticketOf(id)?.force)
    ? ''
    : '. Start them again with `gtstore node restart ID`'
  const commands = down.map((id) => {
    return `\`gtstore node ${ticketOf(id)?.change ?? 'remove'} ${id} --force --accept-loss\``
  })
  const givingUp = `; if the data of one is gone for good, give it up: ${commands.join(', ')}`
  return `${lack} (${causes.join('; ')})${start}${commands.length === 0 ? '' : givingUp}`
}

function listed(what: string, nodes: readonly NodeId[]): string {
  return nodes.length === 0 ? '' : `${what}: ${nodes.join(', ')}`
}

/** The supervisor can start it. */
function isStartable({ node }: Verdict, { supervised, nodes }: NoticeSources): boolean {
  return supervised && nodes.some(({ id, reason }) => id === node && reason === 'exited')
}

/** It will be started: there is nothing to do yet. */
function isAwaited(verdict: Verdict, from: NoticeSources): boolean {
  return verdict.leftMs > 0 && isStartable(verdict, from)
}

function fateOf(fate: Verdict, from: NoticeSources): string | undefined {
  const { node, verdict, leftMs } = fate
  const { replicas, starved } = from
  const soon = `${node} is down: in ${Math.ceil(leftMs / 1_000)} s it is`
  switch (verdict) {
    case 'waits':
      return `${soon} taken out, unless it is back`
    case 'needed':
      if (isAwaited(fate, from)) return `${soon} started again, since its data is needed`
      if (!isStartable(fate, from)) return undefined
      return (
        `${node} is down, and its data is needed: the supervisor is asked to start it, ` +
        `see \`gtstore logs ${node} supervisor\``
      )
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
