/** Signals that give calls up, and the check of the options that hold them. */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Cancel } from './core.js'

/** Of any realm, so by what it does. */
function isSignal(signal: unknown): signal is AbortSignal {
  if (typeof signal !== 'object' || signal === null) return false
  return 'aborted' in signal && 'addEventListener' in signal
}

/**
 * Whoever writes plain JavaScript has no compiler to tell them. Looked at before anything is sent:
 * a call that fails afterwards would take effect all the same.
 */
export function checkOptions(options: { readonly signal?: AbortSignal | undefined }): void {
  if (typeof options !== 'object' || options === null) {
    throw new GTStoreError('INVALID_ARGUMENT', `the options are ${options}, not an object`)
  }
  const { signal } = options
  if (signal === undefined || isSignal(signal)) return
  const message = 'signal is not an AbortSignal; of an AbortController pass its `signal`'
  throw new GTStoreError('INVALID_ARGUMENT', message)
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
