/**
 * What the clients asked and what they were told, in the order in which the run saw it. Calls and
 * returns are numbered by one counter, so that the checkers need no clock.
 */
import { compareVersions, formatVersion, type Version } from '../shared/data/version.js'
import type { GTStoreError } from '../shared/protocol/errors.js'
import { byKey, type Operation } from './checkers/operation.js'
import type { VersionedValue } from './checkers/versions.js'

export interface Recorded {
  readonly operation: Operation
  /** The deadline was made short on purpose: it may fail. */
  readonly hasty: boolean
  /** Abandoned: the client died. */
  readonly outcome: 'pending' | 'ok' | 'definite' | 'indefinite' | 'abandoned'
  readonly error: GTStoreError | undefined
  /** Of a write that was refused: what it met, null for nothing. */
  readonly met?: Version | null | undefined
  /** What a write made, where the client was told. */
  readonly version?: Version | undefined
}

/** What a client asks. */
export type Asking = Pick<Operation, 'client' | 'kind' | 'key' | 'value' | 'asked' | 'seen'>

/** What a client was told; nothing of it where a call failed. */
export interface Told {
  /** What a get read; in mode `siblings` all that it read. */
  readonly value?: string | undefined
  readonly values?: readonly string[] | undefined
  /** Of what was read, or written. */
  readonly version?: Version | undefined
  /** What the write asked did not hold: it met this version, null for a missing key. */
  readonly met?: Version | null | undefined
}

export type EndOfCall = (error: GTStoreError | undefined, told?: Told) => void

export class History {
  readonly #records: Recorded[] = []
  readonly #versions: VersionedValue[] = []
  #clock = 0
  #refused = 0

  get records(): readonly Recorded[] {
    return this.#records
  }

  /** The versions that clients were told. */
  get versions(): readonly VersionedValue[] {
    return this.#versions
  }

  /** Calls that happened or may have. */
  get attempted(): number {
    return this.#records.length - this.#refused
  }

  count(outcome: Recorded['outcome']): number {
    return this.#records.filter((record) => record.outcome === outcome).length
  }

  /** A call begins; the returned function ends it. */
  begin(call: Asking, hasty: boolean): EndOfCall {
    const called = ++this.#clock
    const operation = { ...call, called, returned: Number.POSITIVE_INFINITY }
    const index = this.#records.length
    this.#records.push({ operation, hasty, outcome: 'pending', error: undefined })
    return (error, told = {}) => {
      if (this.#records[index]?.outcome !== 'pending') throw new Error('a call was answered twice')
      const returned = ++this.#clock
      if (error !== undefined) {
        const outcome = error.definite ? 'definite' : 'indefinite'
        this.#records[index] = { operation, hasty, outcome, error }
        if (error.definite) this.#refused++
        return
      }
      const outcome = 'ok'
      const { met, version } = told
      const answered = { ...answeredBy(operation, told), returned }
      this.#records[index] = { operation: answered, hasty, outcome, error: undefined, met, version }
      this.#noteVersion(answered, told)
    }
  }

  /** The client died: what it still waited for may have happened, and nobody will ever know. */
  abandon(client: string): void {
    for (const [index, record] of this.#records.entries()) {
      if (record.outcome !== 'pending' || record.operation.client !== client) continue
      this.#records[index] = { ...record, outcome: 'abandoned' }
    }
  }

  /** For the checkers: what surely did not happen is left out. */
  operations(): Operation[] {
    const values = new Map<string, string>()
    const nameOf = (key: string, version: Version) => `${key} ${formatVersion(version)}`
    for (const { key, value, version } of this.#versions) values.set(nameOf(key, version), value)
    const orders = this.#orders()
    return this.#records
      .filter(({ outcome }) => outcome !== 'definite')
      .map(({ operation, met }) => {
        if (met === undefined) return { ...operation, order: orders.get(operation) }
        const value = met === null ? undefined : values.get(nameOf(operation.key, met))
        // Of a version that nobody else was told of the value is not known.
        return met !== null && value === undefined ? operation : { ...operation, met: { value } }
      })
  }

  /** Of each write whose version somebody was told of, among those of its key. */
  #orders(): ReadonlyMap<Operation, number> {
    const told = new Map(
      this.#versions.map(({ key, value, version }) => [`${key} ${value}`, version]),
    )
    const written = this.#records.flatMap(({ operation, met, version }) => {
      const { kind, key, value } = operation
      const made = version ?? told.get(`${key} ${value}`)
      const isKnown = kind !== 'get' && met === undefined && made !== undefined
      return isKnown ? [{ operation, key, made }] : []
    })
    const orders = new Map<Operation, number>()
    for (const ofKey of byKey(written).values()) {
      ofKey.sort((a, b) => compareVersions(a.made, b.made))
      for (const [order, { operation }] of ofKey.entries()) orders.set(operation, order)
    }
    return orders
  }

  #noteVersion({ kind, key, value }: Operation, { version, met }: Told): void {
    if (version === undefined || value === undefined || met !== undefined) return
    if (kind !== 'delete') this.#versions.push({ key, value, version })
  }
}

function answeredBy(operation: Operation, { value, values, met }: Told): Operation {
  if (operation.kind === 'get') return { ...operation, value, ...(values && { values }) }
  return met === undefined ? operation : { ...operation, refused: true }
}
