/**
 * The changes that wait: nodes that want to join, and nodes that are to leave.
 *
 * An intent stays here until a settled ring shows it, so that a change that is given up is planned
 * again by itself. What a process wants dies with the process; what a command asked for does not
 * (those are journaled as tickets, and put back in after a restart). Waiting joins are planned as one
 * change, since a batch moves less than its joins one by one. Nodes that leave without their help go
 * together first, since none of them could take what another one gives up. Other leaves go one at a time,
 * so that one that cannot finish holds up none but itself. Last, where nothing else can start, those that
 * wait to join take the places of those that go without their help, in one change.
 */
import type { MembershipDelta } from '../shared/ring/claim.js'
import type { NodeId } from '../shared/ring/description.js'

/** Who wants a leave: the node's own process (SIGTERM), the manager since it is down, or a command. */
export type LeaveOrigin = 'process' | 'eviction' | 'command'

const weight: Readonly<Record<LeaveOrigin, number>> = { process: 0, eviction: 1, command: 2 }

export type Intent =
  | { readonly kind: 'join'; readonly node: NodeId }
  | {
      readonly kind: 'leave'
      readonly node: NodeId
      readonly origin: LeaveOrigin
      /** The process wants it too, whoever else does. */
      readonly isOwn: boolean
    }

export interface Candidate {
  readonly intents: readonly Intent[]
  readonly delta: MembershipDelta
}

/** How the nodes that want to come or go are placed. */
export interface Parties {
  /** The member whose place a joining node takes. */
  readonly replaced: (fresh: NodeId) => NodeId | undefined
  /** Data can be copied from it and to it. */
  readonly helps: (node: NodeId) => boolean
}

export class ChangeQueue {
  #intents: readonly Intent[] = []
  readonly #blocked = new Map<NodeId, string>()

  join(node: NodeId): void {
    if (!this.has('join', node)) this.#intents = [...this.#intents, { kind: 'join', node }]
  }

  /** The weightier wish counts: a command's most, the process's own least. True: it is the first. */
  leave(node: NodeId, origin: LeaveOrigin): boolean {
    const isOwn = origin === 'process'
    if (!this.has('leave', node)) {
      this.#intents = [...this.#intents, { kind: 'leave', node, origin, isOwn }]
      return true
    }
    this.#intents = this.#intents.map((it) => {
      if (it.kind !== 'leave' || it.node !== node) return it
      const heavier = weight[origin] > weight[it.origin] ? origin : it.origin
      return { ...it, origin: heavier, isOwn: it.isOwn || isOwn }
    })
    return false
  }

  /** Only these are down for too long: of the others' evictions, what the process wants remains. */
  evictOnly(due: readonly NodeId[]): void {
    this.#intents = this.#intents.flatMap((it) => {
      if (it.kind === 'join' || it.origin !== 'eviction' || due.includes(it.node)) return [it]
      return it.isOwn ? [{ ...it, origin: 'process' as const }] : []
    })
  }

  /** Who wants the node to leave; undefined if nobody does. */
  origin(node: NodeId): LeaveOrigin | undefined {
    for (const it of this.#intents) if (it.kind === 'leave' && it.node === node) return it.origin
    return undefined
  }

  get evicting(): readonly NodeId[] {
    return this.leaving.filter((node) => this.origin(node) === 'eviction')
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

  block(intents: readonly Pick<Intent, 'node'>[], reason: string): void {
    for (const { node } of intents) this.#blocked.set(node, reason)
  }

  /** Those that join in one batch; who does not help does not hold up the joins of others. */
  arrivals({ replaced, helps }: Parties): Intent[] {
    return this.#intents.filter(
      (it) => it.kind === 'join' && replaced(it.node) === undefined && helps(it.node),
    )
  }

  /**
   * What may be planned next, in order of arrival. `spare` are the evictions that leave enough members
   * where nobody joins.
   */
  candidates(parties: Parties, spare: number): Candidate[] {
    const { replaced, helps } = parties
    const candidates: Candidate[] = []
    const batch = this.arrivals(parties)
    const join = batch.map((it) => it.node)
    const helpless = this.#intents.filter((it) => it.kind === 'leave' && !helps(it.node))
    const leave = helpless.map((it) => it.node)
    if (helpless.length > 1) {
      candidates.push({ intents: helpless, delta: { join: [], leave, replace: [] } })
    }
    for (const intent of this.#intents) {
      const { node } = intent
      const old = intent.kind === 'join' ? replaced(node) : undefined
      if (intent.kind === 'leave') {
        candidates.push({ intents: [intent], delta: { join: [], leave: [node], replace: [] } })
      } else if (old !== undefined) {
        const delta: MembershipDelta = { join: [], leave: [], replace: [[old, node]] }
        candidates.push({ intents: [intent], delta })
      } else if (intent === batch[0]) {
        candidates.push({ intents: batch, delta: { join, leave: [], replace: [] } })
      }
    }
    if (join.length > 0 && leave.length > 0) {
      const intents = [...helpless, ...batch]
      candidates.push({ intents, delta: { join, leave, replace: [] } })
    }
    return candidates.filter(({ delta }) => this.#leavesEnough(delta, spare))
  }

  #leavesEnough({ join, leave }: MembershipDelta, spare: number): boolean {
    const evicted = leave.filter((node) => this.origin(node) === 'eviction').length
    return evicted === 0 || evicted <= spare + join.length
  }
}
