/**
 * The node's local copy of the ring, and how it takes on a newer one.
 *
 * Adopting a ring is one step for everything that answers requests: until it is done the node holds
 * the old ring, after it the new. Where a plan gives the node ranges, it first wipes, durably and once
 * per plan, what it still holds of them from earlier times; messages of the new epoch wait for that.
 * A settled ring (no change under way) makes everything outside the owned ranges excess: only then,
 * never while a plan copies, does a donor erase. It does so in slices, since the store erases one thing
 * at a time: the wipe of the next plan, which holds up requests, waits for a slice at most.
 */
import type { RingDescription } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import type { Engine, Range, RingFiles } from '../shared/runtime/ports.js'
import type { Log } from '../shared/runtime/runtime.js'
import { complementOf, slicesOf } from './ranges.js'

/** Meta names under which the store remembers the plan it was wiped for and its newest epoch. */
const wipedMeta = 'wiped-for-plan'
const epochMeta = 'epoch'

/** The last plan for which a part of the store was wiped; 0: for none. */
export function wipedForPlan(engine: Pick<Engine, 'meta'>): number {
  return Number(engine.meta(wipedMeta) ?? 0)
}

export interface RingKeeperOptions {
  readonly self: string
  readonly swarm: string
  readonly engine: Engine
  readonly ringFiles: RingFiles
  readonly log: Log
  /** The node holds this ring from now on. */
  activated(ring: Ring): void
  storageFailed(error: Error): void
}

export class RingKeeper {
  ring: Ring | undefined
  private readonly options: RingKeeperOptions
  /** A newer ring that waits for the wipe under way. */
  private pending: RingDescription | undefined
  /** What was owned at the last erasure, if no change brought anything since. */
  private keptRanges = ''

  constructor(options: RingKeeperOptions) {
    this.options = options
  }

  /** The highest epoch that this store has held, in this life or an earlier one. */
  get highestEpoch(): number {
    const kept = Number(this.options.engine.meta(epochMeta) ?? 0)
    return Math.max(kept, this.ring?.epoch ?? 0)
  }

  get isAdopting(): boolean {
    return this.pending !== undefined
  }

  /** Adopts the newest ring published, if it is newer than the one held; after the wipe under way. */
  catchUp(): void {
    if (this.isAdopting) return
    const newest = this.options.ringFiles.newest()
    if (newest !== undefined) this.adopt(newest)
  }

  adopt(description: RingDescription): void {
    if (description.swarm !== this.options.swarm) {
      const { epoch, swarm } = description
      this.options.log.error({ epoch, swarm }, 'refused the ring of another swarm')
      return
    }
    const newestSeen = this.pending?.epoch ?? this.ring?.epoch ?? 0
    if (description.epoch <= newestSeen) return
    const wiping = this.pending !== undefined
    this.pending = description
    if (!wiping) this.takeOnPending()
  }

  private takeOnPending(): void {
    const description = this.pending
    if (description === undefined) return
    const ranges = this.rangesToWipe(description)
    if (ranges.length === 0) return this.activate(description)
    const meta = { [wipedMeta]: String(description.change?.plan) }
    this.options.engine.erase(ranges, meta, (error) => {
      if (error !== undefined) return this.options.storageFailed(error)
      this.takeOnPending()
    })
  }

  private rangesToWipe({ change }: RingDescription): readonly Range[] {
    if (change === undefined) return []
    if (this.options.engine.meta(wipedMeta) === String(change.plan)) return []
    return change.transfers.filter(({ gainer, wipe }) => wipe && gainer === this.options.self)
  }

  private activate(description: RingDescription): void {
    this.pending = undefined
    this.ring = new Ring(description)
    const meta = { [epochMeta]: String(description.epoch) }
    this.options.engine.applyBatch([], meta, (error) => {
      if (error !== undefined) this.options.storageFailed(error)
    })
    this.options.activated(this.ring)
    this.eraseExcess(this.ring)
  }

  private eraseExcess(ring: Ring): void {
    const { self } = this.options
    const { change, placement } = ring.description
    if (change !== undefined) {
      // It brings what a later ring may take away again, without the settled one between being seen.
      this.keptRanges = ''
      return
    }
    if (!placement.nodes.includes(self)) return
    const owned = ring.ownedRanges(self)
    const ranges = JSON.stringify(owned)
    if (ranges === this.keptRanges) return
    this.keptRanges = ranges
    this.eraseSlices(ranges, complementOf(owned).flatMap(slicesOf))
  }

  /** One after another, until they are done or another ring makes them wrong. */
  private eraseSlices(keptRanges: string, slices: readonly Range[]): void {
    const [slice, ...rest] = slices
    if (slice === undefined || this.keptRanges !== keptRanges) return
    this.options.engine.erase([slice], {}, (error) => {
      if (error !== undefined) this.options.storageFailed(error)
      else this.eraseSlices(keptRanges, rest)
    })
  }
}
