/**
 * Coordinating a put: write the own replica, send to the other owners, answer after W durable
 * acknowledgements (quorum-write.ts). A retry with the same stamp completes what an attempt left undone.
 */
import type { StoredRecord } from '../shared/data/record.js'
import type { Desk } from './desk.js'
import { QuorumWrite } from './quorum-write.js'
import { type PutRequest, replyPut } from './request.js'

export class PutCoordination extends QuorumWrite<PutRequest> {
  constructor(desk: Desk, request: PutRequest) {
    super(desk, request, request.version.micros)
  }

  protected override make(): StoredRecord {
    const { version, value } = this.request
    return { version, value }
  }

  protected override reply(): void {
    replyPut(this.desk.runtime, this.request)
  }
}
