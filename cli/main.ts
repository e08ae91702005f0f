/** The `gtstore` command: runs what was asked for and turns what went wrong into an exit code. */
import { type Command, CommanderError } from 'commander'
import { CommandError, exitCodes } from './errors.js'
import { createOutput, tolerateClosedStreams, written } from './output.js'
import { createProgram } from './program.js'
import { endOnSignals, exit } from './signals.js'

tolerateClosedStreams()
endOnSignals()
const exitCode = await main(createProgram())
await written()
exit(exitCode)

async function main(program: Command): Promise<number> {
  try {
    await program.parseAsync()
    return Number(process.exitCode ?? exitCodes.ok)
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok
    const json = process.argv.includes('--json')
    return createOutput(json).failure(asFailure(error)).exitCode
  }
}

/** Commander's own errors are those of usage; help that was not asked for is one too. */
function asFailure(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error
  const help = error.code === 'commander.help'
  const message = help ? 'no command was named' : error.message.replace(/^error: /, '')
  return new CommandError(exitCodes.usage, message, 'see `gtstore help`, or COMMAND --help')
}
