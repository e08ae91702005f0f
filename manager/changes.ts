/**
 * The changes that wait: nodes that want to join, and nodes that are to leave.
 *
 * An intent stays here until a settled ring shows it, so that a change that is given up is planned
 * again by itself. What a process wants dies with the process; what a command asked for does not
 * (those are journaled as tickets, and put back in after a restart). Waiting joins are planned as one
 * change, since a batch moves less than its joins one by one; leaves go one at a time, so that one
 * that cannot finish holds up none but itself.
 */
import type { MembershipDelta } from '../shared/ring/claim.js'
import type { NodeId } from '../shared/ring/description.js'

/** Who wants a leave: the node's own process (SIGTERM), or somebody else. */
export type LeaveOrigin = 'process' | 'command'

export type Intent =
  | { readonly kind: 'join'; readonly node: NodeId }
  | { readonly kind: 'leave'; readonly node: NodeId; readonly origin: LeaveOrigin }

export interface Candidate {
  readonly intents: readonly Intent[]
  readonly delta: MembershipDelta
}

export class ChangeQueue {
  #intents: readonly Intent[] = []
  readonly #blocked = new Map<NodeId, string>()

  join(node: NodeId): void {
    if (!this.has('join', node)) this.#intents = [...this.#intents, { kind: 'join', node }]
  }

  /** A command's wish outweighs the process's own. */
  leave(node: NodeId, origin: LeaveOrigin): void {
    const known = this.#intents.find((it) => it.kind === 'leave' && it.node === node)
    const intent: Intent = { kind: 'leave', node, origin }
    if (known === undefined) this.#intents = [...this.#intents, intent]
    else if (origin === 'command') this.#replace(known, intent)
  }

  has(kind: Intent['kind'], node: NodeId): boolean {
    return this.#intents.some((intent) => intent.kind === kind && intent.node === node)
  }

  get joining(): readonly NodeId[] {
    return this.#intents.flatMap((intent) => (intent.kind === 'join' ? [intent.node] : []))
  }

  get leaving(): readonly NodeId[] {
    return this.#intents.flatMap((intent) => (intent.kind === 'leave' ? [intent.node] : []))
  }

  retain(wanted: (intent: Intent) => boolean): void {
    this.#intents = this.#intents.filter(wanted)
    for (const node of this.#blocked.keys()) {
      if (!this.#intents.some((intent) => intent.node === node)) this.#blocked.delete(node)
    }
  }

  drop(kind: Intent['kind'], node: NodeId): void {
    this.retain((intent) => intent.kind !== kind || intent.node !== node)
  }

  /** Why the node's change cannot start yet; empty if it can. */
  blocked(node: NodeId): string {
    return this.#blocked.get(node) ?? ''
  }

  block(intents: readonly Intent[], reason: string): void {
    for (const { node } of intents) this.#blocked.set(node, reason)
  }

  /**
   * What may be planned next, in order of arrival. `replaced` names the member whose place a joining
   * node takes.
   */
  candidates(replaced: (fresh: NodeId) => NodeId | undefined): Candidate[] {
    const candidates: Candidate[] = []
    const batch = this.#intents.filter(
      (it) => it.kind === 'join' && replaced(it.node) === undefined,
    )
    for (const intent of this.#intents) {
      const { node } = intent
      const old = intent.kind === 'join' ? replaced(node) : undefined
      if (intent.kind === 'leave') {
        candidates.push({ intents: [intent], delta: { join: [], leave: [node], replace: [] } })
      } else if (old !== undefined) {
        const delta: MembershipDelta = { join: [], leave: [], replace: [[old, node]] }
        candidates.push({ intents: [intent], delta })
      } else if (intent === batch[0]) {
        const join = batch.map((it) => it.node)
        candidates.push({ intents: batch, delta: { join, leave: [], replace: [] } })
      }
    }
    return candidates
  }

  #replace(old: Intent, intent: Intent): void {
    this.#intents = this.#intents.map((it) => (it === old ? intent : it))
  }
}
