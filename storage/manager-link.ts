/**
 * What a node keeps telling the manager: that it is here, that it wants to leave, that it has all of
 * a plan. Each is said anew on every new connection, so that it survives a restart of the manager and
 * needs no acknowledgement of its own.
 */
import type { ErrorReply } from '../shared/protocol/messages.js'
import type { Member } from '../shared/ring/description.js'
import { managerRetryMs, refusedRetryMs } from '../shared/runtime/limits.js'
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
  readonly boot: number
  highestEpoch(): number
  /** The manager does not know this store any more: its ranges are elsewhere by now. */
  evicted(): void
}

export class ManagerLink {
  private readonly options: ManagerLinkOptions
  private isLeaving = false
  private completedPlan: number | undefined
  private isStopped = false
  /** Why the last join was refused: said once, not at each attempt. */
  private lastRefusal = ''
  private cancelLater: CancelTimer = () => {}

  constructor(options: ManagerLinkOptions) {
    this.options = options
  }

  start(): void {
    this.say()
  }

  stop(): void {
    this.isStopped = true
  }

  leave(): void {
    this.isLeaving = true
    this.sayLeave()
  }

  completed(plan: number): void {
    this.completedPlan = plan
    this.sayCompleted()
  }

  closed(): void {
    this.sayLater(managerRetryMs)
  }

  refused({ id, code, message }: ErrorReply): void {
    const { log } = this.options
    if (id === leaveId) {
      this.isLeaving = false
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
    this.cancelLater = this.options.runtime.after(ms, 'reach the manager', () => this.say())
  }

  private say(): void {
    if (this.isStopped) return
    const { runtime, swarm, member, store, boot } = this.options
    const epoch = this.options.highestEpoch()
    runtime.send('manager', { kind: 'node.join', id: joinId, swarm, member, store, epoch, boot })
    this.sayLeave()
    this.sayCompleted()
  }

  private sayLeave(): void {
    if (!this.isLeaving) return
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
}
