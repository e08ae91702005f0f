/**
 * `gtstore run manager|node`: one process by hand, in the foreground. It is the same process that
 * `up` would start, in this one's process group; signals are passed on as the SIGTERM it knows.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { prepareDataDirectory, prepareRunDirectory } from '../shared/os/directories.js'
import { assertSupportedPlatform } from '../shared/os/linux.js'
import { listProcesses } from '../shared/os/process-files.js'
import { readSwarmFile, writeSwarmFile } from '../shared/os/swarm-file.js'
import { exitCodes } from './errors.js'
import { describeLine, parseLine } from './log-lines.js'
import type { Context } from './options.js'
import { managerArguments, nodeArguments } from './processes.js'
import { catchSignals, signalExitCode } from './signals.js'
import { type SwarmFlags, settleOptions } from './swarm-options.js'

export function runManager(
  context: Context,
  flags: SwarmFlags & { logLevel: string; standby?: boolean },
): Promise<number> {
  const { swarm, run, data } = context
  prepare(context)
  const stored = readSwarmFile(data)
  const options = settleOptions(swarm, flags, stored)
  if (stored === undefined) writeSwarmFile(data, options)
  const args = managerArguments({ run, data, logLevel: flags.logLevel }, options)
  return inForeground(flags.standby === true ? [...args, '--standby'] : args)
}

export function runNode(
  context: Context,
  flags: { node?: string; logLevel: string },
): Promise<number> {
  const { run, data } = context
  prepare(context)
  const at = { run, data, logLevel: flags.logLevel }
  if (!listProcesses(run).some(({ role }) => role === 'manager')) {
    context.output.note(`gtstore: waiting for a manager: \`${context.command} run manager\``)
  }
  return inForeground(nodeArguments(at, flags.node ?? ''))
}

function prepare({ run, data }: Context): void {
  assertSupportedPlatform()
  prepareRunDirectory(run)
  prepareDataDirectory(data)
}

/**
 * Its exit code is ours. A terminal's Ctrl-C reaches it too, and is ignored there. What it logs is
 * made readable on a terminal, and left as it is for whoever collects it.
 */
async function inForeground(args: readonly string[]): Promise<number> {
  const signals = catchSignals()
  const readable = process.stderr.isTTY
  const stdio = ['inherit', 'inherit', readable ? 'pipe' : 'inherit'] as const
  const child = spawn(process.execPath, args, { stdio: [...stdio] })
  if (child.stderr !== null) void showLog(child.stderr)
  const pass = (signal: 'SIGTERM' | 'SIGKILL') => () => child.kill(signal)
  signals.first.addEventListener('abort', pass('SIGTERM'), { once: true })
  signals.second.addEventListener('abort', pass('SIGKILL'), { once: true })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      resolve(code ?? (signal === null ? exitCodes.failure : signalExitCode(signal)))
    })
  })
}

async function showLog(stream: Readable): Promise<void> {
  for await (const text of createInterface({ input: stream })) {
    process.stderr.write(`${describeLine(parseLine('', text, Date.now()))}\n`)
  }
}
