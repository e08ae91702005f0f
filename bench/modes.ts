/**
 * The modes of replication against one another: a swarm in each, all on this machine at once, and one
 * loaded after the other in every round, so that a slow moment of the machine slows all of them. What a
 * mode reaches is the median of its rounds, and so is its share of what `latest` reached in the same round.
 */
import { join } from 'node:path'
import Table from 'cli-table3'
import { execa } from 'execa'
import { type Client, init } from '../client/index.js'
import type { Mode } from '../shared/data/mode.js'
import { type LoadReport, runLoad, userOf } from './load.js'
import { median } from './rounds.js'

export interface ModesSettings {
  /** The command. */
  readonly gtstore: string
  /** Where the swarms' directories go. */
  readonly directory: string
  readonly rounds: number
  readonly valueBytes: number
  readonly durability: string
}

export interface ModeRound {
  readonly put: LoadReport
  readonly get: LoadReport
}

/** Of one mode with one number of calls in flight. */
export interface ModeReport {
  readonly inFlight: number
  readonly mode: Mode
  readonly put: ModeSide
  readonly get: ModeSide
}

export interface ModeSide {
  readonly opsPerSecond: number
  /** Microseconds. */
  readonly p50: number
  /** Share of the rate of `latest` in the same round. */
  readonly ofLatest: number
}

const flagsOf: Readonly<Record<Mode, readonly string[]>> = {
  latest: [],
  siblings: ['--conflicts', 'siblings'],
  chain: ['--replication', 'chain'],
}
const modes = Object.keys(flagsOf) as readonly Mode[]
const levels = [
  { inFlight: 1, operations: 2_000 },
  { inFlight: 64, operations: 20_000 },
]
const keys = 10_000
const nodes = 6

type Rounds = Readonly<Record<Mode, readonly ModeRound[]>>
type Clients = Readonly<Record<Mode, Client<Uint8Array, Buffer>>>

export async function compareModes(
  settings: ModesSettings,
  note: (text: string) => void,
): Promise<{ readonly reports: readonly ModeReport[]; readonly text: string }> {
  const started: Mode[] = []
  try {
    for (const mode of modes) {
      note(`starting a swarm of ${nodes} nodes, N=3, durability ${settings.durability}, ${mode}`)
      started.push(mode)
      const shape = ['-n', `${nodes}`, '--durability', settings.durability, ...flagsOf[mode]]
      await execa(settings.gtstore, ['up', '--detach', ...shape, ...placeOf(settings, mode)])
    }
    const open = (mode: Mode) =>
      init({ dir: join(settings.directory, mode), timeoutMs: 30_000, valueEncoding: 'buffer' })
    await using latest = await open('latest')
    await using siblings = await open('siblings')
    await using chain = await open('chain')
    const reports = await measureAll({ latest, siblings, chain }, settings, note)
    return { reports, text: tableOf(reports) }
  } finally {
    for (const mode of started) {
      await execa(settings.gtstore, ['down', ...placeOf(settings, mode)], { reject: false })
    }
  }
}

function placeOf({ directory }: ModesSettings, mode: Mode): string[] {
  return ['--dir', join(directory, mode), '--data', join(directory, `${mode}-data`)]
}

async function measureAll(
  clients: Clients,
  { rounds, valueBytes }: ModesSettings,
  note: (text: string) => void,
): Promise<ModeReport[]> {
  note('warming up')
  for (const mode of modes) await measure(clients[mode], 64, keys, valueBytes)
  const reports: ModeReport[] = []
  for (const { inFlight, operations } of levels) {
    const measured: Record<Mode, ModeRound[]> = { latest: [], siblings: [], chain: [] }
    for (let round = 1; round <= rounds; round++) {
      note(`${inFlight} in flight, round ${round} of ${rounds}`)
      for (const mode of modes) {
        measured[mode].push(await measure(clients[mode], inFlight, operations, valueBytes))
      }
    }
    reports.push(...summarizeModes(inFlight, measured))
  }
  return reports
}

async function measure(
  client: Client<Uint8Array, Buffer>,
  inFlight: number,
  operations: number,
  valueBytes: number,
): Promise<ModeRound> {
  const load = { client: userOf(client), operations, inFlight, valueBytes, keys }
  const put = withoutErrors(await runLoad({ ...load, putShare: 1 }))
  return { put, get: withoutErrors(await runLoad({ ...load, putShare: 0, keysHeld: keys })) }
}

function withoutErrors(report: LoadReport): LoadReport {
  if (report.errors === 0) return report
  throw new Error(`${report.errors} operations failed: ${report.errorMessages.join('; ')}`)
}

export function summarizeModes(inFlight: number, rounds: Rounds): ModeReport[] {
  return modes.map((mode) => {
    const side = (operation: 'put' | 'get'): ModeSide => {
      const ofLatest = rounds[mode].map((round, index) => {
        const latest = rounds.latest[index]?.[operation].opsPerSecond ?? Number.NaN
        return round[operation].opsPerSecond / latest
      })
      return {
        opsPerSecond: median(rounds[mode].map((round) => round[operation].opsPerSecond)),
        p50: median(rounds[mode].map((round) => round[operation].latency[operation].p50)),
        ofLatest: median(ofLatest),
      }
    }
    return { inFlight, mode, put: side('put'), get: side('get') }
  })
}

function tableOf(reports: readonly ModeReport[]): string {
  const table = new Table({
    head: ['in flight', 'mode', ...sideHead('puts'), ...sideHead('gets')],
    colAligns: ['right', 'left', ...Array.from({ length: 6 }, () => 'right' as const)],
    style: { head: [], border: [] },
  })
  for (const { inFlight, mode, put, get } of reports) {
    table.push([inFlight, mode, ...cellsOf(put), ...cellsOf(get)])
  }
  return table.toString()
}

function sideHead(what: string): string[] {
  return [`${what}/s`, 'of latest', 'p50 us']
}

function cellsOf({ opsPerSecond, ofLatest, p50 }: ModeSide): string[] {
  const rate = Math.round(opsPerSecond).toLocaleString('en')
  return [rate, ofLatest.toFixed(2), p50.toFixed(0)]
}
