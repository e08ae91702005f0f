/**
 * Watches how much room is left under a store. A full disk makes a write fail half way, which only a
 * restart mends; a node that stops taking writes a little before keeps answering reads, and goes on by
 * itself when there is room again.
 */
import { statfsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { diskCheckMs, diskReserveBytes, diskReserveShareMax } from '../runtime/limits.js'
import type { DiskSpace } from '../runtime/ports.js'

/** What statfs(2) says: sizes in blocks. */
export interface FileSystem {
  readonly bsize: number
  readonly blocks: number
  readonly bavail: number
}

export interface ClosableDiskSpace extends DiskSpace {
  close(): void
}

export interface DiskSpaceOptions {
  readonly path: string
  /** Told of each turn, and at once of a disk that is low from the start. */
  changed(isLow: boolean, freeBytes: number): void
  readonly ask?: (path: string) => Promise<FileSystem>
}

/** Rejects where the file system cannot be asked at first. */
export async function watchDiskSpace(options: DiskSpaceOptions): Promise<ClosableDiskSpace> {
  const { path, changed, ask = statfs } = options
  let isLow = false
  let isAsking = false
  let isClosed = false
  const judge = (found: FileSystem) => {
    isAsking = false
    const before = isLow
    isLow = hasLittleRoom(found)
    if (isLow !== before && !isClosed) changed(isLow, freeBytesOf(found))
  }
  judge(await ask(path))
  const timer = setInterval(() => {
    // A disk that hangs is not asked twice.
    if (isAsking) return
    isAsking = true
    // A directory that cannot be reached cannot be written to either.
    ask(path).then(judge, () => judge({ bsize: 0, blocks: 1, bavail: 0 }))
  }, diskCheckMs)
  return {
    isLow: () => isLow,
    close: () => {
      isClosed = true
      clearInterval(timer)
    },
  }
}

/** What is free for this user, in bytes; undefined where the file system cannot be asked. */
export function freeBytes(path: string): number | undefined {
  try {
    return freeBytesOf(statfsSync(path))
  } catch {
    return undefined
  }
}

/** An empty file system of no size (bsize 0) counts as full. */
export function hasLittleRoom(found: FileSystem): boolean {
  const { bsize, blocks } = found
  const reserve = Math.min(diskReserveBytes, blocks * bsize * diskReserveShareMax)
  return bsize === 0 || freeBytesOf(found) < reserve
}

/** For error messages of the host: is it that there is no room? */
export function isNoSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as NodeJS.ErrnoException
  return (
    code === 'ENOSPC' || code === 'EDQUOT' || /No space left|quota exceeded/i.test(error.message)
  )
}

function freeBytesOf({ bsize, bavail }: FileSystem): number {
  return bsize * bavail
}
