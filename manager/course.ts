/**
 * How the ring goes on, with what its nodes said of it: gainers that they have everything, readers of
 * chains that they have their marks. None of that is journaled: they say it anew to every manager.
 */
import type { Durability } from '../shared/protocol/messages.js'
import type {
  Chain,
  Change,
  Member,
  NodeId,
  RingDescription,
  Transfer,
} from '../shared/ring/description.js'
import { chainReturnMs } from '../shared/runtime/limits.js'
import { nextChains } from './chains.js'
import type { Health } from './health.js'
import type { Ledger } from './ledger.js'
import { type Parties, remembered } from './plan.js'
import { nextRing, type Progress } from './progress.js'
import { Said } from './said.js'

export interface CourseOptions {
  readonly ledger: Ledger
  readonly health: Health
  readonly durability: Durability
  readonly member: (node: NodeId) => Member | undefined
  readonly isAlive: (node: NodeId) => boolean
  /** Data can be copied from it and to it. */
  readonly helps: (node: NodeId) => boolean
  readonly isGivenUp: (node: NodeId) => boolean
  /** The ring must be published anew, as it is. */
  readonly isOutdated: (ring: RingDescription) => boolean
  readonly hasNewLife: (ring: RingDescription) => boolean
}

export class Course {
  readonly #options: CourseOptions
  /** Gainers, of plans; and readers, of rings. */
  readonly #completed = new Said()
  readonly #ready = new Said()
  /** Why the change under way must be given up, where its processes do not show it. */
  #giveUp: string | undefined

  constructor(options: CourseOptions) {
    this.#options = options
  }

  /** True: a gainer of the plan under way has everything, which was not known. */
  completed(plan: number, node: NodeId): boolean {
    const isUnderWay = this.#options.ledger.state.ring?.change?.plan === plan
    return isUnderWay && this.#completed.note(plan, node)
  }

  /** True: a reader has the marks of its arcs in the ring of today, which was not known. */
  ready(epoch: number, node: NodeId): boolean {
    return this.#options.ledger.state.ring?.epoch === epoch && this.#ready.note(epoch, node)
  }

  /** The change under way is to be given up. */
  giveUp(reason: string): void {
    this.#giveUp = reason
  }

  /** A ring was written: what was to be given up is. */
  written(): void {
    this.#giveUp = undefined
  }

  /** The others of a chain were waited for long enough, or somebody is silent by now. */
  get isDue(): boolean {
    const { ring } = this.#options.ledger.state
    return ring?.chains !== undefined && this.next(ring) !== undefined
  }

  /** The ring that follows by itself; undefined while there is something to wait for. */
  next(ring: RingDescription): Progress | undefined {
    const { chains, change } = ring
    if (chains === undefined && change === undefined) return undefined
    const { ledger, isOutdated, hasNewLife } = this.#options
    const facts = {
      ...this.parties,
      isReturning: (it: Chain) => this.#isReturning(it),
      giveUp: this.#giveUp,
      open: (it: Change) => this.#open(it),
      lossOf: (node: NodeId) => this.#lossOf(node),
      isOutdated: isOutdated(ring),
      hasNewLife: hasNewLife(ring),
    }
    if (chains === undefined) return nextRing(ring, facts)
    const isReady = (node: NodeId, epoch: number) => this.#ready.has(epoch, node)
    return nextChains(ring, chains, { ...facts, isReady, nextPlan: ledger.state.plans + 1 })
  }

  /** What is still to be copied. */
  #open({ plan, transfers }: Change): readonly Transfer[] {
    return transfers.filter(({ gainer }) => !this.#completed.has(plan, gainer))
  }

  /** As they are in this moment: for one planning. */
  get parties(): Parties {
    const { helps, isGivenUp } = this.#options
    return { helps: remembered(helps), isGivenUp, isReturning: (it) => this.#isReturning(it) }
  }

  /** A gainer that had copied everything may die, but not lose it again. */
  #lossOf(gainer: NodeId): string | undefined {
    const { durability, isAlive, ledger } = this.#options
    const inMemory = durability === 'memory'
    const isLost = inMemory ? !isAlive(gainer) : ledger.state.nodes[gainer]?.lost === true
    return isLost ? `${gainer} lost what was copied to it` : undefined
  }

  /** Whoever has all of it has just come back, and the others of the chain may be about to. */
  #isReturning({ members, full }: Chain): boolean {
    const { helps, health, member } = this.#options
    const isFresh = (node: NodeId) => {
      const life = member(node)
      return life === undefined || health.upFor(life) < chainReturnMs
    }
    return members.slice(0, full).every((node) => !helps(node) || isFresh(node))
  }
}
