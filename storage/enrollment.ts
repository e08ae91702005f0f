/**
 * Before a process is a node it asks the manager who it is: an id (its data directory's, or a new
 * one) and the number of this life, by which its socket is named. It asks from a temporary address.
 */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Message, NodeEnrollOk } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { managerRetryMs } from '../shared/runtime/limits.js'
import type { Address, Log, Process, Runtime } from '../shared/runtime/runtime.js'

const enrollId = 1

export interface EnrollmentOptions {
  readonly runtime: Runtime
  /** Empty asks for a new id. */
  readonly node: NodeId | ''
  readonly log: Log
  onEnrolled(enrolled: NodeEnrollOk): void
  onRefused(error: GTStoreError): void
}

export class Enrollment implements Process {
  private readonly options: EnrollmentOptions
  private isOver = false

  constructor(options: EnrollmentOptions) {
    this.options = options
  }

  start(): void {
    this.ask()
  }

  /** Gives up: neither callback follows. */
  stop(): void {
    this.isOver = true
  }

  received(_from: Address, message: Message): void {
    if (this.isOver) return
    if (message.kind === 'node.enroll.ok') {
      this.isOver = true
      this.options.onEnrolled(message)
    } else if (message.kind === 'error') {
      this.isOver = true
      this.options.onRefused(new GTStoreError(message.code, message.message))
    }
  }

  opened(): void {}

  /** The manager is not there yet, or went away before it answered. */
  closed(): void {
    if (this.isOver) return
    const { runtime, log } = this.options
    log.debug({}, 'the manager cannot be reached; trying again')
    runtime.after(managerRetryMs, 'enroll again', () => this.ask())
  }

  private ask(): void {
    if (this.isOver) return
    const { runtime, node } = this.options
    runtime.send('manager', { kind: 'node.enroll', id: enrollId, node })
  }
}
