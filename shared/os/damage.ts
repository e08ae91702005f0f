/**
 * Finds out whether a LevelDB database lost entries in a way that opening it does not tell.
 *
 * A process that dies leaves at most a torn end of the log: only what was never acknowledged. LevelDB
 * drops that without a word, and rightly so. But it also goes on where the middle of a log does not
 * match its checksums, with a line in its own `LOG` as the only sign, and classic-level has no option
 * to make that an error. So the `LOG` is read: of the last life before the database is opened (it may
 * have found the damage and ended), and of this one after. And a database whose `CURRENT` is gone would
 * be made anew over its files.
 *
 * What stays unseen is a log that was cut short or removed from outside.
 */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Recovery logs first of all. */
const headBytes = 256 * 1024

/** What is known to be missing, in words; undefined where nothing is. */
export function damageIn(path: string): string | undefined {
  // Of what is no directory the opening tells.
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined
  if (!existsSync(join(path, 'CURRENT'))) {
    const file = readdirSync(path).find((name) => /^\d+\.(log|ldb|sst)$/.test(name))
    return file === undefined ? undefined : `${file} is there, but CURRENT is missing`
  }
  const dropped = /\S+\.log: dropping \d+ bytes; .*/.exec(headOf(join(path, 'LOG')))
  return dropped?.[0]
}

function headOf(file: string): string {
  if (!existsSync(file)) return ''
  const descriptor = openSync(file, 'r')
  try {
    const head = Buffer.alloc(headBytes)
    return head.toString('latin1', 0, readSync(descriptor, head))
  } finally {
    closeSync(descriptor)
  }
}
