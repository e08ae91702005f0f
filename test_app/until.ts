/** Waiting for what only shows in a report: asks again until it is so, and says what it saw last. */
import { setTimeout as pause } from 'node:timers/promises'

/** Between two looks: short against a membership change, long against the cost of a status. */
const pauseMs = 25

/** Thrown by a look after which there is nothing to wait for. */
export class Hopeless extends Error {
  override readonly name = 'Hopeless'
}

/** Resolves to the first truthy answer; a rejected one counts as none, unless it is Hopeless. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const found = await look()
      if (found) return found
      last = found
    } catch (error) {
      if (error instanceof Hopeless) throw error
      last = error
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: last })
    }
    await pause(pauseMs)
  }
}
