/**
 * `gtstore down`: first the supervisor, which would otherwise start again what ends, then whatever
 * is left, by the process files. With --volumes it removes what a swarm writes, and nothing else
 * that may lie in the same directory.
 */
import { existsSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isProcessAlive, signalProcess } from '../shared/os/linux.js'
import { hasProcessFile, listProcesses } from '../shared/os/process-files.js'
import { checkDataDirectory, checkRunDirectory } from '../shared/os/reach.js'
import { readSwarmFile, swarmFilePath } from '../shared/os/swarm-file.js'
import type { ProcessId } from '../shared/runtime/runtime.js'
import { CommandError, exitCodes } from './errors.js'
import { describeStop } from './lifetime.js'
import { killMs, watchProcessesMs } from './limits.js'
import { takeLock } from './lock.js'
import type { Context } from './options.js'
import { removeRings, sweepRunFiles } from './run-files.js'
import { catchSignals, signalExitCode } from './signals.js'
import { stopSwarm } from './stop.js'

export async function down(context: Context, flags: { volumes?: boolean }): Promise<number> {
  const { run, data, output } = context
  checkRunDirectory(run)
  checkDataDirectory(data)
  refuseOtherSwarm(context)
  const signals = catchSignals()
  const before = listProcesses(run)
  const supervisor = before.find(({ role }) => role === 'supervisor')
  if (supervisor !== undefined) signalProcess(supervisor, 'SIGTERM')
  const others = before.filter(({ role }) => role !== 'supervisor')
  await stopSwarm(run, others, signals.first)
  if (supervisor !== undefined) await outlive(supervisor, signals.first)
  // What a supervisor started in its last moments, and did not live to stop.
  await stopSwarm(run, [], signals.first)
  if (signals.received !== undefined && listProcesses(run).length > 0) {
    return signalExitCode(signals.received)
  }
  // Whoever ended by itself took its process file along.
  const killed = before.map(({ address }) => address).filter((name) => hasProcessFile(run, name))
  sweepRunFiles(run)
  const volumes = await settleVolumes(context, flags.volumes === true)
  const stopped = before.length
  output.result({ stopped, killed, volumes }, () => {
    const what = stopped === 0 ? 'nothing was running' : describeStop(killed)
    return `${what}; ${fates[volumes](data)}`
  })
  return exitCodes.ok
}

/** What became of the data. */
const fates = {
  removed: (data: string) => `the data in ${data} is removed`,
  kept: (data: string) => `the data stays in ${data}`,
  none: (data: string) => `there is no data in ${data}`,
} as const

async function settleVolumes(context: Context, remove: boolean): Promise<keyof typeof fates> {
  if (!holdsSwarm(context.data)) return 'none'
  if (!remove) return 'kept'
  await removeVolumes(context)
  return 'removed'
}

/** A start that failed leaves no swarm file, but the databases of supervisor and manager. */
function holdsSwarm(data: string): boolean {
  const marks = ['supervisor', 'manager'].map((name) => join(data, name, 'CURRENT'))
  return [swarmFilePath(data), ...marks].some((path) => existsSync(path))
}

/** A wrong name must not stop, let alone remove, another swarm that the environment points to. */
function refuseOtherSwarm({ swarm, data }: Context): void {
  const stored = storedName(data)
  if (stored === undefined || stored === swarm) return
  throw new CommandError(
    exitCodes.usage,
    `swarm "${swarm}" is asked for, but the data directory ${data} is that of swarm "${stored}"`,
    `name the swarm with --swarm ${stored}, or its directories with --dir and --data`,
  )
}

/** A file that is damaged, or of another version, must not keep anyone from stopping the swarm. */
function storedName(data: string): string | undefined {
  try {
    return readSwarmFile(data)?.swarm
  } catch {
    return undefined
  }
}

/** Told to stop, it starts nothing any more, and ends when the swarm is gone. */
async function outlive(supervisor: ProcessId, interrupted: AbortSignal): Promise<void> {
  const deadline = performance.now() + killMs
  while (isProcessAlive(supervisor)) {
    if (performance.now() > deadline || interrupted.aborted) signalProcess(supervisor, 'SIGKILL')
    await delay(watchProcessesMs)
  }
}

const volumes = ['manager', 'nodes', 'logs', 'founding', 'supervisor']

async function removeVolumes({ run, data }: Context): Promise<void> {
  await refuseInUse(data)
  for (const name of volumes) rmSync(join(data, name), { recursive: true, force: true })
  rmSync(swarmFilePath(data), { force: true })
  removeRings(run)
  for (const directory of [data, run]) removeIfEmpty(directory)
}

/** The same data may be served from another run directory, which this `down` did not stop. */
async function refuseInUse(data: string): Promise<void> {
  if (!(await isHeld(join(data, 'supervisor'))) && !(await isHeld(join(data, 'manager')))) return
  throw new CommandError(
    exitCodes.failure,
    `the data directory ${data} is in use by a swarm with another run directory`,
    'stop that swarm first: `gtstore down --dir ITS_RUN_DIRECTORY`',
  )
}

/** What is damaged beyond opening is held by nobody. */
async function isHeld(path: string): Promise<boolean> {
  try {
    const lock = await takeLock(path)
    await lock?.release()
    return lock === undefined
  } catch {
    return false
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // Someone else's files are in it, or it never was.
  }
}
