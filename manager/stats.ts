/**
 * Asks every node how it does, for `status` and for the progress of a change. Whoever asks while a
 * round is on its way shares it; a node that does not answer in time is left out, since a paused one
 * must not hold up the report that shows it.
 */
import type { NodeStatsOk } from '../shared/protocol/messages.js'
import { statusWaitMs } from '../shared/runtime/limits.js'
import type { Address, CancelTimer, Runtime } from '../shared/runtime/runtime.js'

export type NodeAnswers = ReadonlyMap<Address, NodeStatsOk>

interface Round {
  readonly open: Map<number, Address>
  readonly answers: Map<Address, NodeStatsOk>
  readonly done: ((answers: NodeAnswers) => void)[]
  readonly cancel: CancelTimer
}

export class StatsRounds {
  readonly #runtime: Runtime
  #lastId = 0
  #round: Round | undefined

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  collect(nodes: readonly Address[], done: (answers: NodeAnswers) => void): void {
    if (this.#round !== undefined) {
      this.#round.done.push(done)
      return
    }
    const cancel = this.#runtime.after(statusWaitMs, 'manager status', () => this.#finish())
    const round: Round = { open: new Map(), answers: new Map(), done: [done], cancel }
    this.#round = round
    for (const node of nodes) {
      const id = ++this.#lastId
      if (this.#runtime.send(node, { kind: 'node.stats', id })) round.open.set(id, node)
    }
    this.#finishIfAnswered()
  }

  /** `stats` undefined: the node refused. */
  answered(from: Address, id: number, stats: NodeStatsOk | undefined): void {
    if (this.#round?.open.get(id) !== from) return
    this.#round.open.delete(id)
    if (stats !== undefined) this.#round.answers.set(from, stats)
    this.#finishIfAnswered()
  }

  closed(peer: Address): void {
    for (const [id, node] of this.#round?.open ?? []) {
      if (node === peer) this.#round?.open.delete(id)
    }
    this.#finishIfAnswered()
  }

  #finishIfAnswered(): void {
    if (this.#round?.open.size === 0) this.#finish()
  }

  #finish(): void {
    const round = this.#round
    if (round === undefined) return
    this.#round = undefined
    round.cancel()
    for (const done of round.done) done(round.answers)
  }
}
