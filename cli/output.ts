/**
 * Where the command's words go: data to stdout, so that it can be piped; messages to stderr. With
 * --json data is one JSON document (or one a line), and a failure is one on stderr. Colour only on a
 * terminal that has it (NO_COLOR and FORCE_COLOR are heeded by `hasColors`).
 */
import { isUtf8 } from 'node:buffer'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import type { SwarmOptions } from '../shared/os/swarm-file.js'
import type { Failure } from './errors.js'

type Format = Parameters<typeof styleText>[0]

export interface Output {
  readonly json: boolean
  /** Data: `value` as JSON with --json, else the text. */
  result(value: unknown, text: () => string): void
  /** Data, byte for byte; false: nobody takes any more of it. */
  bytes(data: Uint8Array): Promise<boolean>
  /** A message: stderr. */
  note(text: string): void
  failure(failure: Failure): void
}

export function createOutput(json: boolean): Output {
  return {
    json,
    result: (value, text) => {
      process.stdout.write(`${json ? JSON.stringify(value) : text()}\n`)
    },
    bytes: (data) =>
      new Promise((resolve) => {
        process.stdout.write(data, (error) => resolve(!error))
      }),
    note: (text) => {
      process.stderr.write(`${text}\n`)
    },
    failure: (failure) => {
      process.stderr.write(`${json ? failureJson(failure) : failureText(failure)}\n`)
    },
  }
}

function failureJson({ code, message, next, definite, version }: Failure): string {
  return JSON.stringify({ error: { code, message, next, definite, version } })
}

function failureText({ message, next, definite }: Failure): string {
  const lines = [`${paint(process.stderr, 'red', 'gtstore:')} ${message}`]
  if (definite === false) lines.push('  outcome: unknown, the write may have happened or may still')
  lines.push(`  next: ${next}`)
  return lines.join('\n')
}

/** Colours the text where the stream shows colours. */
export function paint(stream: WriteStream, format: Format, text: string): string {
  return stream.isTTY && stream.hasColors() ? styleText(format, text) : text
}

/** The first; Node.js forgets it, and takes more to write. */
let firstStdoutError: Error | undefined

/** What the command does goes on when what it says is lost: `stdoutError` tells of it at the end. */
export function tolerateClosedStreams(): void {
  process.stdout.on('error', (error) => {
    firstStdoutError ??= error
  })
  process.stderr.on('error', () => {})
}

/**
 * Why stdout did not take all, such as a full disk. A reader that went away (`| head`), or a terminal
 * that was closed, is no failure.
 */
export function stdoutError(): Error | undefined {
  const error = firstStdoutError
  return error === undefined || isReaderGone(error) ? undefined : error
}

/** All that was printed has gone out: an exit would drop what a pipe has not taken yet. */
export async function written(): Promise<void> {
  await Promise.all([process.stdout, process.stderr].map(flushed))
  // A file takes all at once, but tells of its errors in the next tick.
  await nextTurn()
}

function flushed(stream: WriteStream): Promise<void> | undefined {
  if (stream.writableLength === 0 || stream.destroyed) return undefined
  return new Promise((resolve) => {
    stream.once('close', resolve)
    stream.write('', () => resolve())
  })
}

function isReaderGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'EIO'
}

/** Text as it is; bytes that are no text as base64, in an object, so that nothing else looks alike. */
export function asJson(value: Uint8Array): string | { base64: string } {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') }
}

/** `1.5 MB`, for people; --json gives the number. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** In a chain there is nothing to choose: all confirm, one reads. */
export function formatQuorums(
  of: Pick<SwarmOptions, 'mode' | 'replicas' | 'readQuorum' | 'writeQuorum'>,
): string {
  const { mode, replicas, readQuorum, writeQuorum } = of
  return mode === 'chain' ? `N=${replicas}` : `N=${replicas} R=${readQuorum} W=${writeQuorum}`
}

/** Columns without borders: readable, and still cut by `awk`. */
export async function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const border = 'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right'
  const lines = 'left left-mid mid mid-mid right right-mid'
  const chars = Object.fromEntries(`${border} ${lines}`.split(' ').map((name) => [name, '']))
  const table = new Table({
    head: head.map((name) => paint(process.stdout, 'bold', name)),
    chars: { ...chars, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) table.push([...row])
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
