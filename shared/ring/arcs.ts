/**
 * Two placements laid over each other: the tokens of both cut the ring into arcs, and within one arc
 * neither placement changes its owners. One walk with two pointers finds them all.
 */
import type { Placement, Token } from './description.js'

/** The range (from, to], wrapping; from === to is the whole ring. */
export interface SharedArc {
  readonly from: Token
  readonly to: Token
  /** Index of the vnode of each placement that the arc belongs to; -1 in an empty placement. */
  readonly index: number
  readonly nextIndex: number
}

/** The arcs in ascending order of `to`; none only if both placements are empty. */
export function sharedArcs(placement: Placement, next: Placement): SharedArc[] {
  const tokens = placement.tokens
  const nextTokens = next.tokens
  const arcs: SharedArc[] = []
  let from = Math.max(tokens.at(-1) ?? -1, nextTokens.at(-1) ?? -1)
  let i = 0
  let j = 0
  while (i < tokens.length || j < nextTokens.length) {
    const to = Math.min(tokens[i] ?? Infinity, nextTokens[j] ?? Infinity)
    arcs.push({ from, to, index: vnodeAt(i, tokens), nextIndex: vnodeAt(j, nextTokens) })
    if (tokens[i] === to) i++
    if (nextTokens[j] === to) j++
    from = to
  }
  return arcs
}

/** Past the last token the ring wraps to its first vnode. */
function vnodeAt(pointer: number, tokens: readonly Token[]): number {
  if (tokens.length === 0) return -1
  return pointer === tokens.length ? 0 : pointer
}
