/**
 * Lines of the processes' logs: JSON of pino, or, where a process died before it could log, whatever
 * it printed. Nothing is dropped: a line that is not understood is shown as it is. A key is a field that
 * a user has chosen: it must not look like another line, nor reach the terminal.
 */
import { basename } from 'node:path'
import { inspect } from 'node:util'
import { paint } from './output.js'
import { inLine, visible } from './quoting.js'

export interface LogLine {
  /** Milliseconds since 1970; that of the line before where a line has none. */
  readonly time: number
  readonly process: string
  readonly level: number
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
  /** As it stands in the file. */
  readonly text: string
}

/** `n1` of `n1.log` and of its rotated forms; empty for files that are no logs. */
export function logName(path: string): string {
  const file = basename(path)
  return /\.(log|txt)(\.\d+)?$/.test(file) ? (file.split('.')[0] ?? '') : ''
}

export function parseLine(process: string, text: string, timeBefore: number): LogLine {
  const plain = { time: timeBefore, process, level: 0, message: text, fields: {}, text }
  if (!text.startsWith('{')) return plain
  try {
    const { time, level, name, msg, pid: _pid, hostname: _host, ...fields } = JSON.parse(text)
    const at = new Date(time).getTime()
    if (Number.isNaN(at)) return plain
    return {
      time: at,
      process: String(name ?? process),
      level,
      message: String(msg ?? ''),
      fields,
      text,
    }
  } catch {
    return plain
  }
}

const levels: Readonly<Record<number, readonly [name: string, colour: 'dim' | 'yellow' | 'red']>> =
  {
    20: ['debug', 'dim'],
    40: ['WARN', 'yellow'],
    50: ['ERROR', 'red'],
    60: ['FATAL', 'red'],
  }

export function describeLine({ time, process: name, level, message, fields }: LogLine): string {
  const clock = new Date(time).toISOString().slice(11, 23)
  const [word, colour] = levels[level] ?? ['', 'dim']
  const mark = word === '' ? '' : `${paint(process.stdout, colour, word)} `
  const details = Object.entries(fields).map(([field, value]) => `${field}=${short(value)}`)
  const rest = details.length === 0 ? '' : paint(process.stdout, 'dim', `  ${details.join(' ')}`)
  return `${clock} ${visible(name).padEnd(10)} ${mark}${visible(message)}${rest}`
}

function short(value: unknown): string {
  return typeof value === 'string'
    ? inLine(value)
    : inspect(value, { breakLength: Infinity, depth: 4 })
}
