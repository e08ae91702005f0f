/**
 * From an error to what a user sees: what failed, why, what to do next, and an exit code that a
 * script can branch on. Scripts rely on the numbers; they never change their meaning.
 */
import { dismissedExitCode, journalHeldExitCode } from '../shared/os/exit-codes.js'
import { type ErrorCode, GTStoreError } from '../shared/protocol/errors.js'

export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  keyNotFound: 3,
  conditionFailed: 4,
  quorumUnavailable: 5,
  cannotConnect: 6,
  timeout: 7,
  /** `run manager`, while another process is the manager (shared/os/exit-codes.ts). */
  anotherManager: journalHeldExitCode,
  /** `run node`, of a node that a command took out of the swarm. */
  dismissed: dismissedExitCode,
  interrupted: 130,
} as const

/** A failure that the command itself found; `next` says what to do about it. */
export class CommandError extends Error {
  readonly exitCode: number
  readonly next: string

  constructor(exitCode: number, message: string, next: string) {
    super(message)
    this.exitCode = exitCode
    this.next = next
  }
}

export interface Failure {
  readonly code: string
  readonly exitCode: number
  readonly message: string
  readonly next: string
  readonly definite: boolean
  /** Of a condition that failed: the version that the key has; absent where it is missing. */
  readonly version?: string | undefined
}

const advice: { readonly [C in ErrorCode]: readonly [exitCode: number, next: string] } = {
  FORMING: [exitCodes.quorumUnavailable, 'add nodes with `gtstore node add`, then try again'],
  QUORUM_UNAVAILABLE: [
    exitCodes.quorumUnavailable,
    'look for nodes that are down with `gtstore status`, then try again',
  ],
  TIMEOUT: [exitCodes.timeout, 'see `gtstore status`, then try again, with a longer --timeout'],
  CANNOT_CONNECT: [
    exitCodes.cannotConnect,
    '`gtstore doctor` looks for what is wrong, `gtstore up` starts a swarm that is down',
  ],
  INVALID_ARGUMENT: [exitCodes.usage, 'see the limits with `gtstore help` and correct the call'],
  TOO_LARGE: [
    exitCodes.usage,
    'split it, or choose a higher `up --value-bytes-max` for a new swarm',
  ],
  OVERLOADED: [exitCodes.failure, 'try again with fewer requests at once'],
  STOPPING: [exitCodes.failure, 'wait until it has stopped, start it with `gtstore up`'],
  CLOSED: [exitCodes.failure, 'try again'],
  ABORTED: [exitCodes.interrupted, 'try again'],
  EXPIRED: [exitCodes.failure, 'try again'],
  DISK_FULL: [
    exitCodes.failure,
    'make room on the disk of the data directory; writes go on by themselves',
  ],
  STORAGE_FAILED: [exitCodes.failure, 'check disk and free space: `gtstore doctor`'],
  VERSION_MISMATCH: [
    exitCodes.failure,
    'use the gtstore that wrote the data, or start anew with `gtstore down --volumes`',
  ],
  CHANGE_REFUSED: [exitCodes.failure, 'see nodes and changes with `gtstore status`'],
  NOT_FOUND: [exitCodes.failure, 'see what there is with `gtstore status`'],
  CONDITION_FAILED: [exitCodes.conditionFailed, 'get the key, and decide anew by what it holds'],
  UNSUPPORTED: [
    exitCodes.usage,
    'leave it out, or make a swarm in the mode that has it: see `gtstore up --help`',
  ],
  TOO_MANY_SIBLINGS: [exitCodes.failure, 'get the key, and put with the context that it gives'],
}

/** Tried again unseen, a put of siblings would be a second value, and a condition met by its own write. */
const unsureAdvice = 'see what came of it (`gtstore get`, `gtstore status`) before trying again'

export function describeFailure(error: unknown): Failure {
  if (error instanceof CommandError) {
    const { exitCode, message, next } = error
    return { code: commandCodes[exitCode] ?? 'FAILURE', exitCode, message, next, definite: true }
  }
  if (error instanceof GTStoreError) {
    const [exitCode, again] = advice[error.code]
    const { code, message, definite, version } = error
    const next = definite ? again : unsureAdvice
    return { code, exitCode, message, next, definite, version }
  }
  return unexpected(error)
}

/** What a CommandError is called in JSON. */
const commandCodes: Readonly<Record<number, string>> = {
  [exitCodes.usage]: 'USAGE',
  [exitCodes.keyNotFound]: 'KEY_NOT_FOUND',
  [exitCodes.cannotConnect]: 'CANNOT_CONNECT',
}

/** What the host refused (a file, a directory), and our own mistakes. */
function unexpected(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNEXPECTED'
  const next = 'run `gtstore doctor`; `gtstore logs` shows what the processes say'
  return { code, exitCode: exitCodes.failure, message, next, definite: true }
}
