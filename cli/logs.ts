/**
 * `gtstore logs`: what the processes wrote, merged by time and readable; --json leaves the lines as
 * they are. Following waits for the directory to change (inotify): nothing polls.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, watch } from 'node:fs'
import { join } from 'node:path'
import { CommandError, exitCodes } from './errors.js'
import { describeLine, type LogLine, logName, parseLine } from './log-lines.js'
import type { Context } from './options.js'
import { logDirectory } from './processes.js'
import { catchSignals, signalExitCode } from './signals.js'

export async function logs(
  context: Context,
  flags: { follow?: boolean },
  processes: readonly string[],
): Promise<number> {
  const directory = logDirectory(context.data)
  const wanted = (file: string) => processes.length === 0 || processes.includes(logName(file))
  const files = logFiles(directory).filter(wanted)
  refuseUnknown(context, processes, directory)
  if (files.length === 0) {
    context.output.note(`gtstore: nothing is logged in ${directory} yet`)
    if (!existsSync(directory)) return exitCodes.ok
  }
  const print = (lines: readonly LogLine[]) => {
    for (const line of lines) {
      process.stdout.write(`${context.output.json ? line.text : describeLine(line)}\n`)
    }
  }
  const tails = new Map(files.map((file) => [file, readFrom(join(directory, file))]))
  print(inOrder([...tails.values()].flatMap(({ lines }) => lines)))
  return flags.follow === true ? follow(directory, wanted, tails, print) : exitCodes.ok
}

interface Tail {
  /** The file, by inode: a rotated log goes on under its old number. */
  inode: number
  /** How much of it was read, up to the end of a line. */
  offset: number
  lines: readonly LogLine[]
}

function logFiles(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((file) => logName(file) !== '')
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function refuseUnknown({ data }: Context, processes: readonly string[], directory: string): void {
  const known = [...new Set(logFiles(directory).map(logName))]
  const unknown = processes.filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  throw new CommandError(
    exitCodes.failure,
    `nothing is logged by ${unknown.join(', ')} in ${data}`,
    known.length === 0
      ? 'start the swarm with `gtstore up`'
      : `there are logs of ${known.join(' ')}`,
  )
}

/** Lines without a time (last words of a crash) stay behind the one before them. */
function inOrder(lines: readonly LogLine[]): LogLine[] {
  return [...lines].sort((a, b) => a.time - b.time)
}

/** Whole lines from `offset` on; half a line is left for the next time. */
function readFrom(path: string, offset = 0): Tail {
  const file = openSync(path, 'r')
  try {
    const { size, ino } = fstatSync(file)
    const bytes = Buffer.alloc(Math.max(0, size - offset))
    const length = readSync(file, bytes, 0, bytes.length, offset)
    const end = bytes.subarray(0, length).lastIndexOf(10) + 1
    const texts = bytes.toString('utf8', 0, end).split('\n').slice(0, -1)
    let time = 0
    const lines = texts.map((text) => {
      const line = parseLine(logName(path), text, time)
      time = line.time
      return line
    })
    return { inode: ino, offset: offset + end, lines }
  } finally {
    closeSync(file)
  }
}

async function follow(
  directory: string,
  wanted: (file: string) => boolean,
  tails: Map<string, Tail>,
  print: (lines: readonly LogLine[]) => void,
): Promise<number> {
  const watcher = watch(directory)
  const signals = catchSignals()
  const end = () => watcher.close()
  signals.first.addEventListener('abort', end, { once: true })
  process.stdout.once('error', end)
  const byInode = new Map([...tails.values()].map((tail) => [tail.inode, tail.offset]))
  const look = () => {
    for (const file of logFiles(directory).filter(wanted)) {
      print(news(join(directory, file), byInode))
    }
  }
  watcher.on('change', look)
  look()
  await new Promise((resolve) => watcher.once('close', resolve))
  return signals.received === undefined ? exitCodes.ok : signalExitCode(signals.received)
}

function news(path: string, byInode: Map<number, number>): readonly LogLine[] {
  try {
    const inode = inodeOf(path)
    const tail = readFrom(path, byInode.get(inode) ?? 0)
    byInode.set(tail.inode, tail.offset)
    return tail.lines
  } catch (error) {
    // Rotated away between the listing and the look: its lines are read under its next name.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function inodeOf(path: string): number {
  const file = openSync(path, 'r')
  try {
    return fstatSync(file).ino
  } finally {
    closeSync(file)
  }
}
