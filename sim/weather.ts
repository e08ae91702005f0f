/**
 * How long messages take. Most are quick, some are slow, and now and then the processes fall into
 * two groups between which everything is slow for a while (two busy cores, one of them starved).
 * Each seed also holds up certain kinds of messages: whole protocol steps then meet in an order that
 * chance alone would take very long to find (swarm testing, Groce et al., 2012).
 * Nothing is lost: a Unix socket loses nothing, it only makes one wait.
 */
import type { Micros } from '../shared/data/version.js'
import type { MessageKind } from '../shared/protocol/messages.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { Random } from './random.js'
import type { World } from './world.js'

export interface Climate {
  /** Mean of a quick message's delay beyond the few microseconds that a socket costs. */
  readonly quickMicros: Micros
  /** Share of slow messages, and how slow they may be. */
  readonly slowShare: number
  readonly slowMicros: Micros
  /** Kinds of messages that are slow as often as not. */
  readonly heldUp: readonly MessageKind[]
  /** Longest time that two groups drift apart. */
  readonly driftMicros: Micros
}

const socketMicros = 8

export class Weather {
  readonly #world: World
  readonly #climate: Climate
  readonly #random: Random
  #driftEnds: Micros = 0
  #groups = new Map<Address, boolean>()

  constructor(world: World, climate: Climate) {
    this.#world = world
    this.#climate = climate
    this.#random = world.random('weather')
  }

  /** Splits the processes into two groups, for a while slow to hear of one another. */
  drift(): void {
    const { driftMicros } = this.#climate
    const lasts = this.#random.between(Math.ceil(driftMicros / 10), driftMicros)
    this.#groups = new Map()
    this.#driftEnds = this.#world.micros + lasts
    this.#world.trace.event(this.#world.micros, 'weather', 'drift', lasts)
  }

  /** `kind` undefined: a connection that is made or ends. */
  delay(from: Address, to: Address, kind: MessageKind | undefined): Micros {
    const random = this.#random
    const { quickMicros, slowShare, slowMicros, heldUp, driftMicros } = this.#climate
    let delay = socketMicros - quickMicros * Math.log(1 - random.next())
    if (random.chance(slowShare)) delay += random.below(slowMicros)
    if (kind !== undefined && heldUp.includes(kind) && random.chance(0.5)) {
      delay += random.below(driftMicros)
    }
    const left = this.#driftEnds - this.#world.micros
    if (left > 0 && this.#groupOf(from) !== this.#groupOf(to))
      delay += left * random.next() + left / 2
    return Math.round(delay)
  }

  #groupOf(address: Address): boolean {
    let group = this.#groups.get(address)
    if (group === undefined) {
      group = this.#random.chance(0.5)
      this.#groups.set(address, group)
    }
    return group
  }
}
