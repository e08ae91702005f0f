/**
 * The get of a chain that is explained (explain.ts). Its reader makes it. Where the reader cannot be
 * reached, another member explains that nobody answers, and what the others hold.
 */
import type { StoredRecord } from '../shared/data/record.js'
import type { Chain } from './chain/chain.js'
import { ChainGet } from './chain/chain-get.js'
import type { Desk } from './desk.js'
import { type Watch, type WatchedGet, watchNobody } from './explain.js'
import type { Outcome } from './explain-reasons.js'
import type { ExplainRequest } from './request.js'

type Settled = (outcome: Outcome) => void

class WatchedChainGet extends ChainGet implements WatchedGet {
  private readonly settled: Settled

  constructor(desk: Desk, chain: Chain, request: ExplainRequest, settled: Settled) {
    super(desk, chain, { ...request, kind: 'get' })
    this.settled = settled
  }

  get remarks(): readonly string[] {
    const { self } = this.desk
    if (this.mayRead) return []
    return [
      `the mark of epoch ${this.epoch} has not come to ${self} yet: until then it answers nobody`,
    ]
  }

  drop(): void {
    if (!this.over) this.end()
  }

  /** The explanation starts again, and with it the get. */
  override ringChanged(): void {
    this.drop()
  }

  protected override deliver(record: StoredRecord | undefined): void {
    this.settled({ is: 'answered', record, counted: this.acknowledged(), wroteBack: false })
  }

  protected override refuse(code: string, message: string): void {
    if (this.over) return
    this.end()
    this.settled({ is: 'refused', why: `${code}: ${message}` })
  }

  /** An explanation is no operation of a client. */
  protected override succeeded(): void {}
}

/** What the router makes of an `explain` in a chain. */
export function watchChainGet(chain: Chain): Watch {
  return (desk, request, settled) => {
    const reader = desk.ring.arcOf(request.token).chain?.reader ?? ''
    if (reader === desk.self) return new WatchedChainGet(desk, chain, request, settled)
    const why = reader === '' ? 'the chain has no reader' : `its reader, ${reader}, was not reached`
    return watchNobody(why)(desk, request, settled)
  }
}
