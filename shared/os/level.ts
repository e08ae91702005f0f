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
}

export async function openLevel(options: LevelOptions): Promise<Level> {
  const { path, what, formatKey, format } = options
  const level: Level = new ClassicLevel(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  try {
    await level.open()
  } catch (error) {
    throw openFailure(path, what, error as Error)
  }
  const found = level.getSync(formatKey)?.toString()
  if (found === String(format)) return level
  const isNew = found === undefined && (await level.keys({ limit: 1 }).all()).length === 0
  if (isNew) {
    await level.put(formatKey, Buffer.from(String(format)), { sync: true })
    return level
  }
  await level.close()
  throw new GTStoreError(
    'VERSION_MISMATCH',
    `the ${what} in ${path} has format ${found ?? 'unknown'}, this program reads format ${format}: ` +
      'use the version of gtstore that wrote it, or name another data directory with --data',
  )
}

function openFailure(path: string, what: string, error: Error): GTStoreError {
  const cause = error.cause instanceof Error ? error.cause : error
  if ((cause as NodeJS.ErrnoException).code !== 'LEVEL_LOCKED') {
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
