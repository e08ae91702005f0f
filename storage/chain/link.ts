/**
 * The way to the next member of a chain. What goes over one connection arrives in its order, or the end
 * of it is lost with the connection: then, and where the queue was full, nothing more goes until all
 * that is not committed was sent down once more. So whatever arrives, nothing that was sent before it in
 * the same session is missing.
 *
 * Each session has a number of its own, which its messages carry as their id: whoever cannot take one
 * of them refuses the session with it.
 */

import type { ChainMark, ChainPut } from '../../shared/protocol/messages.js'
import { chainRetryMs } from '../../shared/runtime/limits.js'
import type { Address, CancelTimer, Runtime } from '../../shared/runtime/runtime.js'

/** Ids of sessions; those of requests are below it (in-flight.ts). */
export const sessionIdMin = 2 ** 31

export interface LinkOptions {
  readonly runtime: Runtime
  readonly peer: Address
  /** Ascending, from sessionIdMin. */
  nextSession(): number
  /** A new session began: everything is to be sent again. */
  resumed(): void
}

export class Link {
  /** `closed`: the connection is gone; `full`: its queue was; `refused`: the peer lost a message. */
  state: 'open' | 'closed' | 'full' | 'refused' = 'open'
  session: number
  private readonly options: LinkOptions
  private cancel: CancelTimer = () => {}

  constructor(options: LinkOptions) {
    this.options = options
    this.session = options.nextSession()
  }

  get isOpen(): boolean {
    return this.state === 'open'
  }

  /** Without effect while the link is broken: what is not committed goes with the next session. */
  send(message: ChainPut | ChainMark): void {
    if (!this.isOpen) return
    const { runtime, peer } = this.options
    if (!runtime.send(peer, message)) this.break('full')
  }

  break(state: 'closed' | 'full' | 'refused'): void {
    this.state = state
    this.cancel()
    const { runtime } = this.options
    this.cancel = runtime.after(chainRetryMs, 'resume a link', () => this.resume())
  }

  /** Under a new ring everything is sent anew: what is refused of the one before tells nothing. */
  renew(): void {
    this.session = this.options.nextSession()
  }

  /** The peer is there again. */
  opened(): void {
    if (this.state === 'closed') this.resume()
  }

  stop(): void {
    this.cancel()
    this.state = 'closed'
  }

  private resume(): void {
    this.cancel()
    this.state = 'open'
    this.renew()
    this.options.resumed()
  }
}
