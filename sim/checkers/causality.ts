/**
 * Is a history of siblings causal: does each write supersede exactly what the writer had seen?
 *
 * A write carries the context of a get, so it supersedes the values which that get returned, and what
 * these had superseded before: its past. Nothing else may take a value away. From that follows what a
 * get may return, by what was surely known when it was called:
 *
 * - every value was written, once, by a write that was called before the get returned;
 * - no two values of which one is in the past of the other;
 * - no value that was known to be superseded when the get was called: by a write that was acknowledged,
 *   or since an earlier get had returned a value with it in its past, or no longer returned it;
 * - every value that was known when the get was called (acknowledged, or returned by an earlier get), or
 *   else something that superseded it. The first write that did must have had it before its eyes: the
 *   context of no other covers it. That write's own value is there in turn, or superseded, or it was a
 *   delete.
 *
 * So it holds of a register of which every get sees what any earlier one saw: with R + W > N. The sweep
 * goes through calls and returns in order of time. Operations that surely did not happen do not belong
 * in the history; writes without an answer may happen at any time after their call.
 *
 * Source: Preguiça, Baquero et al., Dotted Version Vectors (2010), for what a context covers.
 */
import { byKey, type Operation } from './operation.js'

export interface CausalViolation {
  readonly key: string
  readonly explanation: string
}

export interface CausalOptions {
  /**
   * So many writers, each of which gets a key and waits for the answer before it puts there, with that
   * context: no key has more siblings, but for puts without an answer.
   */
  readonly writers?: number | undefined
}

/** The first key whose history is not causal; undefined if all are. */
export function findCausalViolation(
  history: readonly Operation[],
  options: CausalOptions = {},
): CausalViolation | undefined {
  for (const [key, operations] of byKey(history)) {
    const problem = new Sweep(operations, options).run()
    if (problem !== undefined) {
      return { key, explanation: `key ${key} is not causal: ${problem}` }
    }
  }
  return undefined
}

interface Moment {
  readonly time: number
  readonly operation: Operation
  readonly isCall: boolean
}

const nothing: readonly string[] = []

class Sweep {
  readonly #moments: readonly Moment[]
  readonly #options: CausalOptions
  readonly #puts = new Map<string, Operation>()
  /** The writes that had seen a value. */
  readonly #superseders = new Map<string, Operation[]>()
  /** Known, and not known to be superseded. */
  readonly #live = new Set<string>()
  /** Since when each value is known to be superseded, and why. */
  readonly #dead = new Map<string, { readonly since: number; readonly why: string }>()
  /** What was live when a get that is under way was called. */
  readonly #expected = new Map<Operation, readonly string[]>()

  constructor(operations: readonly Operation[], options: CausalOptions) {
    this.#options = options
    this.#moments = momentsOf(operations)
    for (const operation of operations) {
      if (operation.kind === 'put') this.#addPut(operation)
      for (const value of seenBy(operation)) {
        this.#superseders.set(value, [...(this.#superseders.get(value) ?? []), operation])
      }
    }
  }

  /** What is wrong, in words; undefined if nothing is. */
  run(): string | undefined {
    for (const { operation, isCall } of this.#moments) {
      const { kind } = operation
      if (kind === 'get' && isCall) this.#expected.set(operation, [...this.#live])
      else if (kind === 'get') {
        const problem = this.#problemOf(operation)
        if (problem !== undefined) return `${describe(operation)} ${problem}`
        this.#learn(operation)
      } else if (!isCall) this.#acknowledged(operation)
    }
    return undefined
  }

  #addPut(operation: Operation): void {
    const value = operation.value ?? ''
    if (this.#puts.has(value)) throw new Error(`the value ${value} was written twice`)
    this.#puts.set(value, operation)
  }

