/**
 * The client ids that this node may give out while the manager is down. The manager granted them, in
 * blocks, so that no two processes ever give out the same one; what is left of a block when the node
 * ends is skipped. A further block is asked for when half of one is used, and again until it comes.
 */
import type { ClientsGrantOk } from '../../shared/protocol/messages.js'
import { managerRepeatMs, nodeClientIdBlock } from '../../shared/runtime/limits.js'
import type { CancelTimer, Runtime } from '../../shared/runtime/runtime.js'

/** Of the request to the manager; those of joins and leaves are 1 and 2: see manager-link.ts. */
const grantId = 3

export class ClientIds {
  private readonly runtime: Runtime
  private blocks: { next: number; readonly upTo: number }[] = []
  /** Until the answer to what was asked. */
  private cancelRepeat: CancelTimer | undefined

  constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  stop(): void {
    this.cancelRepeat?.()
    this.cancelRepeat = undefined
  }

  /** Undefined: all that were granted are used. */
  next(): number | undefined {
    const [block] = this.blocks
    if (block === undefined) return undefined
    const id = block.next++
    if (block.next > block.upTo) this.blocks.shift()
    this.askIfLow()
    return id
  }

  askIfLow(): void {
    const left = this.blocks.reduce((sum, { next, upTo }) => sum + upTo - next + 1, 0)
    if (this.cancelRepeat !== undefined || left > nodeClientIdBlock / 2) return
    this.runtime.send('manager', { kind: 'clients.grant', id: grantId })
    this.cancelRepeat = this.runtime.after(managerRepeatMs, 'client ids', () => {
      this.cancelRepeat = undefined
      this.askIfLow()
    })
  }

  /** Of several answers to one question, all but the first are skipped, as lost ones would be. */
  granted({ from, upTo }: ClientsGrantOk): void {
    if (this.cancelRepeat === undefined) return
    this.stop()
    if (from <= upTo) this.blocks.push({ next: from, upTo })
    this.askIfLow()
  }
}
