/** The `gtstore` command: runs what was asked for and turns what went wrong into an exit code. */
import { type Command, CommanderError } from 'commander'
import { assertTextArguments } from './arguments.js'
import { CommandError, describeFailure, exitCodes, outputLost } from './errors.js'
import { createOutput, stdoutError, tolerateClosedStreams, written } from './output.js'
import { createProgram } from './program.js'
import { endOnSignals, exit } from './signals.js'

tolerateClosedStreams()
endOnSignals()
const { failure } = createOutput(process.argv.includes('--json'))
const exitCode = await main(createProgram())
await written()
const lost = stdoutError()
if (lost !== undefined) failure(outputLost(lost, exitCode === exitCodes.ok))
exit(exitCode === exitCodes.ok && lost !== undefined ? exitCodes.failure : exitCode)

async function main(program: Command): Promise<number> {
  try {
    assertTextArguments()
    await program.parseAsync()
    return Number(process.exitCode ?? exitCodes.ok)
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok
    const described = describeFailure(asFailure(error))
    failure(described)
    return described.exitCode
  }
}

/** Commander's own errors are those of usage; help that was not asked for is one too. */
function asFailure(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error
  const help = error.code === 'commander.help'
  const message = help ? 'no command was named' : error.message.replace(/^error: /, '')
  return new CommandError(exitCodes.usage, message, 'see `gtstore help`, or COMMAND --help')
}
