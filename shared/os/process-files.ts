/**
 * Which processes a swarm has: each leaves a file with its pid and start time in the run directory,
 * so that `down` finds them without asking anyone, and tells them from later ones with their pid.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import type { Address, ProcessId } from '../runtime/runtime.js'
import { isProcessAlive } from './linux.js'

/** `standby`: a manager in waiting. */
export type Role = 'manager' | 'standby' | 'node' | 'supervisor'

export interface ProcessEntry extends ProcessId {
  readonly role: Role
  readonly address: Address
}

const entrySchema = v.object({
  role: v.picklist(['manager', 'standby', 'node', 'supervisor']),
  address: v.string(),
  pid: v.pipe(v.number(), v.integer(), v.minValue(2)),
  startTime: v.string(),
})

const fileForm = /^process\.[\w.-]+\.json$/

function processFilePath(run: string, address: Address): string {
  return join(run, `process.${address}.json`)
}

/** True while the process runs, and after it died without a goodbye. */
export function hasProcessFile(run: string, address: Address): boolean {
  return existsSync(processFilePath(run, address))
}

/** Returns what removes the file again. */
export function writeProcessFile(run: string, entry: ProcessEntry): () => void {
  const path = processFilePath(run, entry.address)
  const draft = `${path}.${entry.pid}`
  writeFileSync(draft, JSON.stringify(entry), { mode: 0o600 })
  renameSync(draft, path)
  return () => {
    // A later life with the same address may have written its own.
    if (readEntry(path)?.pid === entry.pid) rmSync(path, { force: true })
  }
}

/** Dead or alive; undefined where the process said goodbye, or nothing yet. */
export function readProcessFile(run: string, address: Address): ProcessEntry | undefined {
  return readEntry(processFilePath(run, address))
}

/** Those that are alive, in order of address. */
export function listProcesses(run: string): ProcessEntry[] {
  return readEntries(run).filter(isProcessAlive)
}

/** What the process called itself last; undefined if it said goodbye, or nothing yet. */
export function lastAddressOf(run: string, process: ProcessId): Address | undefined {
  const own = readEntries(run).filter(
    ({ pid, startTime }) => pid === process.pid && startTime === process.startTime,
  )
  return own.at(-1)?.address
}

function readEntries(run: string): ProcessEntry[] {
  let names: string[]
  try {
    names = readdirSync(run)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return names
    .filter((name) => fileForm.test(name))
    .sort()
    .map((name) => readEntry(join(run, name)))
    .filter((entry) => entry !== undefined)
}

/** Undefined for a file that is gone or is not ours to understand. */
function readEntry(path: string): ProcessEntry | undefined {
  try {
    return v.parse(entrySchema, JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}
