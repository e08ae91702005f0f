/** `npm run demo`: the driver as a program. Prints each step, then PASS or FAIL; exits 0 or 1. */
import { styleText } from 'node:util'
import { Command, InvalidArgumentError } from 'commander'
import { runDriver } from './driver.js'

/** The exit code of a call that is wrong, as that of `gtstore`. */
const usage = 2

function count(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (Number.isInteger(value) && value >= least) return value
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`)
  }
}

const program = new Command('test_app')
  .description('Replaces every node of a swarm of 2N nodes while K clients stay.')
  .option('--replicas <n>', 'N: copies of every key', count(1), 3)
  .option('--read-quorum <r>', 'R: owners that answer a get (N/2+1)', count(1))
  .option('--write-quorum <w>', 'W: owners that confirm a put (N/2+1)', count(1))
  .option('--clients <k>', 'K: clients, each a process', count(1), 5)
  .option('--load [in-flight]', 'verified traffic during the replacements (16)', count(1))
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : usage))
  .parse()

interface Flags {
  readonly replicas: number
  readonly readQuorum?: number
  readonly writeQuorum?: number
  readonly clients: number
  readonly load?: number | true
}

const flags = program.opts<Flags>()
const majority = Math.floor(flags.replicas / 2) + 1
const faults = await runDriver({
  replicas: flags.replicas,
  readQuorum: flags.readQuorum ?? majority,
  writeQuorum: flags.writeQuorum ?? majority,
  clients: flags.clients,
  load: flags.load === true ? 16 : (flags.load ?? 0),
  say: (line) => console.log(line),
})
for (const fault of faults) console.error(fault)
const passed = faults.length === 0
const colours = process.stdout.isTTY && process.stdout.hasColors()
const verdict = passed ? 'PASS' : 'FAIL'
console.log(colours ? styleText(passed ? 'green' : 'red', verdict) : verdict)
process.exitCode = passed ? 0 : 1
