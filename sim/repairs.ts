/**
 * Anti-entropy on demand, as `gtstore repair` does it: every node compares all that it owns with the
 * other owners, and says what it had to copy.
 */
import type { Message } from '../shared/protocol/messages.js'
import type { Address, Process } from '../shared/runtime/runtime.js'
import type { SimRuntime } from './runtime.js'
import type { Swarm } from './swarm.js'

const pollMs = 20

/** What a round over all nodes came to. */
export interface RepairRound {
  /** Records that were missing somewhere. */
  readonly moved: number
  /** Ranges that could not be compared. */
  readonly skipped: number
}

export class Repairs implements Process {
  readonly #swarm: Swarm
  readonly #runtime: SimRuntime
  readonly #passes = new Map<Address, number>()
  readonly #ended = new Map<Address, RepairRound>()
  #done: (round: RepairRound) => void = () => {}

  constructor(swarm: Swarm) {
    this.#swarm = swarm
    this.#runtime = swarm.host.openRuntime('repairs', false)
    this.#runtime.attach(this)
  }

  /** One pass at every node that runs. */
  round(done: (round: RepairRound) => void): void {
    this.#done = done
    this.#passes.clear()
    this.#ended.clear()
    this.#runtime.arrive(() => {
      for (const node of this.#nodes()) this.#runtime.send(node, { kind: 'repair.start', id: 1 })
    })
  }

  received(from: Address, message: Message): void {
    if (message.kind === 'repair.start.ok') {
      this.#passes.set(from, message.pass)
      this.#ask(from)
    } else if (message.kind === 'node.stats.ok') {
      const { pass, running, received, given, skipped } = message.repair
      const isOver = pass === this.#passes.get(from) && !running
      if (!isOver) return this.#ask(from)
      this.#ended.set(from, { moved: received + given, skipped })
      this.#endIfAllDid()
    }
  }

  opened(): void {}

  closed(): void {}

  #nodes(): Address[] {
    return this.#swarm.nodes.flatMap(({ address }) => address ?? [])
  }

  #ask(node: Address): void {
    this.#runtime.after(pollMs, 'repair progress', () => {
      this.#runtime.send(node, { kind: 'node.stats', id: 2 })
    })
  }

  #endIfAllDid(): void {
    const rounds = this.#nodes().map((node) => this.#ended.get(node))
    let [moved, skipped] = [0, 0]
    for (const round of rounds) {
      if (round === undefined) return
      moved += round.moved
      skipped += round.skipped
    }
    this.#done({ moved, skipped })
  }
}
