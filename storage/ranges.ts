/** Ranges of the ring as sets: what a node does not own is what the gaps between its ranges hold. */
import type { Range } from '../shared/runtime/ports.js'

/** What of the ring lies in none of the ranges, which are disjoint and ascending by `to`. */
export function complementOf(ranges: readonly Range[]): readonly Range[] {
  const first = ranges[0]
  if (first === undefined) return [{ from: 0, to: 0 }]
  if (ranges.length === 1 && first.from === first.to) return []
  const gaps = ranges.map(({ to }, index) => ({ from: to, to: (ranges[index + 1] ?? first).from }))
  return gaps.filter(({ from, to }) => from !== to)
}
