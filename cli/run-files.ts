/**
 * What processes leave in the run directory when they are killed. It is in nobody's way (a life never
 * reuses a socket's name), but would pile up.
 */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { listProcesses } from '../shared/os/process-files.js'

/** Removes sockets and process files of those that are dead. */
export function sweepRunFiles(run: string): void {
  const alive = new Set(listProcesses(run).map(({ address }) => address))
  for (const name of entries(run)) {
    const address = /^process\.(.+)\.json$/.exec(name)?.[1]
    if (address === undefined || alive.has(address)) continue
    rmSync(join(run, name), { force: true })
    rmSync(join(run, `${address}.sock`), { force: true })
  }
}

/** Rings of a swarm whose data is gone would mislead the next one. */
export function removeRings(run: string): void {
  for (const name of entries(run)) {
    if (/^ring\.\d+$/.test(name)) rmSync(join(run, name), { force: true })
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
