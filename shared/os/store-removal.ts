/**
 * Takes a store away for good. Its directory is renamed first, durably: whatever stops the removal half
 * way, there is never a part of a store under the name of a whole one that claims its identity.
 */
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { startTimeOf } from './linux.js'

const removed = /^removed-.*-(\d+)$/

export async function removeStore(path: string): Promise<void> {
  if (!existsSync(path)) return
  const grave = join(dirname(path), `removed-${basename(path)}-${process.pid}`)
  await rm(grave, { recursive: true, force: true })
  renameSync(path, grave)
  syncDirectory(dirname(path))
  await rm(grave, { recursive: true, force: true })
}

/** Goes on with removals whose process ended before they did. */
export async function finishRemovals(directory: string): Promise<void> {
  for (const name of readdirSync(directory)) {
    const pid = Number(removed.exec(name)?.[1] ?? Number.NaN)
    const isOver = pid === process.pid || startTimeOf(pid) === undefined
    if (!Number.isNaN(pid) && isOver) {
      await rm(join(directory, name), { recursive: true, force: true })
    }
  }
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
