/** What a write asks for besides its value, from the words of the library to those of the protocol. */

import type { Condition, Mode } from '../shared/data/mode.js'
import { parseVersion } from '../shared/data/version.js'
import type { Millis } from '../shared/runtime/runtime.js'
import type { PutOptions } from './api.js'
import { contextBytes } from './contexts.js'
import type { PutOptions as CoreOptions } from './core.js'
import { contextRefusal, invalid, shown } from './refusals.js'

/** Of a write of this key. The usual put asks for nothing: its options go on as they are. Throws INVALID_ARGUMENT. */
export function wishOf(key: Uint8Array, options: PutOptions, mode: Mode): CoreOptions {
  const { ifAbsent, ifPresent, ifVersion, context } = options
  const isPlain =
    ifAbsent === undefined &&
    ifPresent === undefined &&
    ifVersion === undefined &&
    context === undefined
  if (isPlain) return options as { readonly w?: number; readonly timeoutMs?: Millis }
  // Before the context is read: in a mode that has none it is wrong as a whole.
  if (context !== undefined && mode !== 'siblings') throw contextRefusal(mode)
  return {
    w: options.w,
    timeoutMs: options.timeoutMs,
    condition: conditionOf(options),
    context: context === undefined ? undefined : contextBytes(key, context),
  }
}

function conditionOf({ ifAbsent, ifPresent, ifVersion }: PutOptions): Condition | undefined {
  const asked: Condition[] = []
  if (isTrue('ifAbsent', ifAbsent)) asked.push({ is: 'absent' })
  if (isTrue('ifPresent', ifPresent)) asked.push({ is: 'present' })
  if (ifVersion !== undefined) {
    const version = typeof ifVersion === 'string' ? parseVersion(ifVersion) : undefined
    if (version === undefined)
      throw invalid(`ifVersion is ${shown(ifVersion)}, not a version of a get`)
    asked.push({ is: 'version', version })
  }
  if (asked.length > 1) throw invalid('of ifAbsent, ifPresent and ifVersion only one can be asked')
  return asked[0]
}

function isTrue(name: string, value: boolean | undefined): boolean {
  if (value === undefined || typeof value === 'boolean') return value === true
  throw invalid(`${name} is ${shown(value)}, neither true nor false`)
}
