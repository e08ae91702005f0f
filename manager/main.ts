/**
 * The manager as a process: its journal, the run directory, its socket, and what signals mean.
 * SIGTERM ends the whole swarm, like `gtstore down`; a terminal's SIGINT and SIGHUP are not for us.
 * A standby is the same process, which first waits until there is no manager; until then SIGTERM ends
 * it alone.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepareDataDirectory, prepareRunDirectory } from '../shared/os/directories.js'
import { journalHeldExitCode } from '../shared/os/exit-codes.js'
import { type OpenJournal, openJournal } from '../shared/os/journal.js'
import { isJournalHeld } from '../shared/os/journal-held.js'
import {
  assertSupportedPlatform,
  hostBootId,
  killProcess,
  ownProcessId,
} from '../shared/os/linux.js'
import { type ClosableLog, openLog } from '../shared/os/log.js'
import { readProcessFile, writeProcessFile } from '../shared/os/process-files.js'
import { openRingFiles, removeDeadDrafts } from '../shared/os/ring-files.js'
import { openSocketRuntime, type SocketRuntime } from '../shared/os/sockets.js'
import type { SwarmOptions } from '../shared/os/swarm-file.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import { Manager } from './manager.js'
import { Standby } from './standby.js'
import type { Step } from './steps.js'

const ignoredSignals = ['SIGINT', 'SIGHUP'] as const

export interface ManagerProcessOptions {
  readonly run: string
  readonly data: string
  readonly options: SwarmOptions
  readonly logLevel: string
  readonly logFile?: string
  /** Wait until there is no manager, then be it. */
  readonly standby: boolean
}

/** Runs until the swarm is stopped; rejects if the manager cannot start or go on. */
export async function runManager(options: ManagerProcessOptions): Promise<void> {
  const { run, data, logLevel, standby } = options
  assertSupportedPlatform()
  prepareRunDirectory(run)
  prepareDataDirectory(data)
  const file = options.logFile === undefined ? {} : { file: options.logFile }
  const log = openLog({ ...file, level: logLevel, name: standby ? 'standby' : 'manager' })
  const signals = new Signals()
  try {
    const path = join(data, 'manager')
    const opened = standby
      ? await standBy(run, path, log, signals)
      : await openJournal<Step>({ path })
    if (opened !== undefined) await serve(options, opened, log, signals)
  } finally {
    signals.close()
    log.close()
  }
}

/** What SIGTERM means changes when a standby takes over. */
class Signals {
  isTerminated = false
  onTerminate: () => void = () => {}
  readonly #ignore = () => {}
  readonly #terminate = () => {
    this.isTerminated = true
    this.onTerminate()
  }

  constructor() {
    process.on('SIGTERM', this.#terminate)
    for (const signal of ignoredSignals) process.on(signal, this.#ignore)
  }

  close(): void {
    process.off('SIGTERM', this.#terminate)
    for (const signal of ignoredSignals) process.off(signal, this.#ignore)
  }
}

/** The journal, once it is ours; undefined: the swarm was stopped, or we were. */
async function standBy(
  run: string,
  path: string,
  log: ClosableLog,
  signals: Signals,
): Promise<OpenJournal<Step> | undefined> {
  const self = `standby-${process.pid}`
  const runtime = await openSocketRuntime({ run, self, listen: false, log })
  const forget = writeProcessFile(run, { role: 'standby', address: self, ...ownProcessId() })
  try {
    return await new Promise((resolve, reject) => {
      const tryJournal = async () => {
        try {
          resolve(await openJournal<Step>({ path }))
        } catch (error) {
          if (!isJournalHeld(error)) return reject(error)
          log.info({}, 'another manager has the journal: standing by')
          standby.goOn()
        }
      }
      const standby = new Standby({
        runtime,
        log,
        holder: () => readProcessFile(run, 'manager'),
        kill: killProcess,
        onFree: () => void tryJournal(),
        onStopped: () => resolve(undefined),
      })
      signals.onTerminate = () => {
        standby.stop()
        resolve(undefined)
      }
      if (signals.isTerminated) return resolve(undefined)
      runtime.attach(standby)
      standby.start()
    })
  } finally {
    signals.onTerminate = () => {}
    await runtime.close()
    forget()
  }
}

async function serve(
  { run, options }: ManagerProcessOptions,
  opened: OpenJournal<Step>,
  log: ClosableLog,
  signals: Signals,
): Promise<void> {
  const { valueBytesMax } = options
  const listening = { run, self: 'manager', listen: true, log, valueBytesMax }
  const runtime = await openSocketRuntime(listening)
  const self = ownProcessId()
  const removeProcessFile = writeProcessFile(run, { role: 'manager', address: 'manager', ...self })
  removeDeadDrafts(run)
  try {
    await live(runtime)
    // Only after a good end: a standby takes a file whose process is gone for a call to take over.
    removeProcessFile()
  } finally {
    signals.onTerminate = () => {}
    await runtime.close()
  }

  function live(runtime: SocketRuntime): Promise<void> {
    return new Promise((resolve, reject) => {
      const manager = new Manager({
        ...opened,
        runtime,
        log,
        config: options,
        ringFiles: openRingFiles(run),
        self,
        kill: killProcess,
        bootId: hostBootId(),
        newSwarmId: randomUUID(),
        runDirectory: run,
        onStopped: (error) => (error === undefined ? resolve() : reject(error)),
      })
      signals.onTerminate = () => manager.stop()
      runtime.attach(manager)
      manager.start()
      if (signals.isTerminated) manager.stop()
    })
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      run: { type: 'string' },
      data: { type: 'string' },
      options: { type: 'string' },
      standby: { type: 'boolean', default: false },
      logs: { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
    },
  })
  const { run, data, options, standby, logs, 'log-level': logLevel } = values
  if (run === undefined || data === undefined || options === undefined) {
    throw new GTStoreError('INVALID_ARGUMENT', 'the manager needs --run, --data and --options')
  }
  // Two processes cannot share a log that rotates.
  const name = standby ? `standby-${process.pid}` : 'manager'
  const logFile = logs === undefined ? {} : { logFile: join(logs, `${name}.log`) }
  await runManager({
    run,
    data,
    options: JSON.parse(options) as SwarmOptions,
    logLevel,
    standby,
    ...logFile,
  })
}

if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) {
  main().catch((error: unknown) => {
    const message = error instanceof GTStoreError ? error.message : String(error)
    process.stderr.write(`gtstore manager: ${message}\n`)
    process.exitCode = isJournalHeld(error) ? journalHeldExitCode : 1
  })
}
