/**
 * What must hold once faults and load have stopped: waits, within bounded time, until every process
 * agrees that nothing is under way, then looks at what is left on the disks.
 */
import { fold, initialState } from '../manager/state.js'
import type { Step } from '../manager/steps.js'
import { formatVersion } from '../shared/data/version.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Arc, Ring } from '../shared/ring/ring.js'
import { inRange } from '../shared/ring/token.js'
import type { Host } from './host.js'
import type { Invariants } from './invariants.js'
import { replay } from './journal.js'
import type { Swarm } from './swarm.js'

const pollMicros = 50_000

export class Quiescence {
  readonly #host: Host
  readonly #swarm: Swarm
  readonly #invariants: Invariants
  #isReached = false

  constructor(swarm: Swarm, invariants: Invariants) {
    this.#host = swarm.host
    this.#swarm = swarm
    this.#invariants = invariants
  }

  /** Looks again and again until it is reached. */
  begin(): void {
    this.#poll()
  }

  /** The manager has nothing to do, and every node holds its ring and nothing that it does not own. */
  get isReached(): boolean {
    return this.#isReached
  }

  /** What is not as it must be, in words. */
  problems(): string[] {
    const ring = this.#invariants.ring
    if (ring === undefined) return ['there is no ring']
    return [
      ...this.#openChanges(ring),
      ...this.#down(),
      ...this.#epochs(ring),
      ...this.#owners(ring),
      ...this.#excess(ring),
      ...this.#hints(),
      ...this.#chains(ring),
      ...this.#journal(),
    ]
  }

  /** Owners of a range hold the same records, byte for byte: once everything was repaired. */
  differences(): string[] {
    const ring = this.#invariants.ring
    return ring === undefined ? [] : ring.arcs.flatMap((arc) => this.#differencesOf(arc))
  }

  #differencesOf(arc: Arc): string[] {
    const [first, ...others] = arc.owners.map((owner) => this.#contents(owner, arc))
    return others
      .filter((contents) => contents !== first)
      .map((contents) => `owners of the range up to ${arc.to} differ: ${first} and ${contents}`)
  }

  #contents(owner: NodeId, arc: Arc): string {
    return (
      [...this.#host.disk.store(owner).entries.values()]
        .filter(({ token }) => inRange(token, arc))
        // The members of a chain bury their dead one by one.
        .filter(({ record }) => arc.chain === undefined || record.value !== null)
        .map(({ key, record: { version, value } }) => {
          const written = value === null ? 'deleted' : Buffer.from(value)
          return `${Buffer.from(key)}=${written} at ${formatVersion(version)}`
        })
        .sort()
        .join(', ')
    )
  }

  #poll(): void {
    this.#swarm.status((status) => {
      const ring = this.#invariants.ring
      const isIdle = status?.state === 'serving' && status.changes.every((change) => isOver(change))
      const isHeld = ring !== undefined && this.#problemsOfRest(ring).length === 0
      this.#isReached = isIdle && isHeld
      if (!this.#isReached) this.#host.world.at(pollMicros, () => this.#poll())
    })
  }

  /** What goes away by itself. */
  #problemsOfRest(ring: Ring): string[] {
    return [
      ...this.#down(),
      ...this.#epochs(ring),
      ...this.#owners(ring),
      ...this.#excess(ring),
      ...this.#hints(),
      ...this.#uncommitted(),
    ]
  }

  #openChanges(ring: Ring): string[] {
    return ring.description.change === undefined ? [] : ['a plan is left in the ring']
  }

  #down(): string[] {
    const ring = this.#invariants.ring
    return this.#swarm.kept
      .filter(({ id, keeper }) => !keeper.isAbandoned || ring?.member(id) !== undefined)
      .filter(({ process }) => process?.node?.state !== 'active')
      .map(({ id, process }) => `${process?.id ?? id} is ${process?.node?.state ?? 'down'}`)
  }

  #epochs(ring: Ring): string[] {
    return this.#swarm.nodes
      .filter(({ node }) => node?.ring.epoch !== ring.epoch)
      .map(({ id, node }) => `${id} holds epoch ${node?.ring.epoch}, not ${ring.epoch}`)
  }

  #owners(ring: Ring): string[] {
    const { replicas } = this.#host.settings
    const living = new Set(this.#swarm.nodes.map(({ id }) => id))
    return ring.arcs
      .filter(({ owners }) => new Set(owners.filter((id) => living.has(id))).size !== replicas)
      .map(({ to, owners }) => `up to ${to}: not ${replicas} living owners, but ${owners}`)
  }

  #excess(ring: Ring): string[] {
    return this.#swarm.nodes.flatMap(({ id }) =>
      [...this.#host.disk.store(id).entries.values()]
        .filter(({ token }) => !ring.arcOf(token).owners.includes(id as NodeId))
        .map(({ key }) => `${id} keeps a copy of ${Buffer.from(key)} that it does not own`),
    )
  }

  #hints(): string[] {
    return this.#swarm.nodes
      .filter(({ id }) => this.#host.disk.store(`${id}/hints`).entries.size > 0)
      .map(({ id }) => `${id} still keeps hints`)
  }

  #chains(ring: Ring): string[] {
    const broken = ring.arcs
      .filter(({ chain }) => chain !== undefined && chain.full < chain.members.length)
      .map(({ to, owners }) => `up to ${to}: the chain ${owners} is not whole`)
    return [...broken, ...this.#uncommitted()]
  }

  #uncommitted(): string[] {
    return this.#swarm.nodes
      .filter(({ node }) => node !== undefined && node.uncommitted > 0)
      .map(
        ({ id, node }) => `${id} does not know of ${node?.uncommitted} requests whether they ended`,
      )
  }

  /** A step counts from when it is appended: what rests on it waits until it is durable. */
  #journal(): string[] {
    const { manager } = this.#swarm
    if (manager === undefined) return ['there is no manager']
    const folded = JSON.stringify(replay<Step>(manager.journaled).reduce(fold, initialState))
    if (folded === JSON.stringify(manager.manager.state)) return []
    return [`the manager's state is not the fold of its journal, which is ${folded}`]
  }
}

function isOver({ state }: { readonly state: string }): boolean {
  return state === 'done' || state === 'aborted'
}
