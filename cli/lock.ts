/**
 * One supervisor a data directory: whoever holds this lock starts processes. It is the lock of an
 * empty LevelDB database, which the kernel drops with the process, so that a killed supervisor leaves
 * nothing to clean up.
 */
export interface Lock {
  release(): Promise<void>
}

/** Undefined: another process holds it. */
export async function takeLock(path: string): Promise<Lock | undefined> {
  const { ClassicLevel } = await import('classic-level')
  const database = new ClassicLevel(path)
  try {
    await database.open()
  } catch (error) {
    if (isLocked(error)) return undefined
    throw error
  }
  return { release: () => database.close() }
}

function isLocked(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED'
}
