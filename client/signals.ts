/** Signals that give calls up. */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Cancel } from './core.js'

/** Of any realm, so by what it does. */
export function isSignal(signal: unknown): signal is AbortSignal {
  if (typeof signal !== 'object' || signal === null) return false
  return 'aborted' in signal && 'addEventListener' in signal
}

/** Calls `cancel` when the signal aborts; the result takes that back. */
export function cancelOn(
  signal: AbortSignal | undefined,
  cancel: Cancel,
): (() => void) | undefined {
  if (signal === undefined) return undefined
  const abort = () => cancel(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  return () => signal.removeEventListener('abort', abort)
}

export function aborted(what: string, signal: AbortSignal): GTStoreError {
  return new GTStoreError('ABORTED', `${what} was aborted`, { cause: signal.reason })
}
