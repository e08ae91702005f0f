/**
 * Starts manager and node processes. Each gets a session of its own (so that neither Ctrl-C nor the
 * end of a terminal reaches it) and outlives whoever started it. It keeps its own log; what it
 * prints past that, at worst its last words, goes to a second file of its name.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { programOf } from '../shared/os/programs.js'
import type { SwarmOptions } from '../shared/os/swarm-file.js'
import type { NodeId } from '../shared/ring/description.js'
import { logTailLines, printedBytesMax } from './limits.js'
import { describeLine, parseLine } from './log-lines.js'

/** What every process of a swarm is started with. */
export interface Surroundings {
  readonly run: string
  readonly data: string
  readonly logLevel: string
  /** Directory of the log files; without one, stderr. */
  readonly logs?: string
}

export function managerArguments(at: Surroundings, options: SwarmOptions): string[] {
  return [programOf('manager'), ...common(at), '--options', JSON.stringify(options)]
}

/** Empty: a new node, whose id the manager gives. */
export function nodeArguments(at: Surroundings, node: NodeId | ''): string[] {
  return [programOf('storage'), ...common(at), ...(node === '' ? [] : ['--node', node])]
}

function common({ run, data, logLevel, logs }: Surroundings): string[] {
  const directory = logs === undefined ? [] : ['--logs', logs]
  return ['--run', run, '--data', data, '--log-level', logLevel, ...directory]
}

/** `name`: that of its logs; several new nodes may share one until they have ids. */
export function startProcess(
  at: Surroundings,
  name: string,
  args: readonly string[],
): ChildProcess {
  const printed = openPrinted(at.data, name)
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

function printedFile(data: string, name: string): string {
  return join(logDirectory(data), `${name}.txt`)
}

/** Appended to by every life of the process; begun anew when it has grown large. */
export function openPrinted(data: string, name: string): number {
  mkdirSync(logDirectory(data), { recursive: true, mode: 0o700 })
  const path = printedFile(data, name)
  const size = sizeOf(path)
  return openSync(path, size > printedBytesMax ? 'w' : 'a', 0o600)
}

/** What one process logs and prints from now on: told when it fails. */
export class Utterances {
  readonly #name: string
  readonly #files: readonly { readonly path: string; readonly from: number }[]

  constructor(data: string, name: string) {
    const paths = [join(logDirectory(data), `${name}.log`), printedFile(data, name)]
    this.#name = name
    this.#files = paths.map((path) => ({ path, from: sizeOf(path) }))
  }

  /** Why it ended, in its own words; empty where it said nothing. */
  lastWords(): string {
    const words = this.#lines().map((line) => /^(?:gtstore \w+|\w*Error): (.+)$/.exec(line)?.[1])
    return words.findLast((text) => text !== undefined) ?? ''
  }

  /** The last lines, under a heading; a process that failed repeatedly repeats itself. */
  tail(): string {
    const lines = [...new Set(this.#lines())].slice(-logTailLines)
    return lines.length === 0 ? '' : [`--- ${this.#name}`, ...lines].join('\n')
  }

  #lines(): string[] {
    return this.#files.flatMap(({ path, from }) => linesOf(path, from))
  }
}

/** A log that was rotated since is read from its beginning. */
function linesOf(path: string, from: number): string[] {
  const size = sizeOf(path)
  const start = size < from ? 0 : from
  if (size === start) return []
  const texts = textOf(path, start, size).split('\n')
  return texts.filter((text) => text !== '').map((text) => readable(text))
}

function textOf(path: string, start: number, end: number): string {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(end - start)
    const length = readSync(file, bytes, 0, bytes.length, start)
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(file)
  }
}

/** A line of a log as `gtstore logs` shows it, anything else as it is. */
function readable(text: string): string {
  const line = parseLine('', text, 0)
  return line.time === 0 ? text : describeLine(line)
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
