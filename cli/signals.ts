/**
 * Signals that end a command in an orderly way: the first one asks it to end, the second one to
 * hurry. SIGHUP counts: a swarm in the foreground must not outlive its terminal. A command that has
 * nothing to put in order ends at once, with the exit code that shells expect.
 */
import { constants } from 'node:os'

const names: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

export interface Signals {
  readonly first: AbortSignal
  readonly second: AbortSignal
  /** Which one was first. */
  readonly received: NodeJS.Signals | undefined
  /** Settles with the first. */
  readonly arrived: Promise<void>
}

export function endOnSignals(): void {
  for (const name of names) process.on(name, endNow)
}

function endNow(signal: NodeJS.Signals): void {
  process.exit(signalExitCode(signal))
}

/** From here on the caller decides what a signal does. */
export function catchSignals(): Signals {
  const first = new AbortController()
  const second = new AbortController()
  let received: NodeJS.Signals | undefined
  const caught = (signal: NodeJS.Signals) => {
    if (received !== undefined) second.abort()
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
