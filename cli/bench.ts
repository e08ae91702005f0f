/** `gtstore bench`: load on the user's own swarm, as fast as it takes it, with one client. */
import { keysDefault, type LoadOptions, type LoadReport, runLoad, userOf } from '../bench/load.js'
import { init } from '../client/index.js'
import { requireRunDirectory } from '../shared/os/reach.js'
import { CommandError, exitCodes } from './errors.js'
import { progressMs } from './limits.js'
import type { Context } from './options.js'
import { openProgress, type Progress } from './progress.js'
import { catchSignals, signalExitCode } from './signals.js'

interface BenchFlags {
  readonly operations: number
  readonly concurrency: number
  readonly bytes: number
  readonly mix: string
  readonly via?: string
}

export async function bench(context: Context, flags: BenchFlags): Promise<number> {
  const putShare = shareOfPuts(flags.mix)
  const { swarm, run, output } = context
  requireRunDirectory(run)
  const signals = catchSignals()
  const { operations, via, concurrency: inFlight, bytes: valueBytes } = flags
  const signal = signals.first
  const client = await init({ swarm, dir: run, via, valueEncoding: 'buffer', signal })
  const bar = await openProgress()
  try {
    const load = { client: userOf(client), inFlight, valueBytes, signal }
    const keysHeld = putShare < 1 ? await fill(load, operations, bar) : 0
    const measured = { ...load, operations, putShare, keysHeld }
    const report = await shown(bar, 'operations', measured)
    bar.stop()
    output.result(report, () => describe(report, flags))
    if (signals.received !== undefined) return signalExitCode(signals.received)
    return report.errors === 0 ? exitCodes.ok : exitCodes.failure
  } finally {
    bar.stop()
    await client.finalize()
  }
}

/** Stores what the gets are to find, before anything is measured; how many keys. */
async function fill(
  load: Omit<LoadOptions, 'operations' | 'putShare'>,
  operations: number,
  bar: Progress,
): Promise<number> {
  const keys = Math.min(operations, keysDefault)
  await shown(bar, 'keys stored first', { ...load, operations: keys, putShare: 1 })
  return keys
}

/** By time, not by count: a swarm that is slow, or stands, shows that too. */
async function shown(bar: Progress, what: string, load: LoadOptions): Promise<LoadReport> {
  const { operations } = load
  let done = 0
  const show = () => bar.update(done, operations, `${done} of ${operations} ${what}`)
  const onProgress = (count: number) => {
    done = count
  }
  show()
  const timer = setInterval(show, progressMs)
  try {
    return await runLoad({ ...load, onProgress })
  } finally {
    clearInterval(timer)
  }
}

function shareOfPuts(mix: string): number {
  const [, puts, gets] = /^(\d{1,4}):(\d{1,4})$/.exec(mix) ?? []
  const total = Number(puts) + Number(gets)
  if (total > 0) return Number(puts) / total
  throw new CommandError(
    exitCodes.usage,
    `--mix ${mix} is not a mix of puts and gets`,
    'write two numbers, puts first: --mix 50:50, --mix 0:100',
  )
}

function describe(report: LoadReport, { concurrency, bytes, mix }: BenchFlags): string {
  const { ops, errors, errorMessages, seconds, opsPerSecond, latency } = report
  const rate = `${Math.round(opsPerSecond)} operations/s`
  const load = `puts:gets ${mix}, ${concurrency} in flight, values of ${bytes} bytes`
  const lines = [`${rate}: ${ops} in ${seconds.toFixed(2)} s (${load})`]
  for (const kind of ['put', 'get'] as const) {
    const { count, p50, p90, p99, max } = latency[kind]
    if (count === 0) continue
    const figures = { p50, p90, p99, max }
    const text = Object.entries(figures).map(([name, micros]) => `${name} ${millis(micros)}`)
    lines.push(`  ${kind}  ${count} x, ms: ${text.join('  ')}`)
  }
  if (errors > 0) lines.push(`  ${errors} failed: ${errorMessages.join('; ')}`)
  return lines.join('\n')
}

function millis(micros: number): string {
  return (micros / 1000).toFixed(2)
}
