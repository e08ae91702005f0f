/**
 * What befalls messages beyond the weather: some are lost, come twice or are held up, and processes
 * are cut off from one another, in one direction or both, with their connections closed or silently.
 *
 * A real Unix socket loses a message only together with its connection. Loss without a close is harsher
 * than that, so it may hit only what the protocol says is covered by a deadline or said again; the
 * others are held back until the cut is over, as by a peer that does not read.
 */
import type { Micros } from '../shared/data/version.js'
import type { MessageKind } from '../shared/protocol/messages.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { Random } from './random.js'
import type { World } from './world.js'

/** How a cut treats what it hits: connections end, messages vanish, or they wait for its end. */
export type CutManner = 'closing' | 'losing' | 'holding'

/** What becomes of a message. */
export interface Carriage {
  /** So many of it arrive. */
  readonly copies: number
  /** How long a cut holds it back before it sets out. */
  readonly held: Micros
  /** What it takes longer then. */
  readonly delay: Micros
}

interface Cut {
  readonly isCut: (from: Address, to: Address) => boolean
  readonly manner: CutManner
  readonly ends: Micros
  readonly hit: () => void
}

interface Trouble {
  readonly share: number
  readonly ends: Micros
  readonly hit: () => void
}

interface Slowness {
  readonly address: Address
  readonly micros: Micros
  readonly ends: Micros
  readonly hit: () => void
}

/**
 * Said once, and lost only with the connection: a stopping manager says it again on a new one, and
 * waits no longer than a moment; a member of a chain begins anew with the next.
 */
const neverLost: ReadonlySet<MessageKind> = new Set<MessageKind>([
  'node.stop',
  'chain.put',
  'chain.ack',
  'chain.mark',
])

/**
 * A socket doubles nothing, so a refusal may say that a write surely did not happen: that would be a lie
 * if another copy of the request were still on its way.
 */
const neverDoubled: ReadonlySet<MessageKind> = new Set<MessageKind>([
  'put',
  'coordinate.put',
  'write',
  'coordinate.write',
  'chain.put',
  'replica.put',
  'hint.put',
])

/**
 * Their connections are not disturbed: a supervisor and a process that is not a node yet sit beside the
 * manager, and whether a command took effect that got no answer is for a person to find out.
 */
export function isExempt(address: Address): boolean {
  return address === 'supervisor' || address.startsWith('enroll')
}

export class Interference {
  readonly #world: World
  readonly #random: Random
  #cuts: Cut[] = []
  #loss: Trouble[] = []
  #duplication: Trouble[] = []
  #slowness: Slowness[] = []
  readonly #held = new Set<() => void>()

  constructor(world: World) {
    this.#world = world
    this.#random = world.random('interference')
  }

  /** `hit` is called with every message or connection that it affects. */
  cut(isCut: Cut['isCut'], manner: CutManner, lasts: Micros, hit: () => void): void {
    this.#cuts.push({ isCut, manner, ends: this.#world.micros + lasts, hit })
  }

  lose(share: number, lasts: Micros, hit: () => void): void {
    this.#loss.push({ share, ends: this.#world.micros + lasts, hit })
  }

  duplicate(share: number, lasts: Micros, hit: () => void): void {
    this.#duplication.push({ share, ends: this.#world.micros + lasts, hit })
  }

  /** Everything from and to this process takes up to so much longer. */
  slow(address: Address, micros: Micros, lasts: Micros, hit: () => void): void {
    this.#slowness.push({ address, micros, ends: this.#world.micros + lasts, hit })
  }

  /** All of it is over, and what was held back goes on its way. */
  heal(): void {
    this.#cuts = []
    this.#loss = []
    this.#duplication = []
    this.#slowness = []
    for (const release of [...this.#held]) release()
  }

  /** Calls back once a cut of so long is over, or healed. */
  hold(micros: Micros, then: () => void): void {
    if (micros <= 0) {
      then()
      return
    }
    const release = () => {
      cancel()
      this.#held.delete(release)
      then()
    }
    const cancel = this.#world.at(micros, release)
    this.#held.add(release)
  }

  carry(from: Address, to: Address, kind: MessageKind): Carriage {
    const isQuiet = this.#cuts.length + this.#loss.length + this.#duplication.length === 0
    if ((isQuiet && this.#slowness.length === 0) || isExempt(from) || isExempt(to)) return untouched
    this.#forgetPast()
    const isLossy = !neverLost.has(kind)
    const cut = this.#cutOf(from, to)
    cut?.hit()
    if (isLossy && (cut?.manner === 'losing' || this.#befalls(this.#loss))) return lost
    const mayDouble = isLossy && !neverDoubled.has(kind)
    const copies = mayDouble && this.#befalls(this.#duplication) ? 2 : 1
    return { copies, held: this.#untilOver(cut), delay: this.#slownessOf(from, to) }
  }

  /** Whether a connection can be made now, and how long it waits otherwise. */
  dial(from: Address, to: Address): Micros | 'refused' {
    if (this.#cuts.length === 0 || isExempt(from) || isExempt(to)) return 0
    this.#forgetPast()
    const cut = this.#cutOf(from, to)
    cut?.hit()
    return cut?.manner === 'closing' ? 'refused' : this.#untilOver(cut)
  }

  #cutOf(from: Address, to: Address): Cut | undefined {
    return this.#cuts.find(({ isCut }) => isCut(from, to))
  }

  #untilOver(cut: Cut | undefined): Micros {
    return cut === undefined ? 0 : cut.ends - this.#world.micros
  }

  #slownessOf(from: Address, to: Address): Micros {
    let delay = 0
    for (const { address, micros, hit } of this.#slowness) {
      if (address !== from && address !== to) continue
      hit()
      delay += this.#random.below(micros)
    }
    return delay
  }

  #befalls(troubles: readonly Trouble[]): boolean {
    const trouble = troubles.find(({ share }) => this.#random.chance(share))
    trouble?.hit()
    return trouble !== undefined
  }

  #forgetPast(): void {
    const isPresent = ({ ends }: { readonly ends: Micros }) => ends > this.#world.micros
    this.#cuts = this.#cuts.filter(isPresent)
    this.#loss = this.#loss.filter(isPresent)
    this.#duplication = this.#duplication.filter(isPresent)
    this.#slowness = this.#slowness.filter(isPresent)
  }
}

const untouched: Carriage = { copies: 1, held: 0, delay: 0 }
const lost: Carriage = { copies: 0, held: 0, delay: 0 }
