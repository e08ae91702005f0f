/**
 * Many seeds in a row, and the hunt for planted bugs. A failure names its seed and the one command that
 * replays it; some seeds run twice, since a simulator whose runs differ proves nothing.
 */
import type { Mode } from '../shared/data/mode.js'
import { plants } from './planted.js'
import { type Outcome, runSeed } from './run.js'

/** One seed in so many runs twice. */
const repeatEvery = 20

export interface FailedSeed {
  readonly seed: number
  /** What failed, and how to see it again. */
  readonly report: string
}

export interface BatchTotals {
  readonly seeds: number
  readonly failed: readonly FailedSeed[]
  /** Each a sum over the seeds. */
  readonly sums: Readonly<Record<string, number>>
  /** How often each kind of fault had an effect. */
  readonly faults: Readonly<Record<string, number>>
}

export const noSeeds: BatchTotals = { seeds: 0, failed: [], sums: {}, faults: {} }

export function runSeeds(mode: Mode, from: number, count: number): BatchTotals {
  let totals = noSeeds
  for (let seed = from; seed < from + count; seed++) totals = added(totals, judged(mode, seed))
  return totals
}

export function added(a: BatchTotals, b: BatchTotals): BatchTotals {
  return {
    seeds: a.seeds + b.seeds,
    failed: [...a.failed, ...b.failed].sort((one, other) => one.seed - other.seed),
    sums: summed(a.sums, b.sums),
    faults: summed(a.faults, b.faults),
  }
}

export function replayOf(mode: Mode, seed: number): string {
  return `npm run sim -- --mode ${mode} --seed ${seed} --trace`
}

function judged(mode: Mode, seed: number): BatchTotals {
  const { failures, hash, totals } = runSeed(seed, { mode })
  const all = [...failures]
  if (seed % repeatEvery === 0) {
    const again = runSeed(seed, { mode })
    if (again.hash !== hash) all.push(`it ran differently again: ${hash}, ${again.hash}`)
  }
  const report = `seed ${seed} failed:\n${all.join('\n')}\nreplay: ${replayOf(mode, seed)}`
  const { clients, keys, faults = {}, ...sums } = totals
  return { seeds: 1, failed: all.length === 0 ? [] : [{ seed, report }], sums, faults }
}

function summed(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> {
  const sums: Record<string, number> = { ...a }
  for (const [name, value] of Object.entries(b)) sums[name] = (sums[name] ?? 0) + value
  return sums
}

export interface Find {
  readonly seed: number
  /** The first thing that was wrong. */
  readonly failure: string
}

export interface Hunt {
  readonly name: string
  /** By every check there is; undefined: not found in as many seeds as stated. */
  readonly byAll: Find | undefined
  /** By nothing but what the clients were told; looked for only where that is stated. */
  readonly byHistories: Find | undefined
  /** False: it took more seeds than stated. */
  readonly isFound: boolean
}

/**
 * Looks for a planted bug in as many seeds as its entry says; without it they all pass. A short hunt leaves
 * out those that are known to find nothing.
 */
export function huntPlant(name: string, isShort: boolean): Hunt {
  const planted = plants[name]
  if (planted === undefined) throw new Error(`no bug is planted by the name of ${name}`)
  const { plant, mode, foundAt = 1, seedsMax, historySeedsMax } = planted
  const hunt = (first: number, last: number, historiesOnly: boolean) => {
    for (let seed = first; seed <= last; seed++) {
      const outcome = runSeed(seed, { mode, plant, historiesOnly })
      const isFound = outcome.failures.length > 0 && runSeed(seed, { mode }).failures.length === 0
      if (isFound) return foundBy(outcome)
    }
    return undefined
  }
  const byAll = hunt(isShort ? foundAt : 1, seedsMax, false)
  const byHistories = historySeedsMax === undefined ? undefined : hunt(1, historySeedsMax, true)
  const isFound =
    byAll !== undefined && (historySeedsMax === undefined || byHistories !== undefined)
  return { name, byAll, byHistories, isFound }
}

function foundBy({ seed, failures }: Outcome): Find {
  return { seed, failure: failures[0] ?? '' }
}
