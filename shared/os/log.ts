/**
 * Structured logs, written synchronously: a line that was logged is in the file even if the process
 * is killed in the next moment. Files are rotated here, in the process, since pino's own ways of
 * doing it work in another thread and lose lines at SIGTERM and SIGKILL.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { destination, pino } from 'pino'
import type { Log } from '../runtime/runtime.js'

/** Three files of 10 MB: some 50,000 lines each, and never more than 30 MB a process. */
const fileBytesMax = 10 * 1024 * 1024
const filesKept = 3

export interface ClosableLog extends Log {
  close(): void
}

export function openLog(options: {
  /** stderr without one. */
  readonly file?: string
  readonly level: string
  readonly name: string
}): ClosableLog {
  const { file, level, name } = options
  const rotating = file === undefined ? undefined : new RotatingFile(file)
  const output = rotating ?? destination({ fd: 2, sync: true })
  const log = pino(
    {
      name,
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serialized, error: serialized },
    },
    output,
  )
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    close: () => rotating?.close(),
  }
}

/** As pino does it, but what an error says of its cause is not said twice. */
function serialized(error: Error): object {
  const fields = pino.stdSerializers.err(error)
  if (error instanceof Error) fields.message = messageOf(error)
  return fields
}

/** With those of its causes, where it does not hold them. */
function messageOf({ message, cause }: Error): string {
  if (!(cause instanceof Error)) return message
  const reason = messageOf(cause)
  return message.includes(reason) ? message : `${message}: ${reason}`
}

/** `<file>` is the newest; `<file>.1` and `<file>.2` are older. */
export class RotatingFile {
  readonly #file: string
  readonly #bytesMax: number
  #descriptor: number | undefined
  #bytes = 0
  #isClosed = false

  constructor(file: string, bytesMax: number = fileBytesMax) {
    this.#file = file
    this.#bytesMax = bytesMax
    this.#open()
  }

  /** A full disk must not stop the process that reports it: what cannot be written is dropped. */
  write(line: string): void {
    try {
      const bytes = Buffer.byteLength(line)
      if (this.#isClosed) return
      if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax) this.#rotate()
      // There was no room for a new file at the last rotation.
      if (this.#descriptor === undefined) this.#open()
      this.#bytes += writeSync(this.#descriptor as number, line)
    } catch {
      return
    }
  }

  close(): void {
    this.#isClosed = true
    this.#closeFile()
  }

  #closeFile(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #open(): void {
    this.#descriptor = openSync(this.#file, 'a', 0o600)
    this.#bytes = fstatSync(this.#descriptor).size
  }

  #rotate(): void {
    this.#closeFile()
    for (let age = filesKept - 1; age > 0; age--) {
      const younger = age === 1 ? this.#file : `${this.#file}.${age - 1}`
      try {
        renameSync(younger, `${this.#file}.${age}`)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
    this.#open()
  }
}
