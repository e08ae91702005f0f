/**
 * Starts manager and node processes. Each gets a session of its own (so that neither Ctrl-C nor the
 * end of a terminal reaches it) and outlives whoever started it. It keeps its own log; what it
 * prints past that, at worst its last words, goes to a file that all share.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SwarmOptions } from '../shared/os/swarm-file.js'
import type { NodeId } from '../shared/ring/description.js'
import { logTailLines, printedBytesMax } from './limits.js'

/** What every process of a swarm is started with. */
export interface Surroundings {
  readonly run: string
  readonly data: string
  readonly logLevel: string
  /** Directory of the log files; without one, stderr. */
  readonly logs?: string
}

export function managerArguments(at: Surroundings, options: SwarmOptions): string[] {
  return [script('manager'), ...common(at), '--options', JSON.stringify(options)]
}

/** Empty: a new node, whose id the manager gives. */
export function nodeArguments(at: Surroundings, node: NodeId | ''): string[] {
  return [script('storage'), ...common(at), ...(node === '' ? [] : ['--node', node])]
}

function common({ run, data, logLevel, logs }: Surroundings): string[] {
  const directory = logs === undefined ? [] : ['--logs', logs]
  return ['--run', run, '--data', data, '--log-level', logLevel, ...directory]
}

function script(folder: 'manager' | 'storage'): string {
  return fileURLToPath(new URL(`../${folder}/main.js`, import.meta.url))
}

export function startProcess(at: Surroundings, args: readonly string[]): ChildProcess {
  const printed = openPrinted(at.data)
  try {
    const stdio = ['ignore', printed, printed] as const
    return spawn(process.execPath, args, { cwd: at.data, detached: true, stdio: [...stdio] })
  } finally {
    closeSync(printed)
  }
}

export function logDirectory(data: string): string {
  return join(data, 'logs')
}

function printedFile(data: string): string {
  return join(logDirectory(data), 'printed.txt')
}

/** Appended to by every process; begun anew when it has grown large. */
export function openPrinted(data: string): number {
  mkdirSync(logDirectory(data), { recursive: true, mode: 0o700 })
  const path = printedFile(data)
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  return openSync(path, size > printedBytesMax ? 'w' : 'a', 0o600)
}

/** The last lines of each log and of what was printed, of those written since `since`. */
export function logTails(data: string, since: Date): string {
  const directory = logDirectory(data)
  const recent = readdirSync(directory).filter((name) => {
    const { mtime, size } = statSync(join(directory, name))
    return mtime >= since && size > 0
  })
  return recent.map((name) => `--- ${name}\n${tail(join(directory, name))}`).join('\n')
}

function tail(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-logTailLines).join('\n')
}
