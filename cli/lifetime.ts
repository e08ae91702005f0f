/**
 * The life of a supervised swarm, from the lock to the last process: start, report, wait for a
 * signal (or for the swarm to end by itself), stop. Whatever goes wrong on the way up, what was
 * started is stopped again before the error is told.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mode } from '../shared/data/mode.js'
import { startTimeOf } from '../shared/os/linux.js'
import { openLog } from '../shared/os/log.js'
import { listProcesses, writeProcessFile } from '../shared/os/process-files.js'
import {
  readSwarmFile,
  type SwarmOptions,
  swarmFilePath,
  writeSwarmFile,
} from '../shared/os/swarm-file.js'
import type { Durability, SwarmState } from '../shared/protocol/messages.js'
import { CommandError, exitCodes } from './errors.js'
import { takeLock } from './lock.js'
import { logDirectory } from './processes.js'
import { removeRings, sweepRunFiles } from './run-files.js'
import { type Signals, signalExitCode } from './signals.js'
import { ProcessFailure, type Readiness, Supervisor } from './supervisor.js'

export interface LifetimeOptions {
  readonly run: string
  readonly data: string
  readonly options: SwarmOptions
  readonly logLevel: string
  readonly signals: Signals
  note(text: string): void
  onStarted(started: Started): void
}

/** What `up` tells about the swarm that it started. */
export interface Started {
  readonly swarm: string
  readonly state: SwarmState
  readonly nodes: number
  readonly needed: number
  readonly replicas: number
  readonly readQuorum: number
  readonly writeQuorum: number
  readonly durability: Durability
  readonly mode: Mode
  readonly run: string
  readonly data: string
  readonly seconds: number
}

/** Resolves with the exit code once the swarm has stopped. */
export async function superviseSwarm(life: LifetimeOptions): Promise<number> {
  const { run, data } = life
  const lock = await takeLock(join(data, 'supervisor'))
  if (lock === undefined) {
    throw new CommandError(
      exitCodes.failure,
      `another supervisor uses the data directory ${data}: the swarm is up already`,
      'stop it with `gtstore down`, in its run directory, or name another with --data',
    )
  }
  const forget = writeProcessFile(run, {
    role: 'supervisor',
    address: 'supervisor',
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
  })
  try {
    return await live(life)
  } finally {
    forget()
    await lock.release()
  }
}

async function live(life: LifetimeOptions): Promise<number> {
  const { run, data, options, logLevel, signals } = life
  const began = new Date()
  mkdirSync(logDirectory(data), { recursive: true, mode: 0o700 })
  const foundingFile = join(data, 'founding')
  const fresh = readSwarmFile(data) === undefined
  if (fresh) {
    writeFileSync(foundingFile, '', { mode: 0o600 })
    writeSwarmFile(data, options)
  }
  const file = join(logDirectory(data), 'supervisor.log')
  const log = openLog({ file, level: logLevel, name: 'supervisor' })
  const note = (text: string) => {
    log.info({}, text)
    life.note(text)
  }
  const founding = existsSync(foundingFile)
  const at = { run, data, logLevel, logs: logDirectory(data) }
  const supervisor = await Supervisor.open({ at, options, foundingFile, founding, log, note })
  sweepRunFiles(run)
  if (fresh && listProcesses(run).length === 1) removeRings(run)
  try {
    const readiness = await supervisor.start(signals.first)
    life.onStarted(describe(life, readiness, began))
  } catch (error) {
    if (fresh) rmSync(swarmFilePath(data), { force: true })
    if (signals.received === undefined) {
      throw startFailed(error, await supervisor.abandon(signals.second))
    }
    await supervisor.stop(signals.second)
    return signalExitCode(signals.received)
  }
  const how = await Promise.race([signals.arrived, supervisor.ended])
  note(how === 'failed' ? 'no process of the swarm is left' : 'stopping')
  const killed = await supervisor.stop(signals.second)
  note(`${describeStop(killed)}; the data stays in ${data}`)
  log.close()
  return how === 'failed' ? exitCodes.failure : exitCodes.ok
}

function describe(life: LifetimeOptions, readiness: Readiness, began: Date): Started {
  const { run, data, options } = life
  const { swarm, replicas, readQuorum, writeQuorum, durability, mode } = options
  const { state, active, needed } = readiness
  return {
    swarm,
    state,
    nodes: active,
    needed,
    replicas,
    readQuorum,
    writeQuorum,
    durability,
    mode,
    run,
    data,
    seconds: (Date.now() - began.getTime()) / 1000,
  }
}

export function describeStop(killed: readonly string[]): string {
  return killed.length === 0 ? 'stopped' : `stopped (had to be killed: ${killed.join(', ')})`
}

function startFailed(error: unknown, isStopped: boolean): CommandError {
  const rest = isStopped ? 'everything is stopped again' : 'what ran before still runs'
  const reason = error instanceof Error ? error.message : String(error)
  const said = error instanceof ProcessFailure && error.said !== '' ? `\n${error.said}` : ''
  return new CommandError(
    exitCodes.failure,
    `the swarm did not start: ${reason}; ${rest}${said}`,
    'mend what the message says and try again; `gtstore doctor` checks the surroundings',
  )
}
