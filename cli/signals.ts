/**
 * Signals that end a command in an orderly way: the first one asks it to end, the second one to
 * hurry. SIGHUP counts: a swarm in the foreground must not outlive its terminal. A command that has
 * nothing to put in order ends at once, with the exit code that shells expect.
 */
import { setMaxListeners } from 'node:events'
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { hurryAfterMs } from './limits.js'

const names: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

export interface Signals {
  readonly first: AbortSignal
  readonly second: AbortSignal
  /** Which one was first. */
  readonly received: NodeJS.Signals | undefined
  /** Settles with the first. */
  readonly arrived: Promise<void>
}

let terminalIsGone = false

export function endOnSignals(): void {
  process.on('SIGHUP', () => {
    terminalIsGone = true
  })
  for (const name of names) process.on(name, endNow)
}

function endNow(signal: NodeJS.Signals): void {
  exit(signalExitCode(signal))
}

/** Node.js aborts when it resets a terminal that is gone, unless its descriptors were closed. */
export function exit(exitCode: number): never {
  for (const descriptor of terminalIsGone ? [0, 1, 2] : []) {
    try {
      closeSync(descriptor)
    } catch {
      // It was closed already.
    }
  }
  process.exit(exitCode)
}

/** From here on the caller decides what a signal does. */
export function catchSignals(): Signals {
  const first = new AbortController()
  const second = new AbortController()
  // Whoever waits listens: a repair does for each of its nodes.
  setMaxListeners(0, first.signal, second.signal)
  let received: NodeJS.Signals | undefined
  let receivedAt = 0
  const caught = (signal: NodeJS.Signals) => {
    if (received === undefined) receivedAt = performance.now()
    else if (performance.now() - receivedAt > hurryAfterMs) second.abort()
    received ??= signal
    first.abort()
  }
  for (const name of names) process.off(name, endNow).on(name, caught)
  return {
    first: first.signal,
    second: second.signal,
    get received() {
      return received
    },
    arrived: new Promise((resolve) => {
      first.signal.addEventListener('abort', () => resolve(), { once: true })
    }),
  }
}

/** 128 + the signal's number, as shells report it. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
