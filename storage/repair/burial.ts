/**
 * The way out of a few tombstones of one range, from the first owner's side. A tombstone may go once no
 * older value of its key exists anywhere and none can arrive any more. Three answers make sure of it,
 * all under one settled ring:
 *
 * 1. All owners hold the tombstone durably. From now on no copy and no reader has anything older, and
 *    whatever was on its way then (a write, a write-back, a page of repair) is refused maxFlightMs
 *    later, as is the making of a hint from an older write.
 * 2. maxFlightMs later every member says that it keeps no hint for the range. What it read from its
 *    hints before and still sends is refused maxFlightMs after that.
 * 3. maxFlightMs later still, all owners drop exactly this version; what was written since stays.
 *
 * Who sleeps through a step answers it after it woke, so after everything that it had begun before: a
 * message that it had accepted is merged while the tombstone is still there, and loses. Who holds another
 * ring answers `stale`. Who is down does not answer at all, and the tombstones wait.
 *
 * Where only some owners have dropped it, repair may bring a tombstone back to them. That is harmless:
 * no older value is left for it to hide, a newer one wins over it, and it is collected again.
 */
import type { NodeId } from '../../shared/ring/description.js'
import { collectPeriodMs, maxFlightMs, repairAnswerMs } from '../../shared/runtime/limits.js'
import type { Mark, Range } from '../../shared/runtime/ports.js'
import type { CancelTimer, Millis } from '../../shared/runtime/runtime.js'
import { askEach } from '../ask.js'
import type { Desk } from '../desk.js'

export interface BurialOptions {
  readonly desk: Desk
  /** This node keeps no hint for the range. */
  readonly hasNoHints: (range: Range, told: (hasNone: boolean) => void) => void
  readonly range: Range
  readonly owners: readonly NodeId[]
  readonly marks: readonly Mark[]
  /** These are on their way no more: collected, or not confirmed by all. */
  readonly released: (marks: readonly Mark[]) => void
  /** None of them is. */
  readonly ended: () => void
  /** Their collection begins. */
  readonly collecting: (marks: readonly Mark[]) => void
}

export class Burial {
  private readonly options: BurialOptions
  /** Other owners, and all other members. */
  private readonly owners: readonly NodeId[]
  private readonly members: readonly NodeId[]
  private marks: readonly Mark[]
  private cancel: CancelTimer = () => {}
  private isOver = false

  constructor(options: BurialOptions) {
    const { ring, self } = options.desk
    this.options = options
    this.marks = options.marks
    this.owners = options.owners.filter((node) => node !== self)
    this.members = ring.description.members.map(({ id }) => id).filter((node) => node !== self)
  }

  /** The ring changed, or the node ends. */
  drop(): void {
    this.isOver = true
    this.cancel()
  }

  begin(): void {
    const { marks } = this
    const question = (id: number, epoch: number) =>
      ({ kind: 'tombstone.confirm', id, epoch, marks }) as const
    askEach(this.options.desk, this.owners, repairAnswerMs, question, (replies) => {
      if (this.isOver) return
      const held = replies.map(
        (reply) => new Set(reply?.kind === 'tombstone.confirm.ok' ? reply.held : []),
      )
      const isHeldByAll = (index: number) => held.every((each) => each.has(index))
      this.marks = marks.filter((_, index) => isHeldByAll(index))
      this.options.released(marks.filter((_, index) => !isHeldByAll(index)))
      if (this.marks.length > 0) this.later(maxFlightMs, () => this.askForHints())
      else this.options.ended()
    })
  }

  private askForHints(): void {
    const { from, to } = this.options.range
    const question = (id: number, epoch: number) =>
      ({ kind: 'hint.query', id, epoch, from, to }) as const
    askEach(this.options.desk, this.members, repairAnswerMs, question, (replies) => {
      if (this.isOver) return
      const isFree = replies.every((reply) => reply?.kind === 'hint.query.ok' && !reply.hasHints)
      this.options.hasNoHints(this.options.range, (hasNone) => {
        if (this.isOver) return
        if (isFree && hasNone) this.later(maxFlightMs, () => this.collect())
        else this.later(collectPeriodMs, () => this.askForHints())
      })
    })
  }

  /** The others first: as long as one of them may hold it, this node knows of it. */
  private collect(): void {
    const { marks } = this
    const { desk, collecting, released, ended } = this.options
    collecting(marks)
    const question = (id: number, epoch: number) =>
      ({ kind: 'tombstone.collect', id, epoch, marks }) as const
    askEach(desk, this.owners, repairAnswerMs, question, (replies) => {
      if (this.isOver) return
      const isGone = replies.every((reply) => reply?.kind === 'tombstone.collect.ok')
      if (!isGone) return this.later(collectPeriodMs, () => this.collect())
      desk.engine.discard(marks, (error) => {
        if (error !== undefined) return desk.storageFailed(error)
        if (this.isOver) return
        this.isOver = true
        released(marks)
        ended()
      })
    })
  }

  private later(ms: Millis, go: () => void): void {
    this.cancel = this.options.desk.runtime.after(ms, 'tombstones', () => {
      if (!this.isOver) go()
    })
  }
}
