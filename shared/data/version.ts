/**
 * A version orders the values of one key.
 *
 * All processes share one host and therefore one monotonic clock. The client stamps each write once,
 * when it is called: if write A was acknowledged before write B was called, then A < B, and "the
 * newest version wins" is exactly last write wins. `boot` counts the lives of the host (its clock
 * starts again at each), `writer` breaks ties between clients that stamped in the same microsecond.
 */

/** Microseconds of the host-wide monotonic clock. */
export type Micros = number

export interface Version {
  /** Lives of the host, counted by the manager. */
  readonly boot: number
  /** Host clock when the write was called; strictly increasing for one writer. */
  readonly micros: Micros
  /** 64 random bits of the client instance, as 16 hexadecimal digits. */
  readonly writer: string
}

/** Negative if `a` is older than `b`, positive if newer, 0 if they are the same write. */
export function compareVersions(a: Version, b: Version): number {
  if (a.boot !== b.boot) return a.boot - b.boot
  if (a.micros !== b.micros) return a.micros - b.micros
  if (a.writer === b.writer) return 0
  return a.writer < b.writer ? -1 : 1
}

/** `boot.micros.writer`, as users see a version. */
export function formatVersion(version: Version): string {
  return `${version.boot}.${version.micros}.${version.writer}`
}

/** The reverse; undefined for what is no version. */
export function parseVersion(text: string): Version | undefined {
  const [, boot, micros, writer] = /^(\d{1,9})\.(\d{1,16})\.([0-9a-f]{16})$/.exec(text) ?? []
  if (boot === undefined || micros === undefined || writer === undefined) return undefined
  const version = { boot: Number(boot), micros: Number(micros), writer }
  return Number.isSafeInteger(version.micros) ? version : undefined
}
