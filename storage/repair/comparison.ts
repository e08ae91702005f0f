/**
 * Compares what this node and another owner hold of one range, and mends what differs. Both hash their
 * leaves at the same time; a leaf that differs and holds many entries is cut finer and compared again,
 * so that in the end little more than the differing keys travels, however large the range. Where one
 * side has nothing at all in a leaf there is nothing to compare: the other's entries go over.
 */
import { differingLeaves, isEmptyLeaf, leafRange, leavesFor } from '../../shared/data/merkle.js'
import type { Message } from '../../shared/protocol/messages.js'
import type { NodeId } from '../../shared/ring/description.js'
import {
  merkleHashBytes,
  merkleLeafKeysMax,
  merkleLeavesMax,
  repairAnswerMs,
} from '../../shared/runtime/limits.js'
import type { Range } from '../../shared/runtime/ports.js'
import { ask } from '../ask.js'
import { type BuiltLeaves, buildLeaves, type RepairContext } from './leaves.js'
import { Mending, type Moved } from './mending.js'

/** 1,024 leaves three times over tell the keys of a range of any size apart. */
const depthMax = 3

export interface ComparisonOptions {
  readonly context: RepairContext
  readonly range: Range
  readonly peer: NodeId
  /** About how many entries this node holds of the range. */
  readonly entries: number
  readonly moved: (moved: Moved) => void
  readonly isOver: () => boolean
  /** False: the range could not be compared, or not mended, to its end. */
  readonly done: (complete: boolean) => void
}

interface Part {
  readonly range: Range
  readonly leaves: number
  readonly depth: number
}

export class Comparison {
  private readonly options: ComparisonOptions
  /** Still to be compared, and found to differ. */
  private parts: Part[]
  private apart: Range[] = []

  constructor(options: ComparisonOptions) {
    const { range, entries } = options
    this.options = options
    this.parts = [{ range, leaves: leavesFor(entries, range, merkleLeavesMax), depth: 1 }]
  }

  begin(): void {
    const part = this.parts.shift()
    if (part !== undefined) return this.compare(part)
    const range = this.apart.shift()
    if (range !== undefined) return this.mend(range)
    this.options.done(true)
  }

  private compare(part: Part): void {
    const { context, peer, isOver } = this.options
    const { range, leaves } = part
    let ours: BuiltLeaves | undefined
    let theirs: Message | undefined
    const compareBoth = () => {
      if (ours !== undefined && theirs !== undefined) this.judge(part, ours, theirs)
    }
    let isLost = false
    const question = (id: number, epoch: number) =>
      ({ kind: 'merkle.get', id, epoch, from: range.from, to: range.to, leaves }) as const
    ask(context.desk, peer, repairAnswerMs, question, (reply) => {
      if (isOver()) return
      theirs = reply
      if (reply !== undefined) return compareBoth()
      isLost = true
      this.options.done(false)
    })
    buildLeaves(
      context,
      part,
      () => isLost || isOver(),
      (built) => {
        ours = built
        compareBoth()
      },
    )
  }

  private judge(part: Part, ours: BuiltLeaves, theirs: Message): void {
    const { context, done } = this.options
    if (theirs.kind !== 'merkle.get.ok' || theirs.hashes.length !== ours.hashes.length) {
      return done(false)
    }
    for (const leaf of differingLeaves(ours.hashes, theirs.hashes, merkleHashBytes)) {
      const range = leafRange(part.range, part.leaves, leaf)
      const entries = ours.counts[leaf] ?? 0
      const leaves = leavesFor(entries, range, merkleLeavesMax)
      const isOneSided = entries === 0 || isEmptyLeaf(theirs.hashes, leaf, merkleHashBytes)
      const isCoarse = entries > merkleLeafKeysMax && leaves > 1 && part.depth < depthMax
      if (isOneSided || !isCoarse) this.sayApart(range)
      else this.parts.push({ range, leaves, depth: part.depth + 1 })
    }
    context.pace.afterPage(() => this.begin())
  }

  /** Neighbours are mended as one. */
  private sayApart({ from, to }: Range): void {
    const last = this.apart.at(-1)
    if (last?.to === from) this.apart[this.apart.length - 1] = { from: last.from, to }
    else this.apart.push({ from, to })
  }

  private mend(range: Range): void {
    const { context, peer, moved, isOver, done } = this.options
    const mended = (complete: boolean) => (complete ? this.begin() : done(false))
    new Mending({ context, range, peer, moved, isOver, done: mended }).begin()
  }
}