  #problemOf(get: Operation): string | undefined {
    const values = readBy(get)
    const past = this.#pastOf(values, get.called)
    for (const [index, value] of values.entries()) {
      const put = this.#puts.get(value)
      if (put === undefined || put.called > get.returned) return `read ${value}, which nobody wrote`
      if (values.indexOf(value) !== index) return `read ${value} twice: one write had two effects`
      const dead = this.#dead.get(value)
      if (dead !== undefined && dead.since < get.called) return `brought ${value} back: ${dead.why}`
      const by = past.get(value)
      if (by !== undefined) return `read ${value} beside ${by}, which superseded it`
    }
    const accounts = new Map(values.map((value) => [value, true]))
    for (const value of this.#expected.get(get) ?? nothing) {
      if (this.#isAccounted(value, get, accounts)) continue
      const by = (this.#superseders.get(value) ?? []).filter(({ called }) => called < get.returned)
      const suspects = by.length === 0 ? 'none had seen it' : by.map(describe).join('; ')
      return `lost ${value}, which it neither read nor found superseded (writes that had: ${suspects})`
    }
    return this.#tooMany(get)
  }

  /** What the values superseded, each with one of those that did; what was dead before is left out. */
  #pastOf(values: readonly string[], before: number): ReadonlyMap<string, string> {
    const past = new Map<string, string>()
    const left = values.map((value) => ({ value, by: value }))
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { value, by } = next
      const put = this.#puts.get(value)
      for (const older of put === undefined ? nothing : seenBy(put)) {
        const since = this.#dead.get(older)?.since ?? Number.POSITIVE_INFINITY
        if (past.has(older) || since < before) continue
        past.set(older, by)
        left.push({ value: older, by })
      }
    }
    return past
  }

  /** It was read, or a write that had seen it was, or that write was superseded in turn. */
  #isAccounted(value: string, get: Operation, accounts: Map<string, boolean>): boolean {
    const known = accounts.get(value)
    if (known !== undefined) return known
    accounts.set(value, false)
    const superseders = this.#superseders.get(value) ?? []
    const is = superseders.some(
      ({ kind, value: written = '', called }) =>
        called < get.returned && (kind === 'delete' || this.#isAccounted(written, get, accounts)),
    )
    accounts.set(value, is)
    return is
  }

  #tooMany(get: Operation): string | undefined {
    const { writers } = this.#options
    if (writers === undefined) return undefined
    let unanswered = 0
    for (const { called, returned } of this.#puts.values()) {
      if (called < get.returned && returned === Number.POSITIVE_INFINITY) unanswered++
    }
    const count = readBy(get).length
    if (count <= writers + unanswered) return undefined
    return `read ${count} siblings of ${writers} writers and ${unanswered} puts without an answer`
  }

  /** Who is called from now on must find as much. */
  #learn(get: Operation): void {
    const values = readBy(get)
    for (const value of this.#expected.get(get) ?? nothing) {
      if (!values.includes(value)) this.#bury(value, get.returned, `${describe(get)} lacks it`)
    }
    this.#expected.delete(get)
    for (const value of values) {
      if (!this.#dead.has(value)) this.#live.add(value)
      const put = this.#puts.get(value)
      if (put !== undefined) this.#burySeen(put, get.returned, `${describe(get)} read ${value}`)
    }
  }

  #acknowledged(write: Operation): void {
    const { kind, value = '', returned } = write
    if (kind === 'put' && !this.#dead.has(value)) this.#live.add(value)
    this.#burySeen(write, returned, `${describe(write)} had seen it`)
  }

  #burySeen(write: Operation, since: number, why: string): void {
    for (const value of seenBy(write)) this.#bury(value, since, why)
  }

  /** With its past. */
  #bury(value: string, since: number, why: string): void {
    const left = [value]
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      this.#live.delete(next)
      if (this.#dead.has(next)) continue
      this.#dead.set(next, { since, why })
      const put = this.#puts.get(next)
      if (put !== undefined) left.push(...seenBy(put))
    }
  }
}

function momentsOf(operations: readonly Operation[]): Moment[] {
  const moments = operations.flatMap((operation): Moment[] => [
    { time: operation.called, operation, isCall: true },
    { time: operation.returned, operation, isCall: false },
  ])
  return moments
    .filter(({ time }) => time !== Number.POSITIVE_INFINITY)
    .sort((a, b) => a.time - b.time || Number(b.isCall) - Number(a.isCall))
}

function seenBy({ kind, seen }: Operation): readonly string[] {
  return kind === 'get' ? nothing : (seen ?? nothing)
}

function readBy({ values }: Operation): readonly string[] {
  return values ?? nothing
}

/** `c1 put v7 after {v1, v2} [12, 19]`. */
function describe(operation: Operation): string {
  const { client, kind, value, called, returned } = operation
  const end = returned === Number.POSITIVE_INFINITY ? 'no answer' : `${returned}`
  const read = kind === 'get' ? ` -> {${readBy(operation).join(', ')}}` : ` ${value ?? ''}`
  const seen = kind === 'get' ? '' : ` after {${seenBy(operation).join(', ')}}`
  return `${client} ${kind}${read}${seen} [${called}, ${end}]`.replace('  ', ' ')
}
