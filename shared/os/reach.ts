/**
 * What can be said about a run directory to those who only want to talk to its swarm: whether it
 * may be trusted, and why nobody answers in it.
 */
import { existsSync, lstatSync } from 'node:fs'
import { GTStoreError } from '../protocol/errors.js'
import { socketPath } from './directories.js'
import { listProcesses } from './process-files.js'

/**
 * Throws INVALID_ARGUMENT for a directory that someone else may have prepared to be talked to, and
 * for paths that no socket can have. One that is missing passes: it comes with `gtstore up`.
 */
export function checkRunDirectory(run: string): void {
  socketPath(run, 'n000000.000000')
  checkDirectory(`run directory ${run}`, run, '--dir or GTSTORE_DIR')
}

/** The same for a data directory, before anything in it is read or removed. */
export function checkDataDirectory(data: string): void {
  checkDirectory(`data directory ${data}`, data, '--data or GTSTORE_DATA')
}

function checkDirectory(what: string, path: string, option: string): void {
  const reason = reasonAgainst(path)
  if (reason === undefined) return
  const message = `${what} is refused: ${reason}; name another with ${option}`
  throw new GTStoreError('INVALID_ARGUMENT', message)
}

function reasonAgainst(path: string): string | undefined {
  try {
    const stat = lstatSync(path)
    if (stat.isSymbolicLink()) return 'it is a symlink'
    if (!stat.isDirectory()) return 'it is not a directory'
    return stat.uid === process.getuid?.() ? undefined : `it belongs to user ${stat.uid}`
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    return code === 'ENOTDIR' ? 'it lies below what is not a directory' : message
  }
}

/** The same, for one call that will not wait for an `up`: a directory that is missing fails too. */
export function requireRunDirectory(run: string): void {
  checkRunDirectory(run)
  if (!existsSync(run)) throw cannotConnect(run, undefined)
}

/** CANNOT_CONNECT, with what is wrong with the directory and what to do. */
export function cannotConnect(run: string, cause: unknown): GTStoreError {
  const message = `cannot connect to the swarm: ${reasonIn(run)}`
  return new GTStoreError('CANNOT_CONNECT', message, { cause })
}

function reasonIn(run: string): string {
  const start = 'start it with `gtstore up`, or name another with --dir, --swarm or GTSTORE_DIR'
  if (!existsSync(run)) return `run directory ${run} does not exist; ${start}`
  const manager = listProcesses(run).find(({ role }) => role === 'manager')
  if (manager === undefined) return `no manager runs in ${run}; ${start}`
  const patience = 'allow more time, or look for what is stuck with `gtstore doctor`'
  return `its manager runs (pid ${manager.pid}), but nobody answered in time; ${patience}`
}
