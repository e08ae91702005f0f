/**
 * Is a history of one key linearizable? By search, with what was tried remembered (Wing and Gong, "Testing
 * and verifying concurrent objects"; Lowe, "Testing for linearizability"). Every write has a value of its own.
 */
import type { Condition } from '../../shared/data/mode.js'
import { formatVersion } from '../../shared/data/version.js'

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
  versions: ReadonlyMap<string, string>,
): boolean {
  const all = [...operations].sort((a, b) => a.begun - b.begun)
  const tried = new Set<string>()
  const needed = all.filter(({ ended }) => ended !== Number.POSITIVE_INFINITY).length

  const search = (done: ReadonlySet<Operation>, count: number, state: State): boolean => {
    if (count === needed) return true
    const place = `${all.map((each) => (done.has(each) ? 1 : 0)).join('')} ${state?.name}`
    if (tried.has(place)) return false
    tried.add(place)
    const left = all.filter((each) => !done.has(each))
    const firstEnd = Math.min(...left.map(({ ended }) => ended))
    for (const each of left) {
      if (each.begun > firstEnd) break
      for (const next of after(each, state, versions)) {
        const isNeeded = each.ended !== Number.POSITIVE_INFINITY
        if (search(new Set([...done, each]), count + (isNeeded ? 1 : 0), next)) return true
      }
    }
    return false
  }
  return search(new Set(), 0, undefined)
}

/** The write that the key has; undefined: none yet. */
type State = Operation | undefined

/** The states that the operation may leave; none: it cannot have happened here. */
function after(
  { kind, value, condition, result, ...rest }: Operation,
  state: State,
  versions: ReadonlyMap<string, string>,
): State[] {
  const held = state?.value ?? null
  if (kind === 'get') return held === value ? [state] : []
  const met = held === null || state === undefined ? undefined : versions.get(state.name)
  const holds =
    condition === null ||
    (condition.is === 'absent' && held === null) ||
    (condition.is === 'present' && held !== null) ||
    (condition.is === 'version' && met === formatVersion(condition.version))
  if (result !== undefined && holds !== (result === 'ok')) return []
  return [holds ? { kind, value, condition, result, ...rest } : state]
}
