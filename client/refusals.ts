/** What is wrong with a call, found before anything is sent: such errors are definite. */
import type { Condition, Mode } from '../shared/data/mode.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import { keyBytesMax, maxFlightMs } from '../shared/runtime/limits.js'
import type { Millis } from '../shared/runtime/runtime.js'
import type { Grant } from './registration.js'

/** What is wrong with any call, in any mode. */
export function callRefusal(
  { client, valueBytesMax, replicas, mode }: Grant,
  key: Uint8Array,
  value: Uint8Array | null,
  quorumName: 'r' | 'w',
  quorum: number | undefined,
  timeoutMs: Millis | undefined,
): GTStoreError | undefined {
  if (key.length === 0) return invalid('the key is empty')
  if (key.length > keyBytesMax)
    return tooLarge(`the key has ${key.length} bytes, the limit is ${keyBytesMax}`)
  if (value !== null && value.length > valueBytesMax) {
    const whose = client === 0 ? 'while nobody can be asked for it' : 'of this swarm'
    return tooLarge(`the value has ${value.length} bytes, the limit ${whose} is ${valueBytesMax}`)
  }
  if (quorum !== undefined) {
    const refusal = quorumRefusal(mode, quorumName, quorum, replicas)
    if (refusal !== undefined) return refusal
  }
  return timeoutMs === undefined ? undefined : timeoutRefusal(timeoutMs)
}

/** A write must not be on its way for longer than maxFlightMs; a time it had not would mislead. */
export function timeoutRefusal(timeoutMs: Millis): GTStoreError | undefined {
  if (typeof timeoutMs === 'number' && 1 <= timeoutMs && timeoutMs <= maxFlightMs) return undefined
  return invalid(`timeoutMs is ${shown(timeoutMs)}, it must be a number from 1 to ${maxFlightMs}`)
}

/** A chain may be shorter than N for a while: a number of members is not for the caller to ask. */
function quorumRefusal(
  mode: Mode,
  name: 'r' | 'w',
  quorum: number,
  replicas: number,
): GTStoreError | undefined {
  if (mode === 'chain') {
    const why = 'every member of the chain confirms a write, one answers a read'
    return unsupported(`${name} is for quorum replication: ${why}; leave it out`)
  }
  if (Number.isInteger(quorum) && 1 <= quorum && quorum <= replicas) return undefined
  return invalid(`${name} is ${shown(quorum)}, it must be a whole number from 1 to N=${replicas}`)
}

/** What only another mode has. */
export function modeRefusal(
  mode: Mode,
  condition: Condition | undefined,
  context: Uint8Array | undefined,
): GTStoreError | undefined {
  if (context !== undefined && mode !== 'siblings') return contextRefusal(mode)
  if (condition === undefined || condition.is === 'present' || mode === 'chain') return undefined
  const name = condition.is === 'absent' ? 'ifAbsent' : 'ifVersion'
  return unsupported(
    `${name} needs one process that decides: \`up --replication chain\` has it, mode ${mode} has not`,
  )
}

export function contextRefusal(mode: Mode): GTStoreError {
  return unsupported(
    `a context means nothing in mode ${mode}: \`up --conflicts siblings\` has them`,
  )
}

/** As it was given, for a message about it. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

export function invalid(message: string): GTStoreError {
  return new GTStoreError('INVALID_ARGUMENT', message)
}

function tooLarge(message: string): GTStoreError {
  return new GTStoreError('TOO_LARGE', message)
}

function unsupported(message: string): GTStoreError {
  return new GTStoreError('UNSUPPORTED', message)
}
