/**
 * What must be copied when one placement follows another: one walk over the tokens of both, arc by
 * arc, comparing the owners before and after.
 *
 * A gainer that takes the place of one loser copies from exactly that one: an acknowledged write then
 * has as many copies after the change as before it. Where there is no such pair (the loser is dead,
 * more gainers than losers, another N), the gainer merges from so many old owners that one of them
 * has every acknowledged write: a write may be missing on N - W of them, so N - W + 1 are needed. And
 * where the new quorums forgive fewer missing copies than the old ones did, an owner that stays may
 * lack a write that the new readers would count on: then every new owner merges.
 */
import { type SharedArc, sharedArcs } from './arcs.js'
import type { NodeId, Placement, Transfer } from './description.js'
import { preferenceLists } from './preference.js'
import { coveringOwners, effectiveQuorums } from './ring.js'

type Draft = { -readonly [K in keyof Transfer]: Transfer[K] }
type Copy = Omit<Transfer, 'from' | 'to'>

/**
 * The transfers from `current` to `next`, in ascending order of ranges. `needed` may exceed the number
 * of sources, where too few old owners live: such a change cannot complete before one returns. Nodes
 * that are given up, with what only they may hold, are not waited for; other dead owners are, since
 * they may hold what the given up ones held.
 */
export function planTransfers(
  current: Placement,
  next: Placement,
  isAlive: (node: NodeId) => boolean,
  isGivenUp: (node: NodeId) => boolean = () => false,
): Transfer[] {
  const owners = preferenceLists(current)
  const nextOwners = preferenceLists(next)
  const before = effectiveQuorums(current)
  const after = effectiveQuorums(next)
  const contributors = coveringOwners(before)
  const forgivesLess = after.n - after.w < before.n - before.w
  const merge = new ArcMerge()
  for (const arc of sharedArcs(current, next)) {
    const old = owners[arc.index] ?? []
    const fresh = nextOwners[arc.nextIndex] ?? []
    // A ring that nobody owned holds nothing to copy.
    if (old.length === 0) continue
    merge.add(arc, copiesFor(old, fresh, { contributors, forgivesLess, isAlive, isGivenUp }))
  }
  return merge.finish()
}

interface Rules {
  readonly contributors: number
  readonly forgivesLess: boolean
  readonly isAlive: (node: NodeId) => boolean
  readonly isGivenUp: (node: NodeId) => boolean
}

/** What the new owners of one arc must copy. */
function copiesFor(old: readonly NodeId[], fresh: readonly NodeId[], rules: Rules): Copy[] {
  const gainers = fresh.filter((node) => !old.includes(node))
  const losers = old.filter((node) => !fresh.includes(node))
  const paired = gainers.length === losers.length && !rules.forgivesLess
  const copies: Copy[] = []
  for (const gainer of rules.forgivesLess ? fresh : gainers) {
    const wipe = !old.includes(gainer)
    const loser = paired ? losers[gainers.indexOf(gainer)] : undefined
    if (loser !== undefined && rules.isAlive(loser)) {
      copies.push({ gainer, sources: [loser], needed: 1, wipe })
      continue
    }
    const sources = old.filter((node) => node !== gainer && rules.isAlive(node))
    const wanted = wipe ? rules.contributors : rules.contributors - 1
    const left = old.filter((node) => node !== gainer && !rules.isGivenUp(node))
    const needed = Math.min(wanted, left.length)
    if (wanted > 0) copies.push({ gainer, sources, needed, wipe })
  }
  return copies
}

/** Joins what adjacent arcs copy alike, wrap-around included. */
class ArcMerge {
  readonly #transfers: Draft[] = []
  /** Of the arc before: those that may still grow. */
  #open: Draft[] = []

  add(arc: SharedArc, copies: readonly Copy[]): void {
    this.#open = copies.map((copy) => {
      const grows = this.#open.find((draft) => draft.to === arc.from && sameCopy(draft, copy))
      const draft = grows ?? { from: arc.from, to: arc.to, ...copy }
      draft.to = arc.to
      if (grows === undefined) this.#transfers.push(draft)
      return draft
    })
  }

  /** The last arc ends where the first begins. */
  finish(): Transfer[] {
    const [first] = this.#transfers
    const heads = this.#transfers.filter((draft) => draft.from === first?.from)
    const joined = new Set<Draft>()
    for (const tail of this.#open) {
      const head = heads.find((draft) => draft.from === tail.to && sameCopy(draft, tail))
      if (head === undefined || head === tail) continue
      head.from = tail.from
      joined.add(tail)
    }
    return this.#transfers.filter((draft) => !joined.has(draft))
  }
}

function sameCopy(a: Copy, b: Copy): boolean {
  return (
    a.gainer === b.gainer &&
    a.needed === b.needed &&
    a.wipe === b.wipe &&
    a.sources.length === b.sources.length &&
    a.sources.every((node, i) => node === b.sources[i])
  )
}
