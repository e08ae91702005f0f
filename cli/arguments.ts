/**
 * Arguments are text. Bytes that are no UTF-8 reach Node.js as U+FFFD, each like the others, so that
 * different keys would be one: they are refused before anything is done.
 */
import { isUtf8 } from 'node:buffer'
import { ownArguments } from '../shared/os/linux.js'
import { CommandError, exitCodes } from './errors.js'
import { quoted } from './quoting.js'

/** Looks at the bytes only where an argument may have had others: nobody else pays for it. */
export function assertTextArguments(args: readonly string[] = process.argv.slice(2)): void {
  if (!args.some((argument) => argument.includes('\ufffd'))) return
  const index = ownArguments(args.length).findIndex((bytes) => !isUtf8(bytes))
  if (index === -1) return
  throw new CommandError(
    exitCodes.usage,
    `the argument ${quoted(args[index] ?? '')} is not valid UTF-8`,
    'a value that is no text goes in as @FILE, or by stdin: -; such a key only through the library',
  )
}
