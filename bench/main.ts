/**
 * `npm run bench`: how much of the machine the store gives its user, measured against a bare echo.
 *
 * Starts a swarm of its own (6 nodes, N=3, in memory) and an echo, loads both from this one process
 * and prints the comparison; exits 1 if a bar is missed or any operation failed. With `--modes` it
 * compares the modes of replication instead (modes.ts).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { execa } from 'execa'
import { type Client, init } from '../client/index.js'
import { Echo } from './echo.js'
import { type LoadReport, runLoad } from './load.js'
import { compareModes } from './modes.js'
import { type Bar, judge, type LevelReport, type Round, summarizeLevel } from './rounds.js'

const levels = [1, 16, 64, 256]
/** Seconds matter more than counts: about half a second a slice at the rates seen. */
const operationsSerial = 3_000
const operationsParallel = 30_000
const keys = 10_000

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    'value-bytes': { type: 'string', default: '100' },
    modes: { type: 'boolean', default: false },
    durability: { type: 'string', default: 'memory' },
  },
})
const rounds = Number(flags.rounds)
const valueBytes = Number(flags['value-bytes'])

const gtstore = fileURLToPath(new URL('../../bin/gtstore', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'gtstore-bench-'))
const run = join(directory, 'run')
const place = ['--dir', run, '--data', join(directory, 'data')]

process.exitCode = flags.modes ? await modes() : await main()

async function modes(): Promise<number> {
  const { durability, json } = flags
  try {
    const settings = { gtstore, directory, rounds, valueBytes, durability }
    const table = await compareModes(settings, note)
    console.log(json ? JSON.stringify(table.reports) : table.text)
    return 0
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function main(): Promise<number> {
  try {
    note('starting a swarm of 6 nodes in memory, N=3, and an echo')
    await execa(gtstore, ['up', '--detach', '-n', '6', '--durability', 'memory', ...place])
    const echo = await Echo.start(join(directory, 'echo.sock'))
    const client = await init({ dir: run, timeoutMs: 30_000, valueEncoding: 'buffer' })
    try {
      const reports = await compare(echo, client)
      return report(reports, judge(reports))
    } finally {
      await client.finalize()
      await echo.stop()
    }
  } finally {
    await execa(gtstore, ['down', ...place], { reject: false })
    rmSync(directory, { recursive: true, force: true })
  }
}

async function compare(echo: Echo, client: Client<Uint8Array>): Promise<LevelReport[]> {
  note('warming up')
  await measure(echo, client, 64, operationsParallel)
  const reports: LevelReport[] = []
  for (const inFlight of levels) {
    const operations = inFlight === 1 ? operationsSerial : operationsParallel
    const measured: Round[] = []
    for (let round = 1; round <= rounds; round++) {
      note(`${inFlight} in flight, round ${round} of ${rounds}`)
      measured.push(await measure(echo, client, inFlight, operations))
    }
    reports.push(summarizeLevel(inFlight, measured))
  }
  return reports
}

/** One round: echo, put, get. */
async function measure(
  echo: Echo,
  client: Client<Uint8Array>,
  inFlight: number,
  operations: number,
): Promise<Round> {
  const load = { client, operations, inFlight, valueBytes, keys, putShare: 1 }
  return {
    echo: withoutErrors(await runLoad({ ...load, client: echo })),
    put: withoutErrors(await runLoad(load)),
    get: withoutErrors(await runLoad({ ...load, putShare: 0, keysHeld: keys })),
  }
}

function withoutErrors(report: LoadReport): LoadReport {
  if (report.errors === 0) return report
  throw new Error(`${report.errors} operations failed: ${report.errorMessages.join('; ')}`)
}

function report(reports: readonly LevelReport[], bars: readonly Bar[]): number {
  const passed = bars.every((bar) => bar.met)
  if (flags.json) {
    console.log(JSON.stringify({ levels: reports, bars, passed }))
    return passed ? 0 : 1
  }
  const table = new Table({
    head: ['in flight', '', 'per second', 'of echo', 'p50 us', 'x echo', 'p99 us'],
    colAligns: ['right', 'left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  })
  for (const { inFlight, echo, put, get } of reports) {
    table.push([
      inFlight,
      'echo',
      rate(echo.opsPerSecond),
      '',
      micros(echo.p50),
      '',
      micros(echo.p99),
    ])
    for (const [name, side] of [
      ['put', put],
      ['get', get],
    ] as const) {
      table.push([
        '',
        name,
        rate(side.opsPerSecond),
        side.rateRatio.toFixed(2),
        micros(side.p50),
        side.p50Ratio.toFixed(2),
        micros(side.p99),
      ])
    }
  }
  console.log(table.toString())
  for (const { name, measured, bound, met } of bars) {
    console.log(`${met ? 'ok    ' : 'MISSED'} ${name} ${bound}: ${measured.toFixed(2)}`)
  }
  return passed ? 0 : 1
}

function rate(opsPerSecond: number): string {
  return Math.round(opsPerSecond).toLocaleString('en')
}

function micros(value: number): string {
  return value.toFixed(0)
}

/** Progress goes to stderr, so that stdout is the result alone. */
function note(text: string): void {
  process.stderr.write(`${text}\n`)
}
