/**
 * The manager's journal on the simulated disk: entries become durable one after another, and a crash
 * loses those that were not. Each is kept as text, as a real journal keeps it.
 */
import type { Micros } from '../shared/data/version.js'
import type { Done, Journal } from '../shared/runtime/ports.js'
import type { Random } from './random.js'

export interface SimJournalOptions {
  /** What survives: shared by the journals of all lives of the manager. */
  readonly lines: string[]
  readonly random: Random
  readonly later: (delay: Micros, fire: () => void) => void
  readonly syncMicrosMax: Micros
}

export class SimJournal<Step> implements Journal<Step> {
  readonly #options: SimJournalOptions
  #pending: { line: string; done: Done }[] = []
  #isSyncing = false

  constructor(options: SimJournalOptions) {
    this.#options = options
  }

  append(step: Step, done: Done): void {
    this.#pending.push({ line: JSON.stringify(step), done })
    if (!this.#isSyncing) this.#sync()
  }

  close(done: Done): void {
    if (this.#pending.length === 0 && !this.#isSyncing) done(undefined)
    else this.#options.later(100, () => this.close(done))
  }

  #sync(): void {
    const { lines, random, later, syncMicrosMax } = this.#options
    const batch = this.#pending
    this.#pending = []
    this.#isSyncing = true
    later(random.between(20, syncMicrosMax), () => {
      for (const { line } of batch) lines.push(line)
      this.#isSyncing = false
      if (this.#pending.length > 0) this.#sync()
      for (const { done } of batch) done(undefined)
    })
  }
}

/** What a manager that starts on this journal replays. */
export function replay<Step>(lines: readonly string[]): Step[] {
  return lines.map((line) => JSON.parse(line) as Step)
}
