/**
 * Anti-entropy: owners of a range compare their copies on a schedule and on demand, and copy from one
 * another what one lacks. Whatever the other ways missed (a write that reached two of three owners, a
 * hint that was lost, a copy that was damaged) is found here, without any reader coming by.
 *
 * A pass runs under one settled ring. When the ring changes it is dropped: a scheduled one has its next
 * turn, one that was asked for begins again under the next settled ring. A node that returns with its
 * store compares all of it soon, since it missed whatever was written meanwhile.
 */
import type { Message, MessageKind, RepairReport } from '../../shared/protocol/messages.js'
import type { Ring } from '../../shared/ring/ring.js'
import { repairPeriodMs, repairReturnedMs } from '../../shared/runtime/limits.js'
import type { Address, CancelTimer } from '../../shared/runtime/runtime.js'
import type { Department } from '../department.js'
import type { RepairContext } from './leaves.js'
import { MerkleSource } from './merkle-source.js'
import { type Against, Pass } from './pass.js'

const never: RepairReport = {
  pass: 0,
  running: false,
  rangesDone: 0,
  rangesTotal: 0,
  received: 0,
  given: 0,
  skipped: 0,
}

export class Repair implements Department {
  readonly takes: readonly MessageKind[] = ['merkle.get', 'repair.start']
  readonly isBusy = false
  private readonly context: RepairContext
  private readonly source: MerkleSource
  private ring: Ring | undefined
  private pass: Pass | undefined
  private passes = 0
  /** The number of a pass that was asked for and has not ended. */
  private asked: number | undefined
  private isReturning: boolean
  private cancelNext: CancelTimer = () => {}

  constructor(context: RepairContext, returning: boolean) {
    this.context = context
    this.source = new MerkleSource(context)
    this.isReturning = returning
  }

  get stats(): { readonly repair: RepairReport } {
    const report = this.pass?.report ?? never
    if (this.asked === undefined || this.asked === report.pass) {
      return { repair: { ...report, running: report.running || this.asked !== undefined } }
    }
    return { repair: { ...never, pass: this.asked, running: true } }
  }

  start(): void {
    this.beginLater(repairPeriodMs)
  }

  stop(): void {
    this.cancelNext()
    this.pass?.drop()
    this.asked = undefined
    this.source.forgetAll()
  }

  received(from: Address, message: Message): void {
    if (message.kind === 'merkle.get') this.source.asked(from, message)
    else if (message.kind === 'repair.start') this.askedFor(from, message.id)
  }

  opened(): void {}

  closed(peer: Address): void {
    this.source.closed(peer)
  }

  ringChanged(): void {
    const wasRunning = this.pass?.report.running ?? false
    this.pass?.drop()
    this.source.forgetAll()
    this.ring = this.context.desk.ring
    if (this.isSettled && this.asked !== undefined) this.begin(this.asked, 'all')
    else if (this.isSettled && this.isReturning) this.beginLater(repairReturnedMs)
    else if (wasRunning) this.beginLater(repairPeriodMs)
  }

  private get isSettled(): boolean {
    return this.ring !== undefined && this.ring.description.change === undefined
  }

  private askedFor(from: Address, id: number): void {
    this.passes++
    this.asked = this.passes
    this.context.desk.runtime.send(from, { kind: 'repair.start.ok', id, pass: this.passes })
    if (this.isSettled) this.begin(this.passes, 'all')
  }

  private begin(number: number, against: Against): void {
    this.pass?.drop()
    this.cancelNext()
    const ended = () => this.ended()
    this.pass = new Pass({ context: this.context, number, against, ended })
    this.pass.begin()
  }

  private ended(): void {
    const { report, against } = this.pass ?? {}
    if (report?.pass === this.asked) this.asked = undefined
    if (against === 'all' && report?.skipped === 0) this.isReturning = false
    const isWorthTelling = report !== undefined && report.received + report.given > 0
    if (isWorthTelling) this.context.desk.log.info({ repair: report }, 'repaired copies')
    this.beginLater(repairPeriodMs)
  }

  /** Spread, so that nodes that started together do not compare together. */
  private beginLater(ms: number): void {
    const { runtime } = this.context.desk
    this.cancelNext()
    const delay = ms * (0.5 + runtime.random())
    this.cancelNext = runtime.after(delay, 'repair', () => this.beginScheduled())
  }

  private beginScheduled(): void {
    if (this.asked !== undefined || !this.isSettled) return this.beginLater(repairPeriodMs)
    this.passes++
    this.begin(this.passes, this.isReturning ? 'all' : 'behind')
  }
}
