/**
 * What can be said about a run directory to those who only want to talk to its swarm: whether it
 * may be trusted, and why nobody answers in it.
 */
import { existsSync, lstatSync } from 'node:fs'
import { GTStoreError } from '../protocol/errors.js'
import { socketPath } from './directories.js'

/**
 * Throws INVALID_ARGUMENT for a directory that someone else may have prepared to be talked to, and
 * for paths that no socket can have. One that is missing passes: it comes with `gtstore up`.
 */
export function checkRunDirectory(run: string): void {
  socketPath(run, 'n000000.000000')
  const stat = lstatSync(run, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (stat.isSymbolicLink()) throw refused(run, 'it is a symlink')
  if (!stat.isDirectory()) throw refused(run, 'it is not a directory')
  if (stat.uid !== process.getuid?.()) throw refused(run, `it belongs to user ${stat.uid}`)
}

/** CANNOT_CONNECT, with what is wrong with the directory and what to do. */
export function cannotConnect(run: string, cause: unknown): GTStoreError {
  const next = 'start it with `gtstore up`, or name another with --dir, --swarm or GTSTORE_DIR'
  const message = `cannot connect to the swarm: ${reasonIn(run)}; ${next}`
  return new GTStoreError('CANNOT_CONNECT', message, { cause })
}

function reasonIn(run: string): string {
  if (!existsSync(run)) return `run directory ${run} does not exist`
  if (!existsSync(socketPath(run, 'manager'))) return `no manager runs in ${run}`
  return `nobody answers in ${run}`
}

function refused(run: string, reason: string): GTStoreError {
  const next = 'name another with --dir or GTSTORE_DIR'
  return new GTStoreError('INVALID_ARGUMENT', `run directory ${run} is refused: ${reason}; ${next}`)
}
