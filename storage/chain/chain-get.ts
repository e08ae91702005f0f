/**
 * A get in a chain: its reader alone answers, with what is durable there, once the mark of the epoch has
 * come, and only while that epoch is the current one (fence.ts).
 */
import type { StoredRecord } from '../../shared/data/record.js'
import type { NodeId } from '../../shared/ring/description.js'
import { Coordination } from '../coordination.js'
import type { Desk } from '../desk.js'
import { hasValue } from '../replica.js'
import { type GetRequest, replyGet } from '../request.js'
import type { Chain } from './chain.js'

export class ChainGet extends Coordination<GetRequest> {
  private readonly chain: Chain
  private record: StoredRecord | undefined
  private bytes = 0
  private hasRead = false

  constructor(desk: Desk, chain: Chain, request: GetRequest) {
    super(desk, request)
    this.chain = chain
  }

  /** The mark has come. */
  get mayRead(): boolean {
    return this.chain.hasMark(this.request.token)
  }

  begin(): void {
    this.chain.whenMarked(this.request.token, () => this.read())
  }

  /** Nobody else is asked. */
  protected override answered(): void {}

  protected override failed(): void {}

  protected override sweepOpen(): void {}

  protected override acknowledged(): readonly NodeId[] {
    return this.hasRead ? [this.desk.self] : []
  }

  protected override reply(): void {
    this.deliver(this.record)
  }

  /** To whoever asked. */
  protected deliver(record: StoredRecord | undefined): void {
    const { runtime, mode, self } = this.desk
    replyGet(runtime, mode, this.request, record, self)
  }

  protected override succeeded(): void {
    const { key } = this.request
    const hasFound = hasValue(this.record)
    this.desk.operations.got('coordinated', key, hasFound, this)
    this.desk.operations.got('replicated', key, hasFound)
  }

  protected override end(): void {
    super.end()
    this.desk.readBytes.giveBack(this.bytes)
    this.bytes = 0
  }

  private read(): void {
    if (this.over) return
    const { engine, readBytes } = this.desk
    engine.read(this.request.token, this.request.key, (error, record) => {
      if (error !== undefined) return this.desk.storageFailed(error)
      if (this.over) return
      this.hasRead = true
      this.record = record
      this.bytes = record?.value?.length ?? 0
      readBytes.take(this.bytes)
      this.answer()
    })
  }
}
