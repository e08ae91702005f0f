/**
 * The giving side of a handoff. It keeps no state: each pull names its range and the cursor where it
 * goes on, so pulls may be repeated, reordered, and resumed after a crash of either side. A scan
 * under the plan's epoch sees every write that this node acknowledged under an earlier one (or what
 * superseded it), because the node answers nothing of that epoch any more.
 */
import type { HandoffPull, NodeDump } from '../shared/protocol/messages.js'
import { handoffBatchBytes } from '../shared/runtime/limits.js'
import type { Entry, Range, ScanPage } from '../shared/runtime/ports.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { Desk } from './desk.js'

const wholeRing: Range = { from: 0, to: 0 }

export class HandoffSource {
  private readonly desk: Desk

  constructor(desk: Desk) {
    this.desk = desk
  }

  pull(from: Address, message: HandoffPull): void {
    const { id, cursor, limitBytes } = message
    this.scan({ from: message.from, to: message.to }, from, { id, cursor, limitBytes }, (page) => {
      const next = page.next ?? null
      this.desk.runtime.send(from, { kind: 'handoff.batch', id, entries: page.entries, next })
    })
  }

  /** What this node stores, page by page, for whoever inspects it. */
  dump(from: Address, message: NodeDump): void {
    this.scan(wholeRing, from, message, (page) => {
      const { id } = message
      const next = page.next ?? null
      const entries = message.keysOnly ? page.entries.map(withoutValue) : page.entries
      this.desk.runtime.send(from, { kind: 'node.dump.ok', id, entries, next })
    })
  }

  private scan(
    range: Range,
    from: Address,
    { id, cursor, limitBytes }: Pick<NodeDump, 'id' | 'cursor' | 'limitBytes'>,
    send: (page: ScanPage) => void,
  ): void {
    const limit = Math.max(1, Math.min(limitBytes, handoffBatchBytes))
    this.desk.engine.scan(range, cursor ?? undefined, limit, (error, page) => {
      if (page !== undefined) return send(page)
      const message = error?.message ?? 'the scan gave no page'
      this.desk.runtime.send(from, {
        kind: 'error',
        id,
        code: 'STORAGE_FAILED',
        definite: true,
        message,
      })
    })
  }
}

const noValue = new Uint8Array(0)

function withoutValue(entry: Entry): Entry {
  const { version, value } = entry.record
  return { ...entry, record: { version, value: value === null ? null : noValue } }
}
