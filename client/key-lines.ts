/**
 * In a chain the writes of one key go out a few at a time, and each is stamped when it does.
 *
 * The head keeps the last requests of a key beside it (chainRequestsMax), so that a retry gets the result
 * of the first attempt. A write that is older than what was forgotten, and is not known, may be either a
 * new one that came late or a retry whose result is lost: the head refuses it, as EXPIRED. With a
 * thousand writes of a key in flight most would come late. Those that wait here are in no hurry: without
 * a stamp they do not age, and the key takes no more writes a second when more of them are in flight.
 */
import { keyText } from '../shared/data/key-text.js'
import { clientKeyWritesMax } from '../shared/runtime/limits.js'
import type { Call } from './calls.js'
import { WaitingLine } from './waiting-line.js'

interface KeyLine {
  /** Let pass, and not over. */
  passed: number
  readonly waiting: WaitingLine<Call>
}

export class KeyLines {
  private readonly lines = new Map<string, KeyLine>()
  private waitingCount = 0

  /** Those that wait. */
  get size(): number {
    return this.waitingCount
  }

  /** Lets a call pass, where there is room in its key's line: then `leave` must follow. */
  pass(call: Call): boolean {
    const name = keyText(call.request.key)
    const line = this.lines.get(name)
    if (line === undefined) {
      const waiting = new WaitingLine<Call>((other) => other.state === 'settled')
      this.lines.set(name, { passed: 1, waiting })
    } else if (line.passed < clientKeyWritesMax) line.passed++
    else return false
    call.isCounted = true
    return true
  }

  /** A call that may not pass yet: it waits until `leave` gives it. */
  push(call: Call): void {
    this.lineOf(call).waiting.push(call)
    this.waitingCount++
  }

  /** A call is over: the next one of its key passes, where it had passed itself and one waits. */
  leave(call: Call): Call | undefined {
    if (!call.isCounted) return undefined
    call.isCounted = false
    const line = this.lineOf(call)
    const next = line.waiting.shift()
    if (next !== undefined) {
      this.waitingCount--
      next.isCounted = true
    } else if (--line.passed === 0) this.lines.delete(keyText(call.request.key))
    return next
  }

  /** A call that waited was given up, and is settled. */
  removed(call: Call): void {
    this.lineOf(call).waiting.removed()
    this.waitingCount--
  }

  all(): Call[] {
    return [...this.lines.values()].flatMap((line) => line.waiting.all())
  }

  private lineOf(call: Call): KeyLine {
    const line = this.lines.get(keyText(call.request.key))
    if (line === undefined) throw new Error('a call is of a key without a line')
    return line
  }
}
