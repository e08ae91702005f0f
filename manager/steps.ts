/**
 * The manager's journal: each step is durable before its effect, and the manager's state is the fold
 * of its steps (state.ts). A restarted manager knows nothing else.
 *
 * A ring is journaled whole, as it is published, and not as the change that led to it: what a replay
 * yields never depends on the planning code of the day. A journal that has grown long begins anew with
 * all that its steps amount to. Steps are checked as they are read, since
 * another version of the program may have written them.
 */
import * as v from 'valibot'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Placement, RingDescription } from '../shared/ring/description.js'
import { count, member, nodeId, nodeIdOrNone, token } from './schemas.js'
import type { ManagerState } from './state.js'

const placement: v.GenericSchema<unknown, Placement> = v.pipe(
  v.strictObject({
    replicas: count,
    readQuorum: count,
    writeQuorum: count,
    tokens: v.array(token),
    nodes: v.array(nodeId),
  }),
  v.check((it) => it.tokens.length === it.nodes.length, 'tokens and nodes differ in number'),
)

const transfer = v.strictObject({
  from: token,
  to: token,
  gainer: nodeId,
  sources: v.array(nodeId),
  needed: count,
  wipe: v.boolean(),
})

const chain = v.strictObject({
  from: token,
  to: token,
  members: v.array(nodeId),
  full: count,
  reader: nodeIdOrNone,
})

const ring: v.GenericSchema<unknown, RingDescription> = v.strictObject({
  epoch: count,
  swarm: v.string(),
  boot: count,
  members: v.array(member),
  placement,
  change: v.exactOptional(
    v.strictObject({
      plan: count,
      next: placement,
      transfers: v.array(transfer),
      switching: v.exactOptional(v.boolean()),
    }),
  ),
  chains: v.exactOptional(v.array(chain)),
})

const nodeRecord = v.strictObject({ incarnation: count, store: v.string(), lost: v.boolean() })

const ticket = v.strictObject({
  ticket: count,
  change: v.picklist(['add', 'remove', 'replace']),
  node: nodeIdOrNone,
  fresh: nodeIdOrNone,
  force: v.boolean(),
  acceptLoss: v.boolean(),
  outcome: v.picklist(['open', 'done', 'aborted']),
  reason: v.string(),
})

const state: v.GenericSchema<unknown, ManagerState> = v.pipe(
  v.strictObject({
    swarm: v.string(),
    bootId: v.string(),
    boot: count,
    epoch: count,
    plans: count,
    clients: count,
    lastNode: count,
    lastTicket: count,
    nodes: v.record(nodeId, nodeRecord),
    tickets: v.array(ticket),
    ring: v.optional(ring),
    evicted: v.array(nodeId),
  }),
  v.transform((it) => ({ ...it, ring: it.ring })),
)

const stepSchema = v.variant('step', [
  /** The first of every journal that was never compacted. */
  v.strictObject({ step: v.literal('swarm.created'), swarm: v.string() }),
  /** The host was started again, or a node has seen a higher boot than we had noted. */
  v.strictObject({ step: v.literal('boot.raised'), bootId: v.string(), boot: count }),
  /** Somebody has seen a higher epoch than we had noted: the next ring goes above it. */
  v.strictObject({ step: v.literal('epoch.raised'), epoch: count }),
  /** Client ids up to this one may be given out. */
  v.strictObject({ step: v.literal('clients.granted'), upTo: count }),
  /** A node begins a life; its id may be new. */
  v.strictObject({ step: v.literal('node.enrolled'), node: nodeId, incarnation: count }),
  /** A member came back without its data: it leaves the ring, and the process joins as a new node. */
  v.strictObject({ step: v.literal('store.lost'), node: nodeId }),
  /** A command asked for a change; `fresh` is the id set aside for the node it adds. */
  v.strictObject({
    step: v.literal('change.submitted'),
    ticket: count,
    change: v.picklist(['add', 'remove', 'replace']),
    node: nodeIdOrNone,
    fresh: nodeIdOrNone,
    // Journals from before these were asked for lack them.
    force: v.optional(v.boolean(), false),
    acceptLoss: v.optional(v.boolean(), false),
  }),
  /** A command asked again for a change that waits, now without the help of the node that goes. */
  v.strictObject({ step: v.literal('change.forced'), ticket: count, acceptLoss: v.boolean() }),
  /** A commanded change ended otherwise than by a settled ring that shows it. */
  v.strictObject({
    step: v.literal('change.ended'),
    ticket: count,
    outcome: v.picklist(['done', 'aborted']),
    reason: v.string(),
  }),
  /** A ring, and the stores of those members that have joined in this life of the manager. */
  v.strictObject({
    step: v.literal('ring.published'),
    ring,
    stores: v.record(nodeId, v.string()),
    /** Members that the change evicts. */
    evicted: v.optional(v.array(nodeId), []),
  }),
  /** A swarm that lives in memory lost every process: it is founded anew. */
  v.strictObject({ step: v.literal('ring.reset') }),
  /** All that the steps before it amount to, in their place. */
  v.strictObject({ step: v.literal('swarm.snapshot'), state }),
])

export type Step = v.InferOutput<typeof stepSchema>

/** Checks one journal entry; `index` names it in the error. */
export function parseStep(raw: unknown, index: number): Step {
  const result = v.safeParse(stepSchema, raw)
  if (result.success) return result.output
  const [issue] = result.issues
  throw new GTStoreError(
    'VERSION_MISMATCH',
    `entry ${index} of the manager's journal is not understood ` +
      `(${v.getDotPath(issue) ?? 'step'}: ${issue.message}): ` +
      'start the version of gtstore that wrote it',
  )
}
