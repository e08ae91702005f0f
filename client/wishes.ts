/** What a write asks for besides its value, from the words of the library to those of the protocol. */

import { Malformed } from '../shared/data/byte-stream.js'
import type { Condition } from '../shared/data/mode.js'
import { parseContext } from '../shared/data/siblings.js'
import { parseVersion } from '../shared/data/version.js'
import type { Millis } from '../shared/runtime/runtime.js'
import type { PutOptions } from './api.js'
import type { PutOptions as CoreOptions } from './core.js'
import { invalid } from './refusals.js'

/** The usual put asks for nothing: its options go on as they are. Throws INVALID_ARGUMENT. */
export function wishOf(options: PutOptions): CoreOptions {
  const { ifAbsent, ifPresent, ifVersion, context } = options
  const isPlain =
    ifAbsent === undefined &&
    ifPresent === undefined &&
    ifVersion === undefined &&
    context === undefined &&
    !('condition' in options)
  if (isPlain) return options as { readonly w?: number; readonly timeoutMs?: Millis }
  return {
    w: options.w,
    timeoutMs: options.timeoutMs,
    condition: conditionOf(options),
    context: context === undefined ? undefined : contextBytes(context),
  }
}

function conditionOf({ ifAbsent, ifPresent, ifVersion }: PutOptions): Condition | undefined {
  const asked: Condition[] = []
  if (isTrue('ifAbsent', ifAbsent)) asked.push({ is: 'absent' })
  if (isTrue('ifPresent', ifPresent)) asked.push({ is: 'present' })
  if (ifVersion !== undefined) {
    const version = typeof ifVersion === 'string' ? parseVersion(ifVersion) : undefined
    if (version === undefined) throw invalid(`ifVersion is ${ifVersion}, not a version of a get`)
    asked.push({ is: 'version', version })
  }
  if (asked.length > 1) throw invalid('of ifAbsent, ifPresent and ifVersion only one can be asked')
  return asked[0]
}

function isTrue(name: string, value: boolean | undefined): boolean {
  if (value === undefined || typeof value === 'boolean') return value === true
  throw invalid(`${name} is ${value}, neither true nor false`)
}

function contextBytes(context: string): Uint8Array {
  const bytes = typeof context === 'string' ? Buffer.from(context, 'base64url') : undefined
  if (bytes !== undefined && bytes.toString('base64url') === context && isContext(bytes)) {
    return bytes
  }
  throw invalid('the context is not one that a get gave')
}

function isContext(bytes: Uint8Array): boolean {
  try {
    parseContext(bytes)
    return true
  } catch (error) {
    if (error instanceof Malformed) return false
    throw error
  }
}
