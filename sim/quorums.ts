/**
 * Does a read under one ring meet every write of the ring before? Writes under a ring have a quorum of
 * each of its sides; so some side must have the owners that the next ring reads from, and the two
 * quorums must be more than those owners together. Where a change settles or is given up, that side
 * is the one that stays.
 */
import type { Ownership, Ring } from '../shared/ring/ring.js'

/** What is wrong, in words; undefined if nothing is. */
export function quorumsIntersect(before: Ring, after: Ring): string | undefined {
  const ends = new Set([...before.arcs.map(({ to }) => to), ...after.arcs.map(({ to }) => to)])
  for (const token of ends) {
    const written = before.arcOf(token)
    const read = after.arcOf(token)
    const sides: Ownership[] = written.next === undefined ? [written] : [written, written.next]
    if (sides.some((side) => meets(side, read))) continue
    return (
      `up to ${token}: epoch ${before.epoch} writes ${sides.map(describe).join(' and ')}, ` +
      `epoch ${after.epoch} reads ${read.quorums.r} of ${read.owners}`
    )
  }
  return undefined
}

/** By counting: the write may miss n-w owners, the read misses all that it does not ask. */
function meets(written: Ownership, read: Ownership): boolean {
  const shared = read.owners.filter((owner) => written.owners.includes(owner)).length
  const writtenShared = shared - (written.quorums.n - written.quorums.w)
  const readShared = shared - (read.quorums.n - read.quorums.r)
  return writtenShared + readShared > shared
}

function describe({ owners, quorums }: Ownership): string {
  return `${quorums.w} of ${owners}`
}
