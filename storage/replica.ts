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

export class Replica {
  private readonly desk: Desk
  private readonly boot: number

  constructor(desk: Desk, boot: number) {
    this.desk = desk
    this.boot = boot
  }

  put(from: Address, message: ReplicaPut): void {
    const { id, epoch, token, key, value, version, born } = message
    if (this.desk.disk.isLow()) return this.refuse(from, id, 'DISK_FULL', 'the disk is nearly full')
    const refusal = stampRefusal(this.desk.runtime, this.boot, version, born)
    if (refusal !== undefined) return this.refuse(from, id, 'EXPIRED', refusal)
    this.desk.engine.apply({ token, key, record: { version, value } }, (error) => {
      if (error !== undefined) this.storageFailed(from, id, error)
      else if (this.isCurrent(from, id, epoch)) {
        this.desk.runtime.send(from, { kind: 'replica.put.ok', id })
      }
    })
  }

  get(from: Address, message: ReplicaGet): void {
    const { id, epoch, token, key } = message
    this.desk.engine.read(token, key, (error, record) => {
      if (error !== undefined) this.storageFailed(from, id, error)
      else if (this.isCurrent(from, id, epoch)) this.tell(from, id, record)
    })
  }

  private tell(from: Address, id: number, record: StoredRecord | undefined): void {
    const value = record?.value ?? null
    const version = record?.version ?? null
    this.desk.runtime.send(from, { kind: 'replica.get.ok', id, value, version })
  }

  private isCurrent(from: Address, id: number, epoch: number): boolean {
    const held = this.desk.ring.epoch
    if (held === epoch) return true
    this.desk.runtime.send(from, { kind: 'stale', id, epoch: held })
    return false
  }

  private storageFailed(from: Address, id: number, error: Error): void {
    this.desk.storageFailed(error)
    this.refuse(from, id, 'STORAGE_FAILED', error.message)
  }

  /** Definite unless the store had begun with it. */
  private refuse(from: Address, id: number, code: ErrorCode, message: string): void {
    const definite = code !== 'STORAGE_FAILED'
    this.desk.runtime.send(from, { kind: 'error', id, code, definite, message })
  }
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
