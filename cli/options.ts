/**
 * What the options of every command have in common: which swarm is meant, and how a number is read.
 */
import { InvalidArgumentError } from 'commander'
import { swarmDirectories } from '../shared/os/directories.js'
import { keyBytesMax } from '../shared/runtime/limits.js'
import { CommandError, exitCodes } from './errors.js'
import { createOutput, type Output } from './output.js'

/** Given before or after the command's name. What the environment names is swarmDirectories' part. */
export interface GlobalFlags {
  readonly swarm?: string
  readonly dir?: string
  readonly data?: string
  readonly json?: boolean
}

/** What every command starts from. */
export interface Context {
  readonly swarm: string
  /** Run directory: sockets and ring files. */
  readonly run: string
  /** Data directory: journal, stores, logs. */
  readonly data: string
  /** How to call the command again on this swarm: for the advice it prints. */
  readonly command: string
  readonly output: Output
}

export function contextOf(flags: GlobalFlags): Context {
  const named = {
    swarm: given('--swarm', flags.swarm),
    dir: given('--dir', flags.dir),
    data: given('--data', flags.data),
  }
  return {
    ...swarmDirectories(named),
    command: commandLine(flags),
    output: createOutput(flags.json === true),
  }
}

/** An empty option is one that a script failed to fill in. */
function given(flag: string, value: string | undefined): string | undefined {
  if (value !== '') return value
  throw new CommandError(exitCodes.usage, `${flag} is empty`, `give it a value, or leave it out`)
}

function commandLine({ swarm, dir, data }: GlobalFlags): string {
  const words = [programName()]
  if (swarm !== undefined) words.push('--swarm', swarm)
  if (dir !== undefined) words.push('--dir', dir)
  if (data !== undefined) words.push('--data', data)
  return words.join(' ')
}

/** As the user called it: from the checkout, through npx, or installed. */
function programName(): string {
  const script = process.argv[1] ?? ''
  if (script === `${process.cwd()}/bin/gtstore`) return './bin/gtstore'
  return script.includes('/node_modules/.bin/') ? 'npx gtstore' : 'gtstore'
}

/** An option that is a whole number in [least, most]; anything else is a usage error. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
  }
}

/** A key of the command line as bytes; one that no swarm takes is a usage error. */
export function keyNamed(key: string): Buffer {
  const bytes = Buffer.from(key)
  if (1 <= bytes.length && bytes.length <= keyBytesMax) return bytes
  throw new CommandError(
    exitCodes.usage,
    bytes.length === 0 ? 'the key is empty' : `the key has ${bytes.length} bytes`,
    `name a key of 1 to ${keyBytesMax} bytes`,
  )
}

export function nodeId(text: string): string {
  if (/^n[1-9][0-9]*$/.test(text)) return text
  throw new InvalidArgumentError('A node is named n1, n2, ...: see `gtstore status`.')
}

/** A node, or the manager. */
export function processId(text: string): string {
  return text === 'manager' ? text : nodeId(text)
}
