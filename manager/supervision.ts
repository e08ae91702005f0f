/**
 * The supervisor, which starts processes for the manager: nodes that a command adds, and dead ones
 * whose data is needed again.
 *
 * Where too few owners of a range live, its data can only come from the directories of the dead. Those
 * whose data is needed are asked for once one of them has been down for long enough to be evicted, so
 * that all are back together; all that are dead, at once, where a change waits for their like. Each is
 * asked for once per death and registration, after a pause: the supervisor restarts crashed processes by
 * itself, and one that cannot start must not be tried for ever.
 */
import type { Message, MessageOf } from '../shared/protocol/messages.js'
import { addressOf, type NodeId } from '../shared/ring/description.js'
import { revivalPauseMs } from '../shared/runtime/limits.js'
import type { Address, Log } from '../shared/runtime/runtime.js'
import type { Health } from './health.js'
import type { Ledger } from './ledger.js'
import type { Membership } from './membership.js'

export interface SupervisionOptions {
  readonly ledger: Ledger
  readonly membership: Membership
  readonly health: Health
  readonly log: Log
  readonly send: (to: Address, message: Message) => void
}

export class Supervision {
  readonly #options: SupervisionOptions
  #supervisor: Address | undefined
  /** The dead lives that this supervisor was asked to follow by a new one. */
  readonly #asked = new Set<Address>()

  constructor(options: SupervisionOptions) {
    this.#options = options
  }

  /** Somebody is there to start processes. */
  get isThere(): boolean {
    return this.#supervisor !== undefined
  }

  register(from: Address, { id, nodes }: MessageOf<'supervisor.register'>): void {
    const { ledger, membership, send } = this.#options
    const { ring, nodes: records } = ledger.state
    if (from !== this.#supervisor) this.#asked.clear()
    this.#supervisor = from
    const members = ring?.members.map((member) => member.id) ?? []
    const named = members.filter((node) => records[node]?.lost !== true)
    send(from, { kind: 'supervisor.register.ok', id, nodes: named })
    // A manager that dies now forgets what is not durable, and gives the same id to another node.
    ledger.whenDurable(() => {
      if (this.#supervisor === from) this.#spawnAwaited(named)
    })
    membership.expect(nodes)
  }

  /** The fresh nodes of changes that were asked for while nobody was there to start them. */
  #spawnAwaited(named: readonly NodeId[]): void {
    const { ledger, membership } = this.#options
    for (const { outcome, fresh } of ledger.state.tickets) {
      const isAwaited = outcome === 'open' && fresh !== '' && !named.includes(fresh)
      if (isAwaited && !membership.isAlive(fresh)) this.spawn(fresh)
    }
  }

  closed(peer: Address): void {
    if (peer !== this.#supervisor) return
    this.#supervisor = undefined
    this.#asked.clear()
  }

  spawn(node: NodeId): void {
    if (this.#supervisor === undefined) return
    this.#options.send(this.#supervisor, { kind: 'node.spawn', node })
  }

  /** Has dead members started again whose data is needed, or that a change cannot do without. */
  revive(): void {
    const { membership, health, log } = this.#options
    if (this.#supervisor === undefined) return
    const isStarved = membership.starved.length > 0
    const needed = membership.verdicts.filter(({ verdict }) => verdict === 'needed')
    if (!isStarved && !needed.some(({ leftMs }) => leftMs === 0)) return
    for (const member of membership.processes) {
      const address = addressOf(member)
      const isDead = health.down(member) === 'exited' && health.downFor(member) >= revivalPauseMs
      if (!isStarved && !needed.some(({ node }) => node === member.id)) continue
      if (!isDead || this.#asked.has(address) || membership.isForced(member.id)) continue
      log.warn({ node: member.id }, 'the data of a dead node is needed: it is to be started again')
      this.#asked.add(address)
      this.spawn(member.id)
    }
  }
}
