/**
 * One question: does this node answer? A ping; no answer in gossipAnswerMs, and a few others are asked
 * to ping it; nothing by the end of the period, and the node is accused (SWIM, section 3.1).
 *
 * Whoever is itself held up hears answers late and would accuse those who gave them. So each step
 * measures how late its own timer fires, and one that is too late ends the question without a verdict
 * (after Lifeguard: Dadgar, Phillips, Currey, DSN 2018, "local health").
 */
import { gossipAnswerMs, gossipPeriodMs, ownLagMaxMs } from '../../shared/runtime/limits.js'
import type { CancelTimer, Millis, Runtime } from '../../shared/runtime/runtime.js'
import type { Entry } from './roster.js'

export interface ProbeOptions {
  readonly runtime: Runtime
  readonly target: Entry
  /** Of the ping, and of what others are asked. */
  readonly id: number
  /** No answer yet. */
  askOthers(): void
  /** Called once, unless the probe is ended before. */
  over(verdict: 'silent' | 'unjudged'): void
}

export class Probe {
  readonly target: Entry
  readonly id: number
  private readonly options: ProbeOptions
  private cancelTimer: CancelTimer

  constructor(options: ProbeOptions) {
    this.options = options
    this.target = options.target
    this.id = options.id
    this.cancelTimer = this.unlessLate(gossipAnswerMs, () => this.unanswered())
  }

  /** It answered, or nobody wants to know any more. */
  end(): void {
    this.cancelTimer()
  }

  private unanswered(): void {
    this.options.askOthers()
    const left = gossipPeriodMs - gossipAnswerMs
    this.cancelTimer = this.unlessLate(left, () => this.options.over('silent'))
  }

  private unlessLate(ms: Millis, then: () => void): CancelTimer {
    const { runtime, over } = this.options
    const due = runtime.now() + ms
    return runtime.after(ms, 'gossip probe', () => {
      if (runtime.now() - due > ownLagMaxMs) over('unjudged')
      else then()
    })
  }
}
