/**
 * How a manager that is not needed ends: another process has the journal open, and so is the manager.
 * Whoever started it tells this end from a crash by the exit code.
 */
import { GTStoreError } from '../protocol/errors.js'

export const journalHeldExitCode = 8

/** Why `openJournal` failed. */
export function isJournalHeld(error: unknown): boolean {
  const cause = error instanceof GTStoreError ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED'
}
