/**
 * A manager in waiting: it watches the one that holds the journal and is there when that one is not.
 *
 * A dead holder is seen at once, by the end of its connection and its process. One that hangs is told
 * by silence: whatever it answers to a ping, a refusal included, is a sign of life. A silent holder is
 * killed first (this works on stopped processes too) and waited for, since it might go on later; the
 * journal, which only one process can open, then decides who of several standbys takes over. So there
 * is one author of rings at any time, however wrong a standby may be about the holder.
 *
 * A pause of our own is no silence of the holder: a tick counts for little more than its period.
 */
import type { Message } from '../shared/protocol/messages.js'
import {
  gossipPeriodMs,
  livenessCheckMs,
  ownLagMaxMs,
  standbyPatienceMs,
} from '../shared/runtime/limits.js'
import type {
  Address,
  CancelTimer,
  Log,
  Millis,
  Process,
  ProcessId,
  Runtime,
} from '../shared/runtime/runtime.js'

export interface StandbyOptions {
  readonly runtime: Runtime
  readonly log: Log
  /** Who said last that it is the manager, and did not take that back by ending in good order. */
  readonly holder: () => ProcessId | undefined
  /** SIGKILL; nothing happens where it is gone already. */
  readonly kill: (process: ProcessId) => void
  /** No holder lives: try the journal. `goOn` must follow where another one was faster. */
  readonly onFree: () => void
  /** The holder ended in good order, and with it the swarm. */
  readonly onStopped: () => void
}

export class Standby implements Process {
  readonly #options: StandbyOptions
  #holder: ProcessId | undefined
  #heard = false
  /** For how long the holder has not answered, as far as we can tell. */
  #silentMs: Millis = 0
  #lastTick: Millis = 0
  #lastId = 0
  #killed = false
  /** Free or over: nothing is looked at until `goOn`. */
  #resting = false
  #cancel: CancelTimer = () => {}

  constructor(options: StandbyOptions) {
    this.#options = options
  }

  start(): void {
    this.#lastTick = this.#options.runtime.now()
    this.#tick()
  }

  /** Another one has the journal. */
  goOn(): void {
    this.#resting = false
    this.#later(livenessCheckMs)
  }

  stop(): void {
    this.#resting = true
    this.#cancel()
  }

  received(from: Address, _message: Message): void {
    if (from === 'manager') this.#heard = true
  }

  opened(): void {}

  /** Its process may take a moment longer to go than its connections. */
  closed(peer: Address): void {
    if (peer === 'manager' && !this.#resting) this.#later(livenessCheckMs)
  }

  #tick(): void {
    const holder = this.#options.holder()
    if (holder === undefined) return this.#withoutHolder()
    const isOther = holder.pid !== this.#holder?.pid || holder.startTime !== this.#holder.startTime
    this.#holder = holder
    this.#countSilence(isOther)
    if (!this.#options.runtime.isAlive(holder)) return this.#free('it is gone')
    if (this.#silentMs >= standbyPatienceMs) return this.#kill(holder)
    this.#ping()
    this.#later(gossipPeriodMs)
  }

  #withoutHolder(): void {
    if (this.#holder === undefined) return this.#free('there was none')
    this.stop()
    this.#options.onStopped()
  }

  #countSilence(isOther: boolean): void {
    const now = this.#options.runtime.now()
    const elapsed = Math.min(now - this.#lastTick, gossipPeriodMs + ownLagMaxMs)
    this.#lastTick = now
    this.#silentMs = this.#heard || isOther ? 0 : this.#silentMs + elapsed
    this.#heard = false
    if (isOther) this.#killed = false
  }

  #kill(holder: ProcessId): void {
    const { log, kill } = this.#options
    if (!this.#killed) log.warn({ holder: holder.pid }, 'the manager does not answer: killed it')
    this.#killed = true
    kill(holder)
    this.#later(livenessCheckMs)
  }

  #free(why: string): void {
    this.#options.log.info({ holder: this.#holder?.pid }, `no manager lives: ${why}`)
    this.stop()
    this.#options.onFree()
  }

  #ping(): void {
    const id = ++this.#lastId
    this.#options.runtime.send('manager', { kind: 'gossip.ping', id, epoch: 0, rumors: [] })
  }

  #later(ms: Millis): void {
    this.#cancel()
    this.#cancel = this.#options.runtime.after(ms, 'standby', () => this.#tick())
  }
}
