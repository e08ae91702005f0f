/** Signals that give calls up: one listener of ours on each, however many calls it is for. */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Cancel } from './core.js'

/** Of any realm, so by what it does. */
export function isSignal(signal: unknown): signal is AbortSignal {
  if (typeof signal !== 'object' || signal === null) return false
  return 'aborted' in signal && 'addEventListener' in signal
}

interface Listening {
  readonly cancels: Set<Cancel>
  readonly listener: () => void
}

/** Those that some call waits with: with a listener for each call Node would warn of a leak. */
const listened = new WeakMap<AbortSignal, Listening>()

/** Calls `cancel` when the signal aborts; the result takes that back. */
export function cancelOn(
  signal: AbortSignal | undefined,
  cancel: Cancel,
): (() => void) | undefined {
  if (signal === undefined) return undefined
  const listening = listened.get(signal) ?? listenTo(signal)
  const { cancels, listener } = listening
  cancels.add(cancel)
  return () => {
    cancels.delete(cancel)
    if (cancels.size > 0 || listened.get(signal) !== listening) return
    listened.delete(signal)
    signal.removeEventListener('abort', listener)
  }
}

function listenTo(signal: AbortSignal): Listening {
  const cancels = new Set<Cancel>()
  const listener = () => {
    listened.delete(signal)
    for (const cancel of cancels) cancel(signal.reason)
  }
  const listening = { cancels, listener }
  listened.set(signal, listening)
  signal.addEventListener('abort', listener, { once: true })
  return listening
}

export function aborted(what: string, signal: AbortSignal): GTStoreError {
  return new GTStoreError('ABORTED', `${what} was aborted`, { cause: signal.reason })
}
