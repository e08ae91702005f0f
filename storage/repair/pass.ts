/**
 * One pass of anti-entropy: every range that this node owns against its other owners, one pair after
 * the other. What a later one had is news to those before it: they are compared once more, so that
 * afterwards all owners in the pass hold the same. It belongs to one settled ring and ends with it.
 */
import type { RepairReport } from '../../shared/protocol/messages.js'
import type { NodeId } from '../../shared/ring/description.js'
import type { Ring } from '../../shared/ring/ring.js'
import { rangeWidth } from '../../shared/ring/token.js'
import type { Range } from '../../shared/runtime/ports.js'
import { Comparison } from './comparison.js'
import type { RepairContext } from './leaves.js'

/**
 * `behind`: the owners that stand behind this node in the preference list, so that all nodes together
 * compare each pair once; `all`: whatever this node holds is right afterwards.
 */
export type Against = 'behind' | 'all'

interface Pair {
  readonly range: Range
  readonly peer: NodeId
}

export interface PassOptions {
  readonly context: RepairContext
  readonly number: number
  readonly against: Against
  readonly ended: () => void
}

export class Pass {
  readonly against: Against
  private readonly options: PassOptions
  /** All of them, then those that are compared once more. */
  private readonly pairs: Pair[]
  private readonly firsts: number
  /** Part of the ring that this node owns, as a number of tokens. */
  private readonly ownedWidth: number
  private at = 0
  private readonly skipped = new Set<Pair>()
  private received = 0
  private given = 0
  private isOver = false

  constructor(options: PassOptions) {
    const { ring, self } = options.context.desk
    this.options = options
    this.against = options.against
    this.pairs = pairsOf(ring, self, options.against)
    this.firsts = this.pairs.length
    this.ownedWidth = ring.ownedRanges(self).reduce((sum, range) => sum + rangeWidth(range), 0)
  }

  get report(): RepairReport {
    return {
      pass: this.options.number,
      running: !this.isOver,
      rangesDone: this.at,
      rangesTotal: this.pairs.length,
      received: this.received,
      given: this.given,
      skipped: this.skipped.size,
    }
  }

  begin(): void {
    const { desk } = this.options.context
    desk.engine.stats((error, stats) => {
      if (this.isOver) return
      if (stats === undefined) return desk.storageFailed(error ?? new Error('no counts'))
      this.compareNext(stats.keys)
    })
  }

  /** What is left counts as skipped. */
  drop(): void {
    if (this.isOver) return
    this.isOver = true
    for (const pair of this.pairs.slice(this.at)) this.skipped.add(pair)
  }

  private compareNext(keys: number): void {
    const { context, ended } = this.options
    const pair = this.pairs[this.at]
    if (pair === undefined) {
      this.isOver = true
      return ended()
    }
    const { range, peer } = pair
    const receivedBefore = this.received
    const next = (complete: boolean) => {
      if (this.isOver) return
      this.at++
      if (this.received > receivedBefore && this.at <= this.firsts) this.compareAgain(pair)
      if (complete) this.skipped.delete(pair)
      else this.skipped.add(pair)
      context.pace.afterPage(() => {
        if (!this.isOver) this.compareNext(keys)
      })
    }
    const { peers, ring } = context.desk
    if (!peers.mayAnswer(ring.address(peer))) return next(false)
    new Comparison({
      context,
      range,
      peer,
      entries: Math.ceil((keys * rangeWidth(range)) / this.ownedWidth),
      moved: ({ received, given }) => {
        this.received += received
        this.given += given
      },
      isOver: () => this.isOver,
      done: next,
    }).begin()
  }

  /** The owners before it in its range: they have not seen what it brought. */
  private compareAgain(pair: Pair): void {
    const before = this.pairs.slice(0, this.pairs.indexOf(pair))
    for (const each of before) {
      const isAwaited = this.pairs.includes(each, this.firsts)
      if (each.range === pair.range && !isAwaited) this.pairs.push(each)
    }
  }
}

function pairsOf(ring: Ring, self: NodeId, against: Against): Pair[] {
  return ring.arcs.flatMap(({ from, to, owners }) => {
    const own = owners.indexOf(self)
    if (own < 0) return []
    const peers = owners.filter((node, index) => (against === 'all' ? node !== self : index > own))
    const range = { from, to }
    return peers.map((peer) => ({ range, peer }))
  })
}
