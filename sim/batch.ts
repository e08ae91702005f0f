/**
 * Many seeds in a row. A failure names its seed and the one command that replays it; some seeds run
 * twice, since a simulator whose runs differ proves nothing.
 */
import { plants } from './planted.js'
import { type Outcome, runSeed } from './run.js'

/** One seed in so many runs twice. */
const repeatEvery = 20

export interface Batch {
  readonly from: number
  readonly count: number
  readonly told: (line: string) => void
}

export interface BatchTotals {
  readonly seeds: number
  readonly failed: readonly number[]
  readonly operations: number
  readonly indefinite: number
  readonly changes: number
  readonly epochs: number
  readonly checks: number
  /** How often each kind of fault had an effect. */
  readonly faults: Readonly<Record<string, number>>
}

export function runSeeds({ from, count, told }: Batch): BatchTotals {
  const failed: number[] = []
  const faults: Record<string, number> = {}
  const sums = { operations: 0, indefinite: 0, changes: 0, epochs: 0, checks: 0 }
  for (let seed = from; seed < from + count; seed++) {
    const outcome = runSeed(seed)
    const failures = [...outcome.failures]
    if (seed % repeatEvery === 0) {
      const { hash } = runSeed(seed)
      if (hash !== outcome.hash) failures.push(`it ran differently again: ${outcome.hash}, ${hash}`)
    }
    if (failures.length > 0) {
      failed.push(seed)
      told(`seed ${seed} failed:\n${failures.join('\n')}\nreplay: ${replayOf(seed)}`)
    }
    for (const name of ['operations', 'indefinite', 'changes', 'epochs', 'checks'] as const) {
      sums[name] += outcome.totals[name]
    }
    for (const [kind, times] of Object.entries(outcome.totals.faults ?? {})) {
      faults[kind] = (faults[kind] ?? 0) + times
    }
  }
  return { seeds: count, failed, ...sums, faults }
}

export function replayOf(seed: number): string {
  return `npm run sim -- --seed ${seed} --trace`
}

export interface Hunt {
  readonly name: string
  /** The seed that found the bug, by either way of judging; undefined if none did. */
  readonly byInvariants: Outcome | undefined
  readonly byHistories: Outcome | undefined
  /** False: it took more seeds than stated. */
  readonly isFound: boolean
}

/** Looks for a planted bug, once with every check and once with nothing but what clients saw. */
export function huntPlant(name: string): Hunt {
  const planted = plants[name]
  if (planted === undefined) throw new Error(`no bug is planted by the name of ${name}`)
  const { plant, seedsMax, historySeedsMax } = planted
  const hunt = (seeds: number, historiesOnly: boolean) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const outcome = runSeed(seed, { plant, historiesOnly })
      if (outcome.failures.length > 0) return outcome
    }
    return undefined
  }
  const byInvariants = hunt(seedsMax, false)
  const byHistories = historySeedsMax === undefined ? undefined : hunt(historySeedsMax, true)
  const isFound =
    byInvariants !== undefined && (historySeedsMax === undefined || byHistories !== undefined)
  return { name, byInvariants, byHistories, isFound }
}
