/**
 * The simulator's command:
 *
 *     --seed S [--trace]         replay one seed, with every line of its trace
 *     --seeds COUNT [--from K]   run many
 *     --planted [NAME]           find the bugs planted on purpose
 */
import { parseArgs } from 'node:util'
import { huntPlant, runSeeds } from './batch.js'
import { plants } from './planted.js'
import { runSeed } from './run.js'

const usage = 'usage: sim --seed S [--trace] | --seeds COUNT [--from K] | --planted [NAME]'

function main(args: readonly string[]): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      from: { type: 'string', default: '1' },
      trace: { type: 'boolean', default: false },
      planted: { type: 'boolean', default: false },
    },
  })
  if (values.seed !== undefined) return replay(numberOf(values.seed), values.trace)
  if (values.seeds !== undefined) return many(numberOf(values.seeds), numberOf(values.from))
  if (values.planted) return hunt(positionals[0])
  throw new Error(usage)
}

function replay(seed: number, withTrace: boolean): number {
  const { hash, totals, failures } = runSeed(seed, withTrace ? { sink: print } : {})
  print(`seed ${seed}: trace ${hash}, ${JSON.stringify(totals)}`)
  for (const failure of failures) print(failure)
  print(failures.length === 0 ? 'PASS' : 'FAIL')
  return failures.length === 0 ? 0 : 1
}

function many(count: number, from: number): number {
  const { seeds, failed, ...sums } = runSeeds({ from, count, told: print })
  print(`${seeds} seeds from ${from}: ${JSON.stringify(sums)}`)
  print(failed.length === 0 ? 'PASS' : `FAIL: seeds ${failed.join(', ')}`)
  return failed.length === 0 ? 0 : 1
}

function hunt(name: string | undefined): number {
  let missed = 0
  for (const plant of name === undefined ? Object.keys(plants) : [name]) {
    const { byInvariants, byHistories, isFound } = huntPlant(plant)
    if (!isFound) missed++
    print(`${plant}: ${isFound ? 'found' : 'NOT FOUND in the stated number of seeds'}`)
    for (const outcome of [byInvariants, byHistories]) {
      if (outcome === undefined) continue
      print(`  seed ${outcome.seed}: ${outcome.failures[0]?.replaceAll('\n', '\n  ')}`)
    }
  }
  return missed === 0 ? 0 : 1
}

function numberOf(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${text} is not a whole number`)
  return number
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

try {
  process.exitCode = main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 2
}
