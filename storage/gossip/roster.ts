/**
 * What this node holds of the other members, and which word about one of them outweighs another.
 *
 * The rule (SWIM, section 4.2): a higher refutation outweighs a lower one, since only the node itself
 * raises it; at the same refutation `dead` outweighs `suspect`, and that `alive`. Here a node that was
 * called dead may refute as well, since it keeps its ranges until the ring says otherwise: it was
 * paused. Only a process that is gone (`isGone`) stays dead; a new life of the node, by a newer ring,
 * begins alive.
 */
import type { Health, Rumor } from '../../shared/protocol/messages.js'
import { addressOf, type Member, type NodeId } from '../../shared/ring/description.js'
import type { Ring } from '../../shared/ring/ring.js'
import type { Address, Millis } from '../../shared/runtime/runtime.js'

export interface Entry {
  readonly member: Member
  readonly address: Address
  health: Health
  refutation: number
  /** Its process is gone: nothing makes this life answer again. */
  isGone: boolean
  /** When its present suspicion turns into death, unless it answers. */
  suspectUntil: Millis
}

const weights: Readonly<Record<Health, number>> = { alive: 0, suspect: 1, dead: 2 }

export class Roster {
  private entries: ReadonlyMap<NodeId, Entry> = new Map()
  private byAddress: ReadonlyMap<Address, Entry> = new Map()
  private memberCount = 0

  /** Takes over what is held of lives that go on. */
  follow(ring: Ring, self: NodeId): void {
    const { members } = ring.description
    const others = members.filter(({ id }) => id !== self)
    const entries = others.map((member) => {
      const known = this.byAddress.get(addressOf(member))
      return known ?? newEntry(member)
    })
    this.entries = new Map(entries.map((entry) => [entry.member.id, entry]))
    this.byAddress = new Map(entries.map((entry) => [entry.address, entry]))
    this.memberCount = members.length
  }

  /** Members, this node among them. */
  get size(): number {
    return this.memberCount
  }

  get nodes(): readonly NodeId[] {
    return [...this.entries.keys()]
  }

  get all(): readonly Entry[] {
    return [...this.entries.values()]
  }

  of(node: NodeId): Entry | undefined {
    return this.entries.get(node)
  }

  /** Undefined: not a member, or another life of one. */
  at(address: Address): Entry | undefined {
    return this.byAddress.get(address)
  }

  /** The entry that the rumor changes; undefined where what is held outweighs it. */
  changedBy({ node, incarnation, refutation, health }: Rumor): Entry | undefined {
    const entry = this.entries.get(node)
    if (entry === undefined || entry.isGone) return undefined
    if (entry.member.incarnation !== incarnation) return undefined
    if (refutation !== entry.refutation) return refutation > entry.refutation ? entry : undefined
    return weights[health] > weights[entry.health] ? entry : undefined
  }
}

export function rumorOf({ member, refutation, health }: Entry): Rumor {
  return { node: member.id, incarnation: member.incarnation, refutation, health }
}

function newEntry(member: Member): Entry {
  return {
    member,
    address: addressOf(member),
    health: 'alive',
    refutation: 0,
    isGone: false,
    suspectUntil: 0,
  }
}
