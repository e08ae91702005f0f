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
  /** Of a write: it may have happened, or may still. A read never ends so. */
  outcomeUnknown: 7,
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
  /** False: a write may have happened, or may still. Absent: all was done that was asked for. */
  readonly definite?: boolean
  /** Of a condition that failed alone: the version that the key has; null where it is missing. */
  readonly version?: string | null
}

const advice: { readonly [C in ErrorCode]: readonly [exitCode: number, next: string] } = {
  FORMING: [exitCodes.quorumUnavailable, 'add nodes with `gtstore node add`, then try again'],
  QUORUM_UNAVAILABLE: [
    exitCodes.quorumUnavailable,
    'look for nodes that are down with `gtstore status`, then try again',
  ],
  TIMEOUT: [
    exitCodes.quorumUnavailable,
    'see `gtstore status`, then try again, with a longer --timeout',
  ],
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
const seeFirst = 'see what came of it (`gtstore get`, `gtstore status`) before trying again'

export function describeFailure(error: unknown): Failure {
  if (error instanceof CommandError) {
    const { exitCode, message, next } = error
    return { code: commandCodes[exitCode] ?? 'FAILURE', exitCode, message, next, definite: true }
  }
  if (error instanceof GTStoreError) {
    const { code, message, definite, version = null } = error
    const [exitCode, next] = definite ? advice[code] : unsureAdvice(code)
    const failure = { code, exitCode, message, next, definite }
    return code === 'CONDITION_FAILED' ? { ...failure, version } : failure
  }
  return unexpected(error)
}

/** Whoever interrupts a write knows that; every other end with an unknown outcome is alike to scripts. */
function unsureAdvice(code: ErrorCode): readonly [exitCode: number, next: string] {
  const exitCode = code === 'ABORTED' ? exitCodes.interrupted : exitCodes.outcomeUnknown
  return [exitCode, seeFirst]
}

/** What a command that only reads fails with: an answer that is missing leaves nothing in doubt. */
export function ofRead(error: unknown): unknown {
  if (!(error instanceof GTStoreError) || error.definite) return error
  return new GTStoreError(error.code, error.message, { cause: error })
}

/** Stdout took not all of what the command said. `isDone`: it has done what it was asked for. */
export function outputLost(error: Error, isDone: boolean): Failure {
  const failure = {
    code: 'code' in error ? String(error.code) : 'UNEXPECTED',
    exitCode: exitCodes.failure,
    message: `cannot write to stdout: ${error.message}`,
    next: 'make room where the output goes',
  }
  if (!isDone) return failure
  return { ...failure, next: `the command has succeeded, only its output is lost: ${failure.next}` }
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
