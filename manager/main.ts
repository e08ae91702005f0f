/**
 * The manager as a process: its journal, the run directory, its socket, and what signals mean.
 * SIGTERM ends the whole swarm, like `gtstore down`; a terminal's SIGINT and SIGHUP are not for us.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepareDataDirectory, prepareRunDirectory } from '../shared/os/directories.js'
import { openJournal } from '../shared/os/journal.js'
import {
  assertSupportedPlatform,
  hostBootId,
  killProcess,
  startTimeOf,
} from '../shared/os/linux.js'
import { openLog } from '../shared/os/log.js'
import { writeProcessFile } from '../shared/os/process-files.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { openSocketRuntime, type SocketRuntime } from '../shared/os/sockets.js'
import type { SwarmOptions } from '../shared/os/swarm-file.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { ProcessId } from '../shared/runtime/runtime.js'
import { Manager } from './manager.js'
import type { Step } from './steps.js'

const ignoredSignals = ['SIGINT', 'SIGHUP'] as const

/** Runs until the swarm is stopped; rejects if the manager cannot start or go on. */
export async function runManager(options: {
  readonly run: string
  readonly data: string
  readonly options: SwarmOptions
  readonly logLevel: string
  readonly logFile?: string
}): Promise<void> {
  const { run, data, logLevel } = options
  assertSupportedPlatform()
  prepareRunDirectory(run)
  prepareDataDirectory(data)
  const file = options.logFile === undefined ? {} : { file: options.logFile }
  const log = openLog({ ...file, level: logLevel, name: 'manager' })
  const { journal, steps } = await openJournal<Step>({ path: join(data, 'manager') })
  const { valueBytesMax } = options.options
  const runtime = await openSocketRuntime({
    run,
    self: 'manager',
    listen: true,
    log,
    valueBytesMax,
  })
  try {
    await serve(options, { runtime, log, journal, steps })
  } finally {
    await runtime.close()
    log.close()
  }
}

async function serve(
  { run, options }: { readonly run: string; readonly options: SwarmOptions },
  parts: Awaited<ReturnType<typeof openJournal<Step>>> & {
    readonly runtime: SocketRuntime
    readonly log: ReturnType<typeof openLog>
  },
): Promise<void> {
  const self: ProcessId = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '' }
  const removeProcessFile = writeProcessFile(run, { role: 'manager', address: 'manager', ...self })
  const ignore = () => {}
  let onTerminate = ignore
  try {
    await new Promise<void>((resolve, reject) => {
      const manager = new Manager({
        ...parts,
        config: options,
        ringFiles: openRingFiles(run),
        self,
        kill: killProcess,
        bootId: hostBootId(),
        newSwarmId: randomUUID(),
        runDirectory: run,
        onStopped: (error) => (error === undefined ? resolve() : reject(error)),
      })
      onTerminate = () => manager.stop()
      process.on('SIGTERM', onTerminate)
      for (const signal of ignoredSignals) process.on(signal, ignore)
      parts.runtime.attach(manager)
      manager.start()
    })
  } finally {
    process.off('SIGTERM', onTerminate)
    for (const signal of ignoredSignals) process.off(signal, ignore)
    removeProcessFile()
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      run: { type: 'string' },
      data: { type: 'string' },
      options: { type: 'string' },
      logs: { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
    },
  })
  const { run, data, options, logs, 'log-level': logLevel } = values
  if (run === undefined || data === undefined || options === undefined) {
    throw new GTStoreError('INVALID_ARGUMENT', 'the manager needs --run, --data and --options')
  }
  const logFile = logs === undefined ? {} : { logFile: join(logs, 'manager.log') }
  await runManager({
    run,
    data,
    options: JSON.parse(options) as SwarmOptions,
    logLevel,
    ...logFile,
  })
}

if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) {
  main().catch((error: unknown) => {
    const message = error instanceof GTStoreError ? error.message : String(error)
    process.stderr.write(`gtstore manager: ${message}\n`)
    process.exitCode = 1
  })
}
