/**
 * The manager's state and its journal, kept together: a step is folded in at once, so that the next
 * decision rests on it, and its effect on the world follows once the step is durable. When the
 * journal fails, nothing more has an effect: what we decided from then on was never decided.
 */
import { journalStepsMax } from '../shared/runtime/limits.js'
import type { Done, Journal } from '../shared/runtime/ports.js'
import { fold, initialState, type ManagerState } from './state.js'
import { parseStep, type Step } from './steps.js'

export class Ledger {
  readonly #journal: Journal<Step>
  readonly #onFailed: (error: Error) => void
  readonly #isLong: boolean
  #state: ManagerState
  #closed = false
  #pending = 0
  #onDurable: (() => void)[] = []

  constructor(journal: Journal<Step>, steps: readonly unknown[], onFailed: (error: Error) => void) {
    this.#journal = journal
    this.#onFailed = onFailed
    this.#isLong = steps.length > journalStepsMax
    this.#state = steps.map(parseStep).reduce(fold, initialState)
  }

  get state(): ManagerState {
    return this.#state
  }

  commit(step: Step, effect: () => void = () => {}): void {
    if (this.#closed) return
    this.#state = fold(this.#state, step)
    this.#journal.append(step, this.#expect(effect))
  }

  /** Others have seen this epoch and this boot of the host: what we number goes above them. */
  heardOf({ epoch, boot }: { readonly epoch: number; readonly boot: number }): void {
    if (epoch > this.#state.epoch) this.commit({ step: 'epoch.raised', epoch })
    if (boot <= this.#state.boot) return
    this.commit({ step: 'boot.raised', bootId: this.#state.bootId, boot: boot + 1 })
  }

  /** Once, at the start of a manager: a journal that has grown long is replaced by what it amounts to. */
  compactIfLong(): void {
    if (this.#closed || !this.#isLong) return
    const step: Step = { step: 'swarm.snapshot', state: this.#state }
    this.#journal.compact(
      step,
      this.#expect(() => {}),
    )
  }

  /** For answers that rest on the state itself: `effect` follows once all of it is durable. */
  whenDurable(effect: () => void): void {
    if (this.#closed) return
    this.#onDurable.push(effect)
    if (this.#pending === 0) this.#tellDurable()
  }

  /** Effects of steps that are not durable yet no longer happen: the next life catches up. */
  close(done: () => void): void {
    if (this.#closed) return done()
    this.#closed = true
    this.#journal.close(() => done())
  }

  #expect(effect: () => void): Done {
    this.#pending++
    return (error) => {
      this.#pending--
      if (this.#closed) return
      if (error !== undefined) return this.#fail(error)
      effect()
      if (this.#pending === 0) this.#tellDurable()
    }
  }

  #tellDurable(): void {
    const effects = this.#onDurable
    this.#onDurable = []
    for (const effect of effects) effect()
  }

  #fail(error: Error): void {
    this.#closed = true
    this.#journal.close(() => this.#onFailed(error))
  }
}
