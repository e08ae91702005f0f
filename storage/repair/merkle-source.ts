/**
 * The answering side of a comparison: hashes the range that another owner names and sends the leaves.
 * One comparison is served at a time, and one waits for each peer: a peer that asks again has given up
 * its question before. So whatever the peers do, this takes the memory of one page.
 */
import type { MerkleGet } from '../../shared/protocol/messages.js'
import { rangeWidth } from '../../shared/ring/token.js'
import { merkleLeavesMax } from '../../shared/runtime/limits.js'
import type { Address } from '../../shared/runtime/runtime.js'
import { buildLeaves, type RepairContext } from './leaves.js'

export class MerkleSource {
  private readonly context: RepairContext
  /** In the order of asking, one of each peer. */
  private readonly waiting = new Map<Address, MerkleGet>()
  private serving: MerkleGet | undefined

  constructor(context: RepairContext) {
    this.context = context
  }

  asked(from: Address, message: MerkleGet): void {
    const { leaves } = message
    if (leaves < 1 || leaves > Math.min(merkleLeavesMax, rangeWidth(message))) {
      const { id } = message
      this.context.desk.runtime.send(from, {
        kind: 'error',
        id,
        code: 'INVALID_ARGUMENT',
        definite: true,
        message: `a range is cut into 1 to ${merkleLeavesMax} leaves, not ${leaves}`,
      })
      return
    }
    this.waiting.set(from, message)
    this.serveNext()
  }

  /** Whoever asked under the ring before does not wait any more; the same if the node ends. */
  forgetAll(): void {
    this.waiting.clear()
    this.serving = undefined
  }

  closed(peer: Address): void {
    this.waiting.delete(peer)
  }

  private serveNext(): void {
    const next = this.waiting.entries().next().value
    if (this.serving !== undefined || next === undefined) return
    const [from, message] = next
    this.waiting.delete(from)
    this.serving = message
    const isOver = () => this.serving !== message
    buildLeaves(this.context, { range: message, leaves: message.leaves }, isOver, ({ hashes }) => {
      this.serving = undefined
      this.context.desk.runtime.send(from, { kind: 'merkle.get.ok', id: message.id, hashes })
      this.serveNext()
    })
  }
}
