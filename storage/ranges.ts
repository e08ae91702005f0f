/** Ranges of the ring as sets: what a node does not own is what the gaps between its ranges hold. */
import { rangeWidth, tokenSpace } from '../shared/ring/token.js'
import type { Range } from '../shared/runtime/ports.js'

/** What of the ring lies in none of the ranges, which are disjoint and ascending by `to`. */
export function complementOf(ranges: readonly Range[]): readonly Range[] {
  const first = ranges[0]
  if (first === undefined) return [{ from: 0, to: 0 }]
  if (ranges.length === 1 && first.from === first.to) return []
  const gaps = ranges.map(({ to }, index) => ({ from: to, to: (ranges[index + 1] ?? first).from }))
  return gaps.filter(({ from, to }) => from !== to)
}

/**
 * A slice is at most this much of the ring, a sixteenth. Smaller ones would cost a store in memory,
 * which goes through all its keys for each, more than they save one on disk.
 */
const sliceWidth = 2 ** 28

/** The range in pieces that are quickly dealt with. */
export function slicesOf(range: Range): readonly Range[] {
  const width = rangeWidth(range)
  const count = Math.ceil(width / sliceWidth)
  return Array.from({ length: count }, (_, index) => ({
    from: (range.from + index * sliceWidth) % tokenSpace,
    to: index === count - 1 ? range.to : (range.from + (index + 1) * sliceWidth) % tokenSpace,
  }))
}
