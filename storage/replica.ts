/**
 * A replica answers for its own copy alone: it merges what it is given and says what it holds, each
 * once that is durable, and only under the epoch that the request was admitted by. If the node
 * adopted another ring meanwhile, the answer is `stale`: the coordinator must not count it.
 */
import type { StoredRecord } from '../shared/data/record.js'
import type { Version } from '../shared/data/version.js'
import type { ErrorCode } from '../shared/protocol/errors.js'
import type { ReplicaGet, ReplicaPut } from '../shared/protocol/messages.js'
import { maxFlightMs } from '../shared/runtime/limits.js'
import type { Address, Runtime } from '../shared/runtime/runtime.js'
import type { Desk } from './desk.js'
import { operationOf } from './operations.js'
import { answer, refuse, refuseFailed } from './reply.js'

export class Replica {
  private readonly desk: Desk
  private readonly boot: number

  constructor(desk: Desk, boot: number) {
    this.desk = desk
    this.boot = boot
  }

  put(from: Address, message: ReplicaPut): void {
    const { id, epoch, token, key, version, born } = message
    const { desk } = this
    if (desk.disk.isLow()) return this.refusePut(from, message, 'DISK_FULL', diskNearlyFull)
    const refusal = stampRefusal(desk.runtime, this.boot, version, born)
    if (refusal !== undefined) return this.refusePut(from, message, 'EXPIRED', refusal)
    const operation = operationOf(message.value)
    desk.engine.apply({ token, key, record: recordOf(message) }, (error) => {
      desk.operations.ended('replicated', operation, key, error?.message)
      if (error !== undefined) refuseFailed(desk, from, id, error)
      else answer(desk, from, epoch, { kind: 'replica.put.ok', id })
    })
  }

  get(from: Address, message: ReplicaGet): void {
    const { id, epoch, token, key } = message
    const { operations } = this.desk
    this.desk.engine.read(token, key, (error, record) => {
      if (error !== undefined) {
        operations.ended('replicated', 'get', key, error.message)
        return refuseFailed(this.desk, from, id, error)
      }
      operations.got('replicated', key, hasValue(record))
      const value = record?.value ?? null
      const version = record?.version ?? null
      const attached = record?.attached ?? null
      answer(this.desk, from, epoch, { kind: 'replica.get.ok', id, value, version, attached })
    })
  }

  private refusePut(
    from: Address,
    { id, key, value }: ReplicaPut,
    code: ErrorCode,
    why: string,
  ): void {
    this.desk.operations.ended('replicated', operationOf(value), key, `${code}: ${why}`)
    refuse(this.desk, from, id, code, why)
  }
}

/** Of the reserve that every disk keeps. */
export const diskNearlyFull = 'the disk is nearly full'

/** Not of a missing or deleted key. */
export function hasValue(record: StoredRecord | undefined): boolean {
  return record !== undefined && record.value !== null
}

/** The record that a message carries. */
export function recordOf({
  version,
  value,
  attached,
}: Pick<ReplicaPut, 'version' | 'value' | 'attached'>): StoredRecord {
  return attached === null ? { version, value } : { version, value, attached }
}

/**
 * Why a stamp or a flight is refused; undefined if it is sound. A stamp ahead of this process's own
 * reading of the same clock is not one of ours; what has been under way for longer than maxFlightMs
 * could bring back what was deleted and collected since.
 */
export function stampRefusal(
  runtime: Runtime,
  boot: number,
  version: Version,
  born: number,
): string | undefined {
  const now = runtime.hostMicros()
  if (version.boot > boot || (version.boot === boot && version.micros > now)) {
    return 'the version is ahead of the host clock'
  }
  return flightRefusal(runtime, born)
}

/** The same of the flight alone, for what was read from a store: its stamps may be of any age. */
export function flightRefusal(runtime: Runtime, born: number): string | undefined {
  const now = runtime.hostMicros()
  if (born > now) return 'the message was born ahead of the host clock'
  if (now - born > maxFlightMs * 1000) {
    return `the message was under way for more than ${maxFlightMs} ms`
  }
  return undefined
}
