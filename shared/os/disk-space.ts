/**
 * Watches how much room is left under a store. A full disk makes a log write fail half way, which only
 * a restart mends; a node that stops writing a little before keeps answering reads, and goes on by
 * itself when there is room again.
 */
import { statfs } from 'node:fs/promises'
import { diskCheckMs, diskReserveBytes, diskReserveShareMax } from '../runtime/limits.js'
import type { DiskSpace } from '../runtime/ports.js'

export interface ClosableDiskSpace extends DiskSpace {
  close(): void
}

/** Rejects where the file system cannot be asked. */
export async function watchDiskSpace(path: string): Promise<ClosableDiskSpace> {
  let isLow = await hasLittleRoom(path)
  const timer = setInterval(() => {
    hasLittleRoom(path).then(
      (answer) => {
        isLow = answer
      },
      // The directory cannot be reached: nothing can be written there either.
      () => {
        isLow = true
      },
    )
  }, diskCheckMs)
  return {
    isLow: () => isLow,
    close: () => clearInterval(timer),
  }
}

async function hasLittleRoom(path: string): Promise<boolean> {
  const { bsize, bavail, blocks } = await statfs(path)
  return bavail * bsize < Math.min(diskReserveBytes, blocks * bsize * diskReserveShareMax)
}
