/**
 * One run of one seed: found a swarm, put it under load, change its membership in bad weather and let
 * things go wrong (the phase of safety); then mend what went wrong, see that the swarm comes to rest in
 * bounded time (the phase of liveness), and judge everything that was seen.
 */

import type { Mode } from '../shared/data/mode.js'
import type { Address } from '../shared/runtime/runtime.js'
import { ChainInvariants } from './chain-invariants.js'
import { ChangeInvariants, type OnBreach } from './change-invariants.js'
import { findCausalViolation } from './checkers/causality.js'
import { findViolation } from './checkers/linearizability.js'
import type { Operation } from './checkers/operation.js'
import { findVersionConflict } from './checkers/versions.js'
import { EvictionInvariants } from './eviction-invariants.js'
import { leastFaults } from './fault-settings.js'
import { type FaultCounts, Faults } from './faults.js'
import { FlightInvariants } from './flight-invariants.js'
import { History } from './history.js'
import { Host } from './host.js'
import { isExempt } from './interference.js'
import type { Invariants } from './invariants.js'
import { Load } from './load.js'
import { MembershipChanges } from './membership.js'
import type { Plant } from './planting.js'
import { Quiescence } from './quiescence.js'
import { QuorumInvariants } from './quorum-invariants.js'
import { type RepairRound, Repairs } from './repairs.js'
import {
  leastChanges,
  leastClients,
  leastOperations,
  mostKeys,
  type Settings,
  settingsOf,
} from './settings.js'
import { Swarm } from './swarm.js'
import type { TraceSink } from './trace.js'
import { World } from './world.js'

/** What a run did; below the minima of settings.ts it does not count. */
export interface Totals {
  /** Calls that happened or may have. */
  readonly operations: number
  readonly acknowledged: number
  readonly indefinite: number
  readonly clients: number
  readonly keys: number
  readonly changes: number
  /** Changes asked for while another one was under way. */
  readonly overlapped: number
  readonly evictions: number
  /** Those that had an effect; undefined in a seed without. */
  readonly faults: FaultCounts | undefined
  readonly epochs: number
  readonly checks: number
  readonly events: number
  /** Virtual time. */
  readonly seconds: number
}

export interface Outcome {
  readonly seed: number
  readonly hash: string
  readonly totals: Totals
  /** Empty: the seed passed. */
  readonly failures: readonly string[]
}

export interface RunOptions {
  /** Mode `latest` unless given. */
  readonly mode?: Mode | undefined
  readonly plant?: Plant | undefined
  /** Judge by what the clients were told alone, and go on where an invariant is broken. */
  readonly historiesOnly?: boolean | undefined
  readonly sink?: TraceSink | undefined
}

/** Virtual time within which each part of a run must be over. */
const foundingMicros = 20_000_000
const loadMicros = 180_000_000
const restMicros = 30_000_000
/** With faults: how long they may go on, and how long the swarm then needs to end what it was in. */
const safetyMicros = 150_000_000
const mendedMicros = 60_000_000

const readMicros = 10_000_000
const repairMicros = 60_000_000
/** Rounds that could not compare everything are made again. */
const repairRoundsMax = 6
/** Time for the failure detector to hear again of who was cut off until a moment ago. */
const repairPauseMicros = 2_000_000

/** Requests refused while the swarm forms do not count as load, and may be many. */
const callsMaxFactor = 20

export function runSeed(seed: number, options: RunOptions = {}): Outcome {
  const run = new Run(settingsOf(seed, options.mode ?? 'latest'), options)
  return run.outcome()
}

class Run {
  readonly #settings: Settings
  readonly #world: World
  readonly #host: Host
  readonly #invariants: Invariants
  readonly #swarm: Swarm
  readonly #history = new History()
  readonly #load: Load
  readonly #changes: MembershipChanges
  readonly #faults: Faults | undefined
  readonly #evictions: EvictionInvariants
  readonly #failures: string[] = []

