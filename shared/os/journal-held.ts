/**
 * A manager that is not needed: another process has the journal open, and so is the manager. Whoever
 * started it tells its end from a crash by the exit code.
 */
import { GTStoreError } from '../protocol/errors.js'

/** Why `openJournal` failed. */
export function isJournalHeld(error: unknown): boolean {
  const cause = error instanceof GTStoreError ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED'
}
