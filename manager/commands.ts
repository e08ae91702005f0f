/** Membership changes that a command asks for: checked, journaled as a ticket, then in the queue. */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { MessageOf } from '../shared/protocol/messages.js'
import type { ClaimSettings } from '../shared/ring/claim.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import { ticketsKept } from '../shared/runtime/limits.js'
import type { Ledger } from './ledger.js'
import type { Membership } from './membership.js'
import { distinctNodes, nodesOf, planChange } from './plan.js'
import { hasLeft, nextNodeId, type Ticket } from './state.js'

type Submit = Pick<MessageOf<'change.submit'>, 'change' | 'node' | 'force' | 'acceptLoss'>

export interface CommandOptions {
  readonly ledger: Ledger
  readonly membership: Membership
  readonly settings: ClaimSettings
  /** Somebody is there to start processes. */
  readonly isSupervised: () => boolean
}

/**
 * `done` follows once the ticket is durable. Asking again for a removal yields the same ticket; asking
 * again with force sharpens it.
 */
export function submitChange(
  options: CommandOptions,
  submit: Submit,
  done: (outcome: GTStoreError | Ticket) => void,
): void {
  const { ledger, membership } = options
  const { change, node, force, acceptLoss } = submit
  const { tickets, lastTicket } = ledger.state
  const open = tickets.find((it) => it.outcome === 'open' && node !== '' && it.node === node)
  if (open !== undefined && change === open.change) {
    const isSharper = (force && !open.force) || (acceptLoss && !open.acceptLoss)
    if (isSharper) return sharpen(options, submit, open, done)
    if (change === 'remove') return done(open)
  }
  const refused = open === undefined ? refusal(options, submit) : alreadyAsked(open)
  if (refused !== undefined) return done(refused)
  const fresh: NodeId | '' = change === 'remove' ? '' : nextNodeId(ledger.state)
  const ticket = {
    ticket: lastTicket + 1,
    change,
    node: change === 'add' ? ('' as const) : node,
    fresh,
    force: force && change !== 'add',
    acceptLoss: acceptLoss && change !== 'add',
  }
  ledger.commit({ step: 'change.submitted', ...ticket }, () => {
    done({ ...ticket, outcome: 'open', reason: '' })
    if (ticket.force) membership.force(ticket.node)
    membership.advance()
  })
}

/** A change that waits goes on without the help of the node that goes. */
function sharpen(
  options: CommandOptions,
  submit: Submit,
  open: Ticket,
  done: (outcome: GTStoreError | Ticket) => void,
): void {
  const refused = memberRefusal(options, submit)
  if (refused !== undefined) return done(refused)
  const { ledger, membership } = options
  const acceptLoss = submit.acceptLoss || open.acceptLoss
  ledger.commit({ step: 'change.forced', ticket: open.ticket, acceptLoss }, () => {
    done({ ...open, force: true, acceptLoss })
    membership.force(submit.node)
    membership.advance()
  })
}

function alreadyAsked({ ticket, change, node }: Ticket): GTStoreError {
  const text = `a change of ${node} is under way (${change}, ticket ${ticket}): wait for it`
  return new GTStoreError('CHANGE_REFUSED', text)
}

function refusal(options: CommandOptions, submit: Submit): GTStoreError | undefined {
  const { ledger, isSupervised } = options
  const { tickets } = ledger.state
  if (tickets.filter((ticket) => ticket.outcome === 'open').length >= ticketsKept) {
    const text = `${ticketsKept} changes wait already: ask again when some are done`
    return new GTStoreError('OVERLOADED', text)
  }
  if (submit.change !== 'remove' && !isSupervised()) {
    const text =
      'nobody is there to start a process: start the node yourself with `gtstore run node`'
    return new GTStoreError('CHANGE_REFUSED', text)
  }
  return submit.change === 'add' ? undefined : memberRefusal(options, submit)
}

/** Why this member can be neither removed nor replaced as it was asked. */
function memberRefusal(options: CommandOptions, submit: Submit): GTStoreError | undefined {
  const { ledger, membership } = options
  const { change, node, force, acceptLoss } = submit
  const { ring } = ledger.state
  if (acceptLoss && !force) {
    return new GTStoreError('INVALID_ARGUMENT', '--accept-loss is for --force only: give both')
  }
  if (ring?.placement.nodes.includes(node) !== true) return notAMember(ledger, node)
  const isLast = nodesOf(ring.placement).length === 1
  if (change === 'remove' && isLast && membership.queue.joining.length === 0) {
    const text = `${node} holds the last copy: add a node first, or stop the swarm with \`gtstore down\``
    return new GTStoreError('CHANGE_REFUSED', text)
  }
  if (!force && membership.isUp(node)) return undefined
  return obstacleTo(options, ring, submit)
}

/** Why a member's data cannot be taken from the others. */
function obstacleTo(
  { ledger, membership, settings }: CommandOptions,
  ring: RingDescription,
  { change, node, force, acceptLoss }: Submit,
): GTStoreError | undefined {
  const others = nodesOf(ring.placement).filter((it) => membership.isForced(it))
  const fresh = nextNodeId(ledger.state)
  const delta =
    change === 'replace'
      ? { join: [], leave: [], replace: [[node, fresh] as const] }
      : { join: [], leave: distinctNodes([node], others), replace: [] }
  const plan = planChange(ring, delta, settings, {
    helps: (it) => it === fresh || (it !== node && membership.helps(it)),
    isGivenUp: (it) => (acceptLoss && it === node) || membership.isGivenUp(it),
  })
  // With force it waits for the others that are down, which may be taken out or given up, too.
  if (!('blocked' in plan) || (force && (acceptLoss || !plan.starved))) return undefined
  const state = membership.isUp(node) ? 'is to go without its help' : 'is down'
  const command = `gtstore node ${change} ${node}`
  const wayOut = plan.starved
    ? `start it again (\`gtstore node restart ${node}\`), or give up what only ${node} may ` +
      `hold: \`${command} --force --accept-loss\``
    : `start that one again first, or take out both: \`${command} --force\`, and the same for it`
  return new GTStoreError('CHANGE_REFUSED', `${node} ${state}, and ${plan.blocked}: ${wayOut}`)
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