  constructor(settings: Settings, { plant, sink, historiesOnly = false }: RunOptions) {
    const onFailed = (message: string) => this.#fail(message)
    this.#settings = settings
    this.#world = new World(settings.seed, sink)
    this.#host = new Host(this.#world, settings)
    const broken = new Set<string>()
    const onBreach = (invariant: string, detail: string) => {
      if (historiesOnly || broken.has(invariant)) return
      // Until the run ends, one thing that is wrong is seen again with every message.
      broken.add(invariant)
      this.#fail(`${invariant}: ${detail}`)
    }
    const invariants = this.#newInvariants(settings.mode, onBreach)
    const flights = new FlightInvariants({
      host: this.#host,
      keepersOf: (key) => invariants.keepersOf(key),
      covers: (held, version) => invariants.covers(held, version),
      onCollected: (mark) => invariants.collected(mark),
      onBreach,
    })
    this.#invariants = invariants
    this.#swarm = new Swarm({
      host: this.#host,
      plant,
      watcher: {
        erased: (node, ranges) => invariants.erased(node, ranges),
        discarding: (node, marks) => flights.collecting(node, marks),
        received: (by, from, message) => {
          flights.received(by, from, message)
          invariants.received(by, from, message)
        },
      },
      onFailed,
    })
    new ChangeInvariants(this.#host, this.#swarm.journal, onBreach)
    this.#evictions = new EvictionInvariants(this.#host, onBreach)
    this.#changes = new MembershipChanges({ swarm: this.#swarm, onFailed })
    this.#load = new Load({
      host: this.#host,
      history: this.#history,
      plant,
      goesOn: () => this.#loadGoesOn(),
      isSlow: () => this.#history.attempted > settings.operations,
      onFailed,
    })
    const { faults } = settings
    if (faults !== undefined) {
      this.#faults = new Faults({ swarm: this.#swarm, load: this.#load, settings: faults })
    }
  }

  #newInvariants(mode: Mode, onBreach: OnBreach): Invariants {
    if (mode !== 'chain') return new QuorumInvariants(this.#host, mode, onBreach)
    const epochOf = (process: Address) => {
      const found = this.#swarm.kept.find((kept) => kept.process?.address === process)
      return found?.process?.node?.ring.epoch
    }
    return new ChainInvariants(this.#host, epochOf, onBreach)
  }

  outcome(): Outcome {
    try {
      this.#play()
    } catch (error) {
      this.#fail(`a process threw ${error instanceof Error ? error.stack : error}`)
    }
    this.#judge()
    const { seed } = this.#settings
    return {
      seed,
      hash: this.#world.trace.hash(),
      totals: this.#totals(),
      failures: this.#failures,
    }
  }

  #play(): void {
    this.#swarm.start()
    const isFounded = () =>
      this.#swarm.supervisor.isRegistered && this.#invariants.ring?.forming === false
    if (!this.#until(isFounded, foundingMicros, 'the swarm was not founded')) return
    this.#load.start()
    this.#changes.start()
    this.#badWeather()
    this.#brokenConnections()
    if (this.#faults !== undefined && !this.#suffer(this.#faults)) return
    const areBack = () => this.#faults?.areMended !== false
    const isOver = () =>
      this.#load.isOver && this.#load.isReady && this.#changes.areOver && areBack()
    const limit = this.#faults === undefined ? loadMicros : mendedMicros
    if (!this.#until(isOver, limit, 'load and changes did not end')) return
    this.#changes.stop()
    if (!this.#rest() || !this.#readAll()) return
    // Chains have nothing to repair: what passed through them is everywhere, or they are not at rest.
    if (this.#settings.mode !== 'chain' && !this.#repair()) return
    // What the last calls left to do comes to its end too: an owner that was slow got a hint.
    if (!this.#rest()) return
    this.#invariants.checkEstablished()
    const rest = new Quiescence(this.#swarm, this.#invariants)
    for (const problem of [...rest.problems(), ...rest.differences()]) this.#fail(problem)
  }

  #rest(): boolean {
    const rest = new Quiescence(this.#swarm, this.#invariants)
    const limit = restMicros + 4_000 * this.#settings.evictAfterMs
    rest.begin()
    if (this.#until(() => rest.isReached, limit, 'the swarm did not come to rest')) return true
    this.#failures.push(...rest.problems())
    return false
  }

  #readAll(): boolean {
    let haveRead = false
    this.#load.readAll(() => {
      haveRead = true
    })
    return this.#until(() => haveRead, readMicros, 'the last reads were not answered')
  }

  /** Once to mend what nothing else did, and once more: there is nothing left to mend. */
  #repair(): boolean {
    const repairs = new Repairs(this.#swarm)
    const rounds: RepairRound[] = []
    const begin = () =>
      repairs.round((round) => {
        rounds.push(round)
        if (isSettled(rounds)) return
        this.#world.at(round.skipped > 0 ? repairPauseMicros : 0, begin)
      })
    begin()
    const isOver = () => isSettled(rounds) || rounds.length >= repairRoundsMax
    if (!this.#until(isOver, repairMicros, 'the repair did not end')) return false
    if (isSettled(rounds)) return true
    this.#fail(`a second repair pass moves nothing: ${JSON.stringify(rounds)}`)
    return false
  }

  /** The phase of safety; false: it failed. */
  #suffer(faults: Faults): boolean {
    const { operations } = this.#settings
    faults.start()
    const isEnough = () => faults.areEnough && this.#history.attempted >= operations
    this.#world.runUntil(() => this.#failures.length > 0 || isEnough(), safetyMicros)
    faults.stop()
    return this.#failures.length === 0
  }

  #loadGoesOn(): boolean {
    const { operations } = this.#settings
    const { attempted } = this.#history
    if (this.#history.records.length > callsMaxFactor * operations) return false
    const isAwaited = !this.#changes.areOver || this.#faults?.areEnough === false
    return attempted < operations || (attempted < 4 * operations && isAwaited)
  }

  /** Groups of processes drift apart now and then, and often just as a ring is published. */
  #badWeather(): void {
    const random = this.#world.random('bad weather')
    const { climate, stallMicros } = this.#settings
    const { driftMicros } = climate
    this.#host.watchRings(() => {
      if (random.chance(0.6)) this.#host.weather.drift()
    })
    const next = () => {
      this.#world.at(random.between(driftMicros, 12 * driftMicros), () => {
        if (this.#load.isOver) return
        this.#host.weather.drift()
        const { nodes, manager } = this.#swarm
        const processes = manager === undefined ? nodes : [...nodes, manager]
        const isStalled = stallMicros > 0 && processes.length > 0
        if (isStalled) random.pick(processes).stall(random.below(stallMicros))
        next()
      })
    }
    next()
  }

  /**
   * Connections break now and then. Not the supervisor's: whether a change was submitted that got no
   * answer is for a person to find out. Nor those of processes that are not nodes yet.
   */
  #brokenConnections(): void {
    const { cutPauseMs } = this.#settings
    if (cutPauseMs === 0) return
    const random = this.#world.random('cuts')
    const mayCut = (a: string, b: string) => !isExempt(a) && !isExempt(b)
    const next = () => {
      this.#world.at(random.between(1, cutPauseMs) * 1_000, () => {
        if (this.#load.isOver) return
        this.#host.network.cutSomewhere(random, mayCut)
        next()
      })
    }
    next()
  }

  /** False: it failed, and there is no point in going on. */
  #until(isSo: () => boolean, limitMicros: number, otherwise: string): boolean {
    const isDone = () => this.#failures.length > 0 || isSo()
    if (!this.#world.runUntil(isDone, limitMicros)) this.#fail(otherwise)
    return this.#failures.length === 0
  }

  #judge(): void {
    const violation = this.#violation()
    if (violation !== undefined) this.#failures.push(violation)
    if (this.#failures.length > 0) return
    const open = this.#history.records.filter(({ outcome }) => outcome === 'pending')
    for (const { operation } of open) this.#failures.push(unanswered(operation))
    this.#failures.push(...shortfalls(this.#totals()))
    const faults = this.#faults?.total ?? leastFaults
    if (faults < leastFaults) this.#failures.push(`only ${faults} faults had an effect`)
  }

  /** Of the promise that the mode makes of what clients are told. */
  #violation(): string | undefined {
    const { mode, contextShare, clients, inFlight } = this.#settings
    const operations = this.#history.operations()
    if (mode === 'siblings') {
      const writers = contextShare === 1 ? clients * inFlight : undefined
      return findCausalViolation(operations, { writers })?.explanation
    }
    return findVersionConflict(this.#history.versions) ?? findViolation(operations)?.explanation
  }

  #totals(): Totals {
    return {
      operations: this.#history.attempted,
      acknowledged: this.#history.count('ok'),
      indefinite: this.#history.count('indefinite'),
      clients: this.#settings.clients,
      keys: this.#settings.keys,
      changes: this.#changes.ended,
      overlapped: this.#changes.overlapped,
      evictions: this.#evictions.evictions,
      faults: this.#faults?.counts,
      epochs: this.#host.ringFiles.published.length,
      checks: this.#invariants.checks,
      events: this.#world.eventsFired,
      seconds: this.#world.micros / 1_000_000,
    }
  }

  #fail(message: string): void {
    this.#world.trace.remark(this.#world.micros, () => `FAILED ${message}`)
    this.#failures.push(`at ${(this.#world.micros / 1000).toFixed(3)} ms: ${message}`)
  }
}

/** Two rounds compared everything, one after the other, and the second moved nothing. */
function isSettled(rounds: readonly RepairRound[]): boolean {
  const complete = rounds.filter(({ skipped }) => skipped === 0)
  return complete.length >= 2 && complete[1]?.moved === 0
}

function unanswered({ client, kind, key }: Operation): string {
  return `every request is answered: ${client} still waits for its ${kind} of ${key}`
}

/** A seed that does too little would pass for the wrong reason. */
function shortfalls({ operations, clients, keys, changes }: Totals): string[] {
  const short: string[] = []
  if (operations < leastOperations) short.push(`only ${operations} operations were attempted`)
  if (clients < leastClients) short.push(`only ${clients} clients called`)
  if (keys > mostKeys) short.push(`${keys} keys are too many to make the clients meet`)
  if (changes < leastChanges) short.push(`only ${changes} membership changes were made`)
  return short
}
