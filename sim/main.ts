/**
 * The simulator's command:
 *
 *     --seed S [--trace]                    replay one seed, with every line of its trace
 *     --seeds COUNT [--from K] [--jobs J]   run many
 *     --planted [NAME] [--jobs J]           find the bugs planted on purpose
 *
 * `--mode latest|siblings|chain` says which mode of replication (latest, unless given); with --planted
 * it says of which mode the bugs are (all, unless given). With `--short` each hunt begins at the seed that
 * is known to find its bug.
 *
 * Many seeds are shared among child processes of this same file (`--worker`).
 */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import type { Mode } from '../shared/data/mode.js'
import { added, type BatchTotals, type Hunt, huntPlant, noSeeds, runSeeds } from './batch.js'
import { plants } from './planted.js'
import { runSeed } from './run.js'

const usage =
  'usage: sim [--mode latest|siblings|chain] ' +
  '(--seed S [--trace] | --seeds COUNT [--from K] [--jobs J] | --planted [NAME] [--short] [--jobs J])'

/** Seeds that a worker is given at once, and between how many of them progress is told. */
const seedsAtOnce = 10
const tellEvery = 500

/** There is a worker for each processor: helping threads would only take it from another one. */
const workerOptions = ['--single-threaded', '--max-semi-space-size=32']

/** What a worker is given. */
type Task =
  | { readonly mode: Mode; readonly from: number; readonly count: number }
  | { readonly plant: string; readonly isShort: boolean }
type Result = BatchTotals | Hunt

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      mode: { type: 'string' },
      seed: { type: 'string' },
      seeds: { type: 'string' },
      from: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      trace: { type: 'boolean', default: false },
      short: { type: 'boolean', default: false },
      planted: { type: 'boolean', default: false },
      worker: { type: 'boolean', default: false },
    },
  })
  const jobs = Math.max(1, numberOf(values.jobs))
  if (values.worker) return work()
  const mode = values.mode === undefined ? undefined : modeOf(values.mode)
  const { seed, seeds } = values
  if (seed !== undefined) return replay(mode ?? 'latest', numberOf(seed), values.trace)
  if (seeds !== undefined) {
    return many(mode ?? 'latest', numberOf(values.from), numberOf(seeds), jobs)
  }
  if (values.planted) return hunt(plantNames(positionals[0], mode), values.short, jobs)
  throw new Error(usage)
}

function replay(mode: Mode, seed: number, withTrace: boolean): number {
  const sink = withTrace ? print : undefined
  const { hash, totals, failures } = runSeed(seed, { mode, sink })
  print(`seed ${seed}: trace ${hash}, ${JSON.stringify(totals)}`)
  for (const failure of failures) print(failure)
  print(failures.length === 0 ? 'PASS' : 'FAIL')
  return failures.length === 0 ? 0 : 1
}

async function many(mode: Mode, from: number, count: number, jobs: number): Promise<number> {
  const tasks: Task[] = []
  for (let first = from; first < from + count; first += seedsAtOnce) {
    tasks.push({ mode, from: first, count: Math.min(seedsAtOnce, from + count - first) })
  }
  let totals = noSeeds
  await share(tasks, jobs, (result) => {
    const batch = result as BatchTotals
    for (const { report } of batch.failed) print(report)
    const before = totals.seeds
    totals = added(totals, batch)
    if (Math.floor(before / tellEvery) === Math.floor(totals.seeds / tellEvery)) return
    print(`${totals.seeds} of ${count} seeds, ${totals.failed.length} failed`)
  })
  const { seeds, failed, sums, faults } = totals
  print(`${seeds} seeds from ${from}: ${listed(sums)}`)
  print(`faults that had an effect: ${listed(faults)}`)
  print(failed.length === 0 ? 'PASS' : 'FAIL')
  if (failed.length > 0) print(`failed seeds: ${failed.map(({ seed }) => seed).join(', ')}`)
  return failed.length === 0 ? 0 : 1
}

async function hunt(names: readonly string[], isShort: boolean, jobs: number): Promise<number> {
  const width = Math.max(...names.map((each) => each.length))
  let missed = 0
  print(`${'planted bug'.padEnd(width)}  seed  found by`)
  const tasks = names.map((plant) => ({ plant, isShort }))
  await share(tasks, jobs, (result) => {
    const { name: plant, byAll, byHistories, isFound } = result as Hunt
    if (!isFound) missed++
    const seed = byAll === undefined ? '-' : String(byAll.seed)
    const check = byAll === undefined ? 'NOT FOUND' : checkOf(byAll.failure)
    print(`${plant.padEnd(width)}  ${seed.padStart(4)}  ${check}`)
    if (byHistories === undefined) return
    const { seed: other, failure } = byHistories
    print(
      `${''.padEnd(width)}  ${String(other).padStart(4)}  ${checkOf(failure)} (histories alone)`,
    )
  })
  print(`${names.length - missed} of ${names.length} found`)
  print(missed === 0 ? 'PASS' : 'FAIL')
  return missed === 0 ? 0 : 1
}

function plantNames(name: string | undefined, mode: Mode | undefined): string[] {
  if (name !== undefined) return [name]
  const all = Object.entries(plants)
  const chosen = all.filter(([, planted]) => mode === undefined || planted.mode === mode)
  return chosen.map(([each]) => each)
}

/** The name of the check, without its particulars. */
function checkOf(failure: string): string {
  const [line = ''] = failure.replace(/^at [\d.]+ ms: /, '').split('\n')
  if (line.includes('is not linearizable')) return 'histories are linearizable'
  if (line.includes('is not causal')) return 'histories are causal'
  return line.split(': ')[0] ?? line
}

/** Gives each of the workers one task after another. */
async function share(
  tasks: readonly Task[],
  jobs: number,
  done: (result: Result) => void,
): Promise<void> {
  const left = [...tasks]
  const workers = Array.from({ length: Math.min(jobs, tasks.length) }, () =>
    fork(import.meta.filename, ['--worker'], { execArgv: [...workerOptions] }),
  )
  const serve = (worker: ChildProcess) =>
    new Promise<void>((resolve, reject) => {
      const next = () => {
        const task = left.shift()
        if (task === undefined) worker.disconnect()
        else worker.send(task)
      }
      worker.on('message', (result) => {
        done(result as Result)
        next()
      })
      worker.on('exit', (code) => {
        if (code === 0) resolve()
        else reject(new Error(`a worker ended with exit code ${code}`))
      })
      next()
    })
  try {
    await Promise.all(workers.map(serve))
  } finally {
    for (const worker of workers) worker.kill()
  }
}

/** Until whoever forked this process has no more for it. */
async function work(): Promise<number> {
  process.on('message', (task: Task) => {
    const result =
      'plant' in task
        ? huntPlant(task.plant, task.isShort)
        : runSeeds(task.mode, task.from, task.count)
    process.send?.(result)
  })
  await new Promise((resolve) => process.on('disconnect', resolve))
  return 0
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${Math.round(count)}`)
    .join(', ')
}

function modeOf(text: string): Mode {
  if (text === 'latest' || text === 'siblings' || text === 'chain') return text
  throw new Error(`${text} is not a mode: latest, siblings or chain`)
}

function numberOf(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${text} is not a whole number`)
  return number
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 2
  },
)
