/**
 * What a node keeps telling the manager: that it is here, that it wants to leave, that it has all of
 * a plan. Each is said anew on every new connection, so that it survives a restart of the manager, and
 * again while it is not confirmed, so that it survives the loss of a message. The pauses grow: for a
 * manager that is only paused, what was said first still waits in its socket.
 */
import type { ErrorReply } from '../shared/protocol/messages.js'
import type { Member, RingDescription } from '../shared/ring/description.js'
import {
  managerRepeatMaxMs,
  managerRepeatMs,
  managerRetryMs,
  refusedRetryMs,
} from '../shared/runtime/limits.js'
import type { CancelTimer, Log, Millis, Runtime } from '../shared/runtime/runtime.js'

/** Requests to the manager: one of each, so each has a fixed id. */
const joinId = 1
const leaveId = 2

export interface ManagerLinkOptions {
  readonly runtime: Runtime
  readonly log: Log
  readonly swarm: string
  readonly member: Member
  readonly store: string
  /** The store belonged to a member before. */
  readonly returning: boolean
  readonly boot: number
  highestEpoch(): number
  /** The manager does not know this store any more: its ranges are elsewhere by now. */
  evicted(): void
}

export class ManagerLink {
  private readonly options: ManagerLinkOptions
  private isLeaving = false
  /** Said, and not answered yet. */
  private owes = { join: true, leave: false }
  /** Until a ring follows that is not in the middle of this plan. */
  private completedPlan: number | undefined
  /** Of a chain: until another ring follows. */
  private readyEpoch: number | undefined
  /** A ring has named this life. */
  private wasNamed = false
  private pause: Millis = managerRepeatMs
  private isStopped = false
  /** Why the last join was refused: said once, not at each attempt. */
  private lastRefusal = ''
  private cancelLater: CancelTimer = () => {}

  constructor(options: ManagerLinkOptions) {
    this.options = options
  }

  start(): void {
    this.sayNow()
  }

  stop(): void {
    this.isStopped = true
    this.cancelLater()
  }

  leave(): void {
    this.isLeaving = true
    this.owes.leave = true
    this.sayLeave()
    this.repeatFromNow()
  }

  completed(plan: number): void {
    this.completedPlan = plan
    this.sayCompleted()
    this.repeatFromNow()
  }

  /** As a reader of this ring the node has the marks of all its arcs. */
  ready(epoch: number): void {
    this.readyEpoch = epoch
    this.sayReady()
    this.repeatFromNow()
  }

  joined(): void {
    this.owes.join = false
  }

  leaveNoted(): void {
    this.owes.leave = false
  }

  /**
   * The node holds another ring. Its place may be gone since the manager took it back: rings that a
   * returning node only read from their files do not tell it so, the manager does.
   */
  follow({ epoch, change, members }: RingDescription): void {
    if (epoch !== this.readyEpoch) this.readyEpoch = undefined
    if (change?.plan !== this.completedPlan) this.completedPlan = undefined
    const { member, returning } = this.options
    const names = (life: Member) => life.id === member.id && life.incarnation === member.incarnation
    this.wasNamed ||= members.some(names)
    const isSaid = this.owes.join || this.isStopped
    if (!returning || isSaid || this.wasNamed || members.some(({ id }) => id === member.id)) return
    this.owes.join = true
    this.sayNow()
  }

  /** The next one may know nothing. */
  closed(): void {
    this.owes = { join: true, leave: this.isLeaving }
    this.sayLater(managerRetryMs)
  }

  refused({ id, code, message }: ErrorReply): void {
    const { log } = this.options
    if (id === leaveId) {
      this.isLeaving = false
      this.owes.leave = false
      log.warn({ code }, `the manager refused the leave: ${message}`)
    } else if (id === joinId && code === 'NOT_FOUND') {
      log.warn({ code }, `the manager knows this store no more: ${message}`)
      this.options.evicted()
    } else if (id === joinId) {
      if (message !== this.lastRefusal)
        log.error({ code }, `the manager refused the join: ${message}`)
      this.lastRefusal = message
      this.sayLater(refusedRetryMs)
    }
  }

  private sayLater(ms: Millis): void {
    this.cancelLater()
    if (this.isStopped) return
    this.cancelLater = this.options.runtime.after(ms, 'tell the manager', () => this.sayNow())
  }

  private sayNow(): void {
    this.sayUnconfirmed()
    this.repeatFromNow()
  }

  private sayUnconfirmed(): void {
    if (this.owes.join) this.sayJoin()
    if (this.owes.leave) this.sayLeave()
    this.sayCompleted()
    this.sayReady()
  }

  private repeatFromNow(): void {
    this.pause = managerRepeatMs
    this.repeatLater()
  }

  private repeatLater(): void {
    this.cancelLater()
    if (this.isStopped) return
    this.cancelLater = this.options.runtime.after(this.pause, 'tell the manager again', () => {
      this.repeat()
    })
  }

  private repeat(): void {
    const isSaid = this.completedPlan === undefined && this.readyEpoch === undefined
    if (!this.owes.join && !this.owes.leave && isSaid) return
    this.sayUnconfirmed()
    this.pause = Math.min(2 * this.pause, managerRepeatMaxMs)
    this.repeatLater()
  }

  private sayJoin(): void {
    const { runtime, swarm, member, store, boot } = this.options
    const epoch = this.options.highestEpoch()
    runtime.send('manager', { kind: 'node.join', id: joinId, swarm, member, store, epoch, boot })
  }

  private sayLeave(): void {
    const { runtime, member } = this.options
    const { id: node, incarnation } = member
    runtime.send('manager', { kind: 'node.leave', id: leaveId, node, incarnation })
  }

  private sayCompleted(): void {
    if (this.completedPlan === undefined) return
    const { runtime, member } = this.options
    const plan = this.completedPlan
    runtime.send('manager', { kind: 'handoff.complete', plan, node: member.id })
  }

  private sayReady(): void {
    if (this.readyEpoch === undefined) return
    const { runtime, member } = this.options
    runtime.send('manager', { kind: 'chain.ready', node: member.id, epoch: this.readyEpoch })
  }
}
