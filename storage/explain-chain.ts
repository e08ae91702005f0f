/**
 * The get of a chain that is explained (explain.ts). Its reader makes it. Where the reader cannot be
 * reached, another member explains that nobody answers, and what the others hold.
 */
import type { StoredRecord } from '../shared/data/record.js'
import type { Chain } from './chain/chain.js'
import { ChainGet } from './chain/chain-get.js'
import type { Desk } from './desk.js'
import type { Watch, WatchedGet } from './explain.js'
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

/** Made by a member that is not the reader. */
class GetWithoutReader implements WatchedGet {
  readonly remarks: readonly string[] = []
  private readonly why: string
  private readonly settled: Settled

  constructor(desk: Desk, { token }: ExplainRequest, settled: Settled) {
    const reader = desk.ring.arcOf(token).chain?.reader ?? ''
    this.why = reader === '' ? 'the chain has no reader' : `its reader, ${reader}, was not reached`
    this.settled = settled
  }

  begin(): void {
    this.settled({ is: 'refused', why: this.why })
  }

  drop(): void {}
}

/** What the router makes of an `explain` in a chain. */
export function watchChainGet(chain: Chain): Watch {
  return (desk, request, settled) => {
    const isReader = desk.ring.arcOf(request.token).chain?.reader === desk.self
    if (isReader) return new WatchedChainGet(desk, chain, request, settled)
    return new GetWithoutReader(desk, request, settled)
  }
}
