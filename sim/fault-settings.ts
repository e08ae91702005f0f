/**
 * Which faults a seed suffers, and how hard. Each seed draws some kinds of them and leaves the others
 * out: a bug that needs two kinds of fault hides where all kinds happen at once (swarm testing).
 */
import type { Millis } from '../shared/runtime/runtime.js'
import { Random } from './random.js'

/** So many faults must have had an effect, or the seed does not count. */
export const leastFaults = 10

export const faultKinds = [
  /** kill -9 of a node, of several at once, of the manager, of both, of everything. */
  'node killed',
  'nodes killed',
  'manager killed',
  'manager and node killed',
  'all killed',
  /** The manager, just where it writes its journal. */
  'manager killed at its journal',
  /** Donors, gainers or the manager, right after a ring was published. */
  'killed in a change',
  /** Killed, and nobody starts it again: it is to be evicted. */
  'node lost',
  'client killed',
  'supervisor killed',
  /** The host starts anew: another boot id, a clock that counts from near zero. */
  'host rebooted',
  /** SIGSTOP. */
  'node paused',
  'manager paused',
  'client paused',
  'disk slow',
  'disk failed',
  'disk full',
  'messages lost',
  'messages duplicated',
  'messages delayed',
  'cut one way',
  'cut',
] as const

export type FaultKind = (typeof faultKinds)[number]

export interface FaultSettings {
  readonly kinds: readonly FaultKind[]
  /** They go on until so many had an effect. */
  readonly count: number
  /** Longest time between two of them. */
  readonly pauseMs: Millis
  /** Longest time that a pause, a cut or a slow disk lasts. */
  readonly lastsMs: Millis
}

export interface RestartSettings {
  /** Share of the deaths after which a process stays down for long. */
  readonly lateShare: number
  readonly lateMs: Millis
}

/** Kinds so hard that a seed with nothing else would do little. */
const rare: ReadonlySet<FaultKind> = new Set(['all killed', 'host rebooted'])

/** One seed in so many has no faults. */
const calmEvery = 6

export function faultsOf(seed: number): FaultSettings | undefined {
  const random = new Random(seed, 'faults')
  if (seed % calmEvery === 1) return undefined
  const share = random.pick([0.15, 0.4, 1])
  const kinds = faultKinds.filter((kind) => random.chance(rare.has(kind) ? share / 3 : share))
  return {
    kinds: kinds.length === 0 ? ['node killed', 'manager killed'] : kinds,
    count: random.between(leastFaults, 2 * leastFaults),
    pauseMs: random.pick([20, 100, 400]),
    lastsMs: random.pick([300, 2_000, 10_000, 90_000]),
  }
}

export function restartsOf(seed: number): RestartSettings {
  const random = new Random(seed, 'restarts')
  return {
    lateShare: random.pick([0, 0.1, 0.4]),
    lateMs: random.pick([1_000, 5_000, 20_000]),
  }
}
