/**
 * Opens a LevelDB database that carries a format version.
 *
 * LevelDB's own lock keeps two processes off one database; the kernel drops it with its process. It
 * is what keeps two lives of a manager or of a node apart, so an open that finds it held says who
 * holds it instead of waiting.
 */
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { GTStoreError } from '../protocol/errors.js'
import { DamagedError, damageIn } from './damage.js'
import { freeBytes, isNoSpace } from './disk-space.js'
import { lockHolder } from './linux.js'

export type Level = ClassicLevel<Buffer, Buffer>

/** What the engine uses of classic-level. */
export interface LevelStore {
  getSync(key: Buffer): Buffer | undefined
  /** A chained batch: a quarter cheaper than an array of operations. */
  batch(): LevelBatch
  iterator(options: object): LevelIterator
  close(): Promise<void>
}

export interface LevelBatch {
  put(key: Buffer, value: Buffer): unknown
  del(key: Buffer): unknown
  write(options: { readonly sync: boolean }): Promise<void>
}

interface LevelIterator {
  nextv(size: number): Promise<[Buffer, Buffer][]>
  close(): Promise<void>
}

export interface LevelOptions {
  readonly path: string
  /** For messages: `store`, `journal`. */
  readonly what: string
  readonly formatKey: Buffer
  readonly format: number
  /** What to do about one that is damaged. */
  readonly remedy: string
}

/** Rejects with a DamagedError where entries that were durable are known to be missing. */
export async function openLevel(options: LevelOptions): Promise<Level> {
  const { path, what, formatKey, format } = options
  const damage = damageIn(path)
  if (damage !== undefined) throw new DamagedError(options, damage)
  const level: Level = new ClassicLevel(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  try {
    await level.open()
  } catch (error) {
    throw openFailure(options, error as Error)
  }
  try {
    const found = level.getSync(formatKey)?.toString()
    if (found === String(format)) return level
    const isNew = found === undefined && (await level.keys({ limit: 1 }).all()).length === 0
    if (isNew) {
      await level.put(formatKey, Buffer.from(String(format)), { sync: true })
      return level
    }
    throw new GTStoreError(
      'VERSION_MISMATCH',
      `the ${what} in ${path} has format ${found ?? 'unknown'}, this program reads format ${format}: ` +
        'use the version of gtstore that wrote it, or name another data directory with --data',
    )
  } catch (error) {
    await level.close()
    throw error instanceof GTStoreError ? error : openFailure(options, error as Error)
  }
}

/** All entries within the bounds; closes the database where they cannot be read. */
export async function readAll(
  level: Level,
  options: LevelOptions,
  bounds: object,
): Promise<[Buffer, Buffer][]> {
  try {
    return await level.iterator(bounds).all()
  } catch (error) {
    await level.close()
    throw openFailure(options, error as Error)
  }
}

/** A file that the database names, and that is missing or was cut short. */
const goneFile =
  /^IO error: .*(?:MANIFEST-\d+|\.ldb|\.log): (?:Invalid argument|No such file or directory)$/

function openFailure(options: LevelOptions, error: Error): GTStoreError {
  const { path, what } = options
  const cause = error.cause instanceof Error ? error.cause : error
  const { code } = cause as NodeJS.ErrnoException
  const isGone = goneFile.test(cause.message)
  if (code === 'LEVEL_CORRUPTION' || isGone) return new DamagedError(options, cause.message, cause)
  if (isNoSpace(cause)) {
    return new GTStoreError(
      'DISK_FULL',
      `cannot open the ${what} in ${path}: ${cause.message} ` +
        `(${freeBytes(path) ?? 'unknown'} bytes are free): make room, then start it again`,
      { cause },
    )
  }
  if (code !== 'LEVEL_LOCKED') {
    return new GTStoreError(
      'STORAGE_FAILED',
      `cannot open the ${what} in ${path}: ${cause.message}`,
      { cause },
    )
  }
  const holder = lockHolder(join(path, 'LOCK'))
  const who = holder === undefined ? 'another process' : `process ${holder}`
  return new GTStoreError(
    'STORAGE_FAILED',
    `the ${what} in ${path} is in use by ${who}: stop it first (gtstore down), ` +
      'or name another data directory with --data',
    { cause },
  )
}
