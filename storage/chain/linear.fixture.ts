/**
 * Is a history of one key linearizable? By search (Wing and Gong, "Testing and verifying concurrent
 * objects", 1993), with what was tried remembered. Each write has a value of its own. Two things keep it
 * short: what changes nothing and fits now may as well happen now, and writes happen in the order of
 * their versions, which a chain promises.
 */
import type { Condition } from '../../shared/data/mode.js'
import { compareVersions, formatVersion, type Version } from '../../shared/data/version.js'

export interface Operation {
  readonly kind: 'get' | 'write'
  readonly begun: number
  /** Infinity: nobody knows whether it happened. */
  ended: number
  /** Written, or read; null: deleted, or missing. */
  value: string | null
  /** Tells writes apart, deletes too. */
  readonly name: string
  readonly condition: Condition | null
  /** Of a write: whether its condition held, if that is known. */
  result: 'ok' | 'failed' | undefined
}

/** `versions`: of writes by their names, as far as they became known. */
export function isLinearizable(
  operations: readonly Operation[],
  versions: ReadonlyMap<string, Version>,
): boolean {
  return new Search(operations, versions).from(new Set(), undefined)
}

/** The write that the key has; undefined: none yet. */
type State = Operation | undefined

class Search {
  private readonly operations: readonly Operation[]
  private readonly versions: ReadonlyMap<string, Version>
  private readonly tried = new Set<string>()

  constructor(operations: readonly Operation[], versions: ReadonlyMap<string, Version>) {
    this.operations = [...operations].sort((a, b) => a.begun - b.begun)
    this.versions = versions
  }

  from(done: ReadonlySet<Operation>, state: State): boolean {
    const left = this.operations.filter((each) => !done.has(each))
    if (left.every(({ ended }) => ended === Number.POSITIVE_INFINITY)) return true
    const place = `${this.operations.map((each) => (done.has(each) ? 1 : 0)).join('')} ${state?.name}`
    if (this.tried.has(place)) return false
    this.tried.add(place)
    const firstEnd = Math.min(...left.map(({ ended }) => ended))
    const possible = left.filter(({ begun }) => begun < firstEnd)
    const idle = possible.find((each) => this.isIdle(each, state))
    if (idle !== undefined) return this.from(new Set([...done, idle]), state)
    return possible
      .filter((each) => this.mayWrite(each, state) && this.isNext(each, left))
      .some((each) => this.from(new Set([...done, each]), each))
  }

  /** It fits here and changes nothing. */
  private isIdle(each: Operation, state: State): boolean {
    if (each.kind === 'get') return (state?.value ?? null) === each.value
    return each.result === 'failed' && !this.holds(each, state)
  }

  private mayWrite(each: Operation, state: State): boolean {
    return each.kind === 'write' && each.result !== 'failed' && this.holds(each, state)
  }

  /** No write with a lower version is left. */
  private isNext({ name }: Operation, left: readonly Operation[]): boolean {
    const mine = this.versions.get(name)
    if (mine === undefined) return true
    return left.every((other) => {
      const theirs = other.kind === 'write' ? this.versions.get(other.name) : undefined
      return theirs === undefined || compareVersions(theirs, mine) >= 0
    })
  }

  private holds({ condition }: Operation, state: State): boolean {
    const isThere = state !== undefined && state.value !== null
    if (condition === null) return true
    if (condition.is !== 'version') return isThere === (condition.is === 'present')
    const met = isThere ? this.versions.get(state.name) : undefined
    return met !== undefined && formatVersion(met) === formatVersion(condition.version)
  }
}
