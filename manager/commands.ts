/** Membership changes that a command asks for: checked, journaled as a ticket, then in the queue. */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { MessageOf } from '../shared/protocol/messages.js'
import type { ClaimSettings } from '../shared/ring/claim.js'
import type { NodeId, Placement } from '../shared/ring/description.js'
import { ticketsKept } from '../shared/runtime/limits.js'
import type { Ledger } from './ledger.js'
import type { Membership } from './membership.js'
import { distinctNodes, planChange } from './plan.js'
import { hasLeft, nextNodeId, type Ticket } from './state.js'

type Submit = Pick<MessageOf<'change.submit'>, 'change' | 'node'>

export interface CommandOptions {
  readonly ledger: Ledger
  readonly membership: Membership
  readonly settings: ClaimSettings
  /** Somebody is there to start processes. */
  readonly isSupervised: () => boolean
}

/** `done` follows once the ticket is durable. Asking again for a removal yields the same ticket. */
export function submitChange(
  options: CommandOptions,
  submit: Submit,
  done: (outcome: GTStoreError | Ticket) => void,
): void {
  const { ledger, membership } = options
  const { change, node } = submit
  const { tickets, lastTicket } = ledger.state
  const open = tickets.find((it) => it.outcome === 'open' && node !== '' && it.node === node)
  if (open !== undefined && change === 'remove' && open.change === 'remove') return done(open)
  const refused = open === undefined ? refusal(options, submit) : alreadyAsked(open)
  if (refused !== undefined) return done(refused)
  const fresh: NodeId | '' = change === 'remove' ? '' : nextNodeId(ledger.state)
  const ticket = {
    ticket: lastTicket + 1,
    change,
    node: change === 'add' ? ('' as const) : node,
    fresh,
  }
  ledger.commit({ step: 'change.submitted', ...ticket }, () => {
    done({ ...ticket, outcome: 'open', reason: '' })
    membership.advance()
  })
}

function alreadyAsked({ ticket, change, node }: Ticket): GTStoreError {
  const text = `a change of ${node} is under way (${change}, ticket ${ticket}): wait for it`
  return new GTStoreError('CHANGE_REFUSED', text)
}

function refusal(options: CommandOptions, { change, node }: Submit): GTStoreError | undefined {
  const { ledger, membership, isSupervised } = options
  const { ring, tickets } = ledger.state
  if (tickets.filter((ticket) => ticket.outcome === 'open').length >= ticketsKept) {
    const text = `${ticketsKept} changes wait already: ask again when some are done`
    return new GTStoreError('OVERLOADED', text)
  }
  if (change !== 'remove' && !isSupervised()) {
    const text =
      'nobody is there to start a process: start the node yourself with `gtstore run node`'
    return new GTStoreError('CHANGE_REFUSED', text)
  }
  if (change === 'add') return undefined
  if (ring?.placement.nodes.includes(node) !== true) return notAMember(ledger, node)
  const isLast = distinctNodes(ring.placement.nodes).length === 1
  if (change === 'remove' && isLast && membership.queue.joining.length === 0) {
    const text = `${node} holds the last copy: add a node first, or stop the swarm with \`gtstore down\``
    return new GTStoreError('CHANGE_REFUSED', text)
  }
  const why = membership.isAlive(node) ? undefined : obstacleTo(options, ring.placement, node)
  if (why === undefined) return undefined
  return new GTStoreError('CHANGE_REFUSED', `${node} is down, and ${why}: start it again first`)
}

/** Why a dead member's data cannot be taken from others; by whom it is replaced is no matter. */
function obstacleTo(
  { membership, settings }: CommandOptions,
  placement: Placement,
  node: NodeId,
): string | undefined {
  const delta = { join: [], leave: [node], replace: [] }
  const plan = planChange(placement, delta, settings, (it) => membership.isAlive(it))
  return 'blocked' in plan ? plan.blocked : undefined
}

function notAMember({ state }: Ledger, node: NodeId | ''): GTStoreError {
  if (node === '') return new GTStoreError('INVALID_ARGUMENT', 'the node to change is not named')
  if (hasLeft(state, node)) return new GTStoreError('NOT_FOUND', `${node} has left the swarm`)
  if (state.nodes[node] !== undefined) {
    const text = `${node} has not joined the ring yet: stop its process to keep it out`
    return new GTStoreError('CHANGE_REFUSED', text)
  }
  const members = distinctNodes(state.ring?.placement.nodes ?? []).join(', ')
  return new GTStoreError(
    'NOT_FOUND',
    `there is no node ${node}; the nodes are ${members || 'none'}`,
  )
}
