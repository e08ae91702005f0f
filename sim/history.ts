/**
 * What the clients asked and what they were told, in the order in which the run saw it. Calls and
 * returns are numbered by one counter, so that the checker needs no clock.
 */
import type { GTStoreError } from '../shared/protocol/errors.js'
import type { Operation } from './checkers/operation.js'

export interface Recorded {
  readonly operation: Operation
  /** The deadline was made short on purpose: it may fail. */
  readonly hasty: boolean
  /** Abandoned: the client died. */
  readonly outcome: 'pending' | 'ok' | 'definite' | 'indefinite' | 'abandoned'
  readonly error: GTStoreError | undefined
}

export class History {
  readonly #records: Recorded[] = []
  #clock = 0
  #refused = 0

  get records(): readonly Recorded[] {
    return this.#records
  }

  /** Calls that happened or may have. */
  get attempted(): number {
    return this.#records.length - this.#refused
  }

  count(outcome: Recorded['outcome']): number {
    return this.#records.filter((record) => record.outcome === outcome).length
  }

  /** A call begins; the returned function ends it, with what was read if it was a get. */
  begin(
    call: Pick<Operation, 'client' | 'kind' | 'key' | 'value'>,
    hasty: boolean,
  ): (error: GTStoreError | undefined, read?: string) => void {
    const called = ++this.#clock
    const operation = { ...call, called, returned: Number.POSITIVE_INFINITY }
    const index = this.#records.length
    this.#records.push({ operation, hasty, outcome: 'pending', error: undefined })
    return (error, read) => {
      if (this.#records[index]?.outcome !== 'pending') throw new Error('a call was answered twice')
      const returned = ++this.#clock
      if (error !== undefined) {
        const outcome = error.definite ? 'definite' : 'indefinite'
        this.#records[index] = { operation, hasty, outcome, error }
        if (error.definite) this.#refused++
        return
      }
      const value = call.kind === 'get' ? read : call.value
      this.#records[index] = {
        operation: { ...operation, value, returned },
        hasty,
        outcome: 'ok',
        error: undefined,
      }
    }
  }

  /** The client died: what it still waited for may have happened, and nobody will ever know. */
  abandon(client: string): void {
    for (const [index, record] of this.#records.entries()) {
      if (record.outcome !== 'pending' || record.operation.client !== client) continue
      this.#records[index] = { ...record, outcome: 'abandoned' }
    }
  }

  /** For the checker: what surely did not happen is left out. */
  operations(): Operation[] {
    return this.#records
      .filter(({ outcome }) => outcome !== 'definite')
      .map(({ operation }) => operation)
  }
}
