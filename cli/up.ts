/**
 * `gtstore up`: in the foreground this process is the supervisor, and Ctrl-C is `down`; detached, it
 * starts one, waits until that says how the start went, and leaves it running.
 */
import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { prepareDataDirectory, prepareRunDirectory } from '../shared/os/directories.js'
import { freeBytes } from '../shared/os/disk-space.js'
import { assertSupportedPlatform } from '../shared/os/linux.js'
import { listProcesses } from '../shared/os/process-files.js'
import { checkDataDirectory, checkRunDirectory } from '../shared/os/reach.js'
import { readSwarmFile, type SwarmOptions } from '../shared/os/swarm-file.js'
import { CommandError, describeFailure, exitCodes, type Failure } from './errors.js'
import { type Started, superviseSwarm } from './lifetime.js'
import { startBytesLeast } from './limits.js'
import type { Context } from './options.js'
import { formatQuorums, paint } from './output.js'
import { openPrinted } from './processes.js'
import { catchSignals, signalExitCode } from './signals.js'
import { type SwarmFlags, settleOptions } from './swarm-options.js'

interface UpFlags extends SwarmFlags {
  readonly detach?: boolean
  readonly logLevel: string
}

/** What a detached supervisor is started with. */
interface Plan {
  readonly run: string
  readonly data: string
  readonly options: SwarmOptions
  readonly logLevel: string
}

/** What a detached supervisor reports, once. */
type Report = { readonly started: Started } | { readonly failure: Failure }

export async function up(context: Context, flags: UpFlags): Promise<number> {
  assertSupportedPlatform()
  const { run, data, swarm } = context
  checkRunDirectory(run)
  checkDataDirectory(data)
  refuseIfUp(context)
  const stored = readSwarmFile(data)
  if (stored === undefined) refuseStrangers(context)
  const options = settleOptions(swarm, flags, stored)
  prepareRunDirectory(run)
  prepareDataDirectory(data)
  checkRoom(data)
  const plan = { run, data, options, logLevel: flags.logLevel }
  return flags.detach === true ? upDetached(context, plan) : upForeground(context, plan)
}

/** Journal and stores cannot even be opened without some room. */
function checkRoom(data: string): void {
  const free = freeBytes(data) ?? startBytesLeast
  if (free >= startBytesLeast) return
  throw new CommandError(
    exitCodes.failure,
    `no room is left for the data in ${data}: ${free} bytes are free, ${startBytesLeast} are needed`,
    'make room there, or name another data directory with --data',
  )
}

function refuseIfUp({ run, swarm, command }: Context): void {
  const supervisor = listProcesses(run).find(({ role }) => role === 'supervisor')
  if (supervisor === undefined) return
  throw new CommandError(
    exitCodes.failure,
    `swarm "${swarm}" is up already (supervisor: pid ${supervisor.pid}, run directory ${run})`,
    `\`${command} status\` shows it, \`${command} down\` stops it`,
  )
}

/** What runs is adopted: under a new swarm that would be nodes with the data of another. */
function refuseStrangers({ run, data, command }: Context): void {
  const strangers = listProcesses(run).filter(({ role }) => role !== 'supervisor')
  if (strangers.length === 0) return
  const names = strangers.map(({ address, pid }) => `${address} (pid ${pid})`).join(', ')
  throw new CommandError(
    exitCodes.failure,
    `${data} holds no swarm yet, but processes of another run in ${run}: ${names}`,
    `\`${command} down\` stops them; or use another run directory: --dir`,
  )
}

async function upForeground(context: Context, plan: Plan): Promise<number> {
  const { output } = context
  const result = await superviseSwarm({
    ...plan,
    signals: catchSignals(),
    note: (text) => output.note(`gtstore: ${text}`),
    onStarted: (started) => {
      output.result(
        started,
        () => `${describe(context, started)}\nCtrl-C stops it; the data stays.`,
      )
    },
  })
  return result
}

async function upDetached(context: Context, plan: Plan): Promise<number> {
  const signals = catchSignals()
  const printed = openPrinted(plan.data, 'supervisor')
  const main = fileURLToPath(new URL('./main.js', import.meta.url))
  const supervisor = spawn(process.execPath, [main, 'supervise', JSON.stringify(plan)], {
    cwd: plan.data,
    detached: true,
    stdio: ['ignore', printed, printed, 'ipc'],
  })
  closeSync(printed)
  // The supervisor stops what it has started, then ends: nothing is left behind.
  signals.first.addEventListener('abort', () => supervisor.kill('SIGTERM'), { once: true })
  const report = await new Promise<Report | undefined>((resolve) => {
    supervisor.once('message', (message) => resolve(message as Report))
    supervisor.once('exit', () => resolve(undefined))
  })
  if (report !== undefined && 'started' in report) {
    supervisor.disconnect()
    supervisor.unref()
    context.output.result(report.started, () => describe(context, report.started))
    return exitCodes.ok
  }
  if (signals.received !== undefined) return signalExitCode(signals.received)
  throw asError(report?.failure)
}

function asError(failure: Failure | undefined): CommandError {
  return failure === undefined
    ? new CommandError(exitCodes.failure, 'the supervisor ended', 'see `gtstore logs`')
    : new CommandError(failure.exitCode, failure.message, failure.next)
}

/** The hidden command that a detached supervisor is: it tells its parent once, and its log the rest. */
export async function supervise(_context: Context, _flags: object, start: string): Promise<number> {
  const signals = catchSignals()
  let started = false
  // Whoever asked for the swarm is gone before it was there: nobody would know that it runs.
  process.once('disconnect', () => started || process.kill(process.pid, 'SIGTERM'))
  if (process.connected === false) return signalExitCode('SIGTERM')
  const report = (message: Report) =>
    new Promise<void>((resolve) => {
      if (process.connected) process.send?.(message, () => resolve())
      else resolve()
    })
  try {
    return await superviseSwarm({
      ...(JSON.parse(start) as Plan),
      signals,
      note: () => {},
      onStarted: (readiness) => {
        started = true
        void report({ started: readiness })
      },
    })
  } catch (error) {
    if (!process.connected) throw error
    const failure = describeFailure(error)
    await report({ failure })
    return failure.exitCode
  }
}

function describe({ command }: Context, started: Started): string {
  const { swarm, state, seconds, run, data, nodes, needed } = started
  const { durability, mode } = started
  const bold = (text: string) => paint(process.stdout, 'bold', text)
  const head =
    state === 'forming'
      ? `forming: ${needed} more node${needed === 1 ? '' : 's'} needed`
      : `swarm "${swarm}" serves after ${seconds.toFixed(1)} s`
  const facts = `${formatQuorums(started)}, durability ${durability}, mode ${mode}`
  return [
    `${bold(head)}: ${nodes} node${nodes === 1 ? '' : 's'}, ${facts}`,
    `  run directory   ${run}`,
    `  data directory  ${data}`,
    'Try:',
    ...(state === 'forming' ? [`  ${command} node add`] : []),
    `  ${command} put greeting 'hello, swarm'`,
    `  ${command} get greeting`,
    `  ${command} status`,
  ].join('\n')
}
