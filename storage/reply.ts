/** What peers are answered, whatever they asked: under the ring that they asked by, or why not. */
import type { ErrorCode } from '../shared/protocol/errors.js'
import type { Message } from '../shared/protocol/messages.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { Desk } from './desk.js'

/** Answers if the node still holds the ring of that epoch; else `stale`: nobody must count the answer. */
export function answer(
  desk: Desk,
  to: Address,
  epoch: number,
  reply: Message & { readonly id: number },
): void {
  const held = desk.ring.epoch
  desk.runtime.send(to, held === epoch ? reply : { kind: 'stale', id: reply.id, epoch: held })
}

/** Definite unless the store had begun with it. */
export function refuse(
  desk: Desk,
  to: Address,
  id: number,
  code: ErrorCode,
  message: string,
): void {
  const definite = code !== 'STORAGE_FAILED'
  desk.runtime.send(to, { kind: 'error', id, code, definite, message })
}

/** The store failed at it: the node goes out of service, and says why. */
export function refuseFailed(desk: Desk, to: Address, id: number, error: Error): void {
  desk.storageFailed(error)
  refuse(desk, to, id, 'STORAGE_FAILED', error.message)
}
