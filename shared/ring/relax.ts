/**
 * The last step of a claim: boundaries between neighbouring vnodes shift until the shares are even
 * enough or the change has moved as much as it may.
 *
 * Shifting a boundary never changes the order of the vnodes, so each vnode keeps its owners, and the
 * effect on all shares is linear: what one side gains the other loses. The slope of the penalty names
 * the boundary where a shift pays most per point moved; the step is halved until it pays. This is
 * steepest descent by coordinates, on a convex function, so it does not get stuck.
 */
import type { Layout } from './layout.js'
import { tokenSpace } from './token.js'

/** Points that may still move. */
export interface Budget {
  primary: number
  copies: number
}

/** The budget is `factor` times the joiners' own shares: it grows and shrinks with these. */
export interface Allowance {
  readonly isJoiner: (node: number) => boolean
  readonly factor: number
}

/** Shifts tried at most. Beyond some ten dozen the gain of each is below anything that shows. */
const shiftsMax = 200
/**
 * A shift stops paying below this slope, in penalty per mean share: about what two nodes a few per
 * cent apart gain from each other. Moving data costs more than that is worth.
 */
const slopeMin = 8
/** No vnode gets narrower than this part of an average one: splinters only cost lookups and transfers. */
const narrowest = 0.25
/** A shift moves at most this part of an average vnode, and at least the other. */
const stepMax = 0.5
const stepMin = 1 / 256

interface Boundary {
  /** The vnode before the boundary; its token is the boundary. */
  readonly index: number
  readonly after: number
  readonly primaryBefore: number
  readonly primaryAfter: number
  /** Nodes that keep a copy on one side only. */
  readonly onlyBefore: readonly number[]
  readonly onlyAfter: readonly number[]
}

interface Shift {
  readonly boundary: Boundary
  /** 1: clockwise, the vnode before grows. */
  readonly direction: 1 | -1
  readonly room: number
  readonly cost: Budget
}

export function relax(layout: Layout, budget: Budget, allowance: Allowance): void {
  const boundaries = boundariesOf(layout)
  const average = tokenSpace / layout.tokens.length
  layout.measure()
  for (let shifts = 0; shifts < shiftsMax; shifts++) {
    const shift = steepest(layout, boundaries, budget, allowance)
    if (shift === undefined) return
    const step = descend(layout, shift, Math.min(shift.room, average * stepMax))
    if (step < average * stepMin) return
    const { index } = shift.boundary
    const token = (layout.tokens[index] as number) + shift.direction * step
    layout.tokens[index] = (token + tokenSpace) % tokenSpace
    budget.primary -= step * shift.cost.primary
    budget.copies -= step * shift.cost.copies
  }
}

/** Those that lie between two nodes: the others move nothing. */
function boundariesOf(layout: Layout): Boundary[] {
  const owners = layout.tokens.map((_, index) => layout.ownersOf(index))
  return owners
    .map((before, index) => {
      const after = (index + 1) % owners.length
      const behind = owners[after] as number[]
      return {
        index,
        after,
        primaryBefore: before[0] as number,
        primaryAfter: behind[0] as number,
        onlyBefore: before.filter((node) => !behind.includes(node)),
        onlyAfter: behind.filter((node) => !before.includes(node)),
      }
    })
    .filter((boundary) => boundary.primaryBefore !== boundary.primaryAfter)
}

/** The affordable shift that lowers the penalty most a point. */
function steepest(
  layout: Layout,
  boundaries: readonly Boundary[],
  budget: Budget,
  allowance: Allowance,
): Shift | undefined {
  const average = tokenSpace / layout.tokens.length
  let best: Shift | undefined
  let bestSlope = slopeMin / layout.meanPrimary
  for (const boundary of boundaries) {
    const slope = slopeOf(layout, boundary)
    if (Math.abs(slope) <= bestSlope) continue
    const direction = slope < 0 ? 1 : -1
    const cost = costOf(boundary, direction, allowance)
    const shrinking = direction === 1 ? boundary.after : boundary.index
    const room = Math.min(
      layout.width(shrinking) - average * narrowest,
      affordable(budget.primary, cost.primary),
      affordable(budget.copies, cost.copies),
    )
    if (room < average * stepMin) continue
    best = { boundary, direction, room, cost }
    bestSlope = Math.abs(slope)
  }
  return best
}

/** Change of the penalty for one point clockwise. */
function slopeOf(layout: Layout, boundary: Boundary): number {
  let slope =
    layout.primarySlope(boundary.primaryBefore) - layout.primarySlope(boundary.primaryAfter)
  for (const node of boundary.onlyBefore) slope += layout.copiesSlope(node)
  for (const node of boundary.onlyAfter) slope -= layout.copiesSlope(node)
  return slope
}

/** What one point of the shift takes from the budget; what a joiner gains adds to it. */
function costOf(boundary: Boundary, direction: 1 | -1, { isJoiner, factor }: Allowance): Budget {
  const own = (nodes: readonly number[]) => nodes.filter(isJoiner).length * factor
  const { primaryBefore, primaryAfter, onlyBefore, onlyAfter } = boundary
  const primary = own([primaryBefore]) - own([primaryAfter])
  const copies = own(onlyBefore) - own(onlyAfter)
  const gainers = direction === 1 ? onlyBefore : onlyAfter
  return { primary: 1 - direction * primary, copies: gainers.length - direction * copies }
}

function affordable(budget: number, cost: number): number {
  return cost > 0 ? budget / cost : Infinity
}

/** Applies the shift to the shares, with the step halved until the penalty falls; returns the step. */
function descend(layout: Layout, { boundary, direction }: Shift, longest: number): number {
  const before = layout.measuredPenalty()
  for (let step = Math.floor(longest); step > 0; step = Math.floor(step / 2)) {
    applyShift(layout, boundary, direction * step)
    if (layout.measuredPenalty() < before) return step
    applyShift(layout, boundary, -direction * step)
  }
  return 0
}

function applyShift(layout: Layout, boundary: Boundary, by: number): void {
  const { primary, copies } = layout
  add(primary, boundary.primaryBefore, by)
  add(primary, boundary.primaryAfter, -by)
  for (const node of boundary.onlyBefore) add(copies, node, by)
  for (const node of boundary.onlyAfter) add(copies, node, -by)
}

function add(shares: Float64Array, node: number, points: number): void {
  shares[node] = (shares[node] as number) + points
}
