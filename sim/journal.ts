/**
 * The manager's journal on the simulated disk: entries become durable one after another, and a crash
 * loses those that were not; of a sync under way, all, none or the first entries come through. Each is
 * kept as text, as a real journal keeps it.
 */
import type { Micros } from '../shared/data/version.js'
import type { Done, Journal } from '../shared/runtime/ports.js'
import { tornAt } from './engine.js'
import type { Random } from './random.js'

/** What survives: shared by the journals of all lives of the manager. */
export interface JournalFile {
  readonly lines: string[]
  /** What the disk under it adds to every sync now. */
  slowMicros: Micros
}

/** Where a crash of the manager is most interesting. */
export type Boundary = 'before the sync' | 'before the effect' | 'after the effect'

export interface SimJournalOptions {
  readonly file: JournalFile
  readonly random: Random
  readonly later: (delay: Micros, fire: () => void) => void
  readonly syncMicrosMax: Micros
  /** True: the process was killed there. */
  readonly atBoundary?: (boundary: Boundary) => boolean
}

interface Pending {
  readonly line: string
  /** It stands for all that is older. */
  readonly isWhole: boolean
  readonly done: Done
}

export class SimJournal<Step> implements Journal<Step> {
  readonly #options: SimJournalOptions
  #pending: Pending[] = []
  #syncing: readonly Pending[] = []
  #isSyncing = false
  #failure: Error | undefined
  #isClosed = false

  constructor(options: SimJournalOptions) {
    this.#options = options
  }

  append(step: Step, done: Done): void {
    this.#add(step, false, done)
  }

  compact(step: Step, done: Done): void {
    this.#add(step, true, done)
  }

  close(done: Done): void {
    this.#isClosed = true
    const isOver = this.#pending.length === 0 && !this.#isSyncing
    if (isOver || this.#failure !== undefined) done(this.#failure)
    else this.#options.later(100, () => this.close(done))
  }

  /** The disk refuses from now on: what was not synced fails, and all that follows. */
  fail(error: Error): void {
    this.crash()
    this.#failure = error
    for (const { done } of [...this.#syncing, ...this.#pending.splice(0)]) done(error)
  }

  /** What the file will hold once everything that was appended is durable. */
  get lines(): readonly string[] {
    const future: JournalFile = { lines: [...this.#options.file.lines], slowMicros: 0 }
    const underWay = this.#isSyncing ? this.#syncing : []
    for (const pending of [...underWay, ...this.#pending]) write(future, pending)
    return future.lines
  }

  /** The process died. */
  crash(): void {
    if (!this.#isSyncing) return
    this.#isSyncing = false
    const { random, file } = this.#options
    const kept = tornAt(random, this.#syncing.length)
    for (const pending of this.#syncing.slice(0, kept)) write(file, pending)
  }

  #add(step: Step, isWhole: boolean, done: Done): void {
    const refusal = this.#isClosed ? new Error('the journal is closed') : this.#failure
    if (refusal !== undefined) {
      done(refusal)
      return
    }
    this.#pending.push({ line: JSON.stringify(step), isWhole, done })
    if (!this.#isSyncing) this.#sync()
  }

  #sync(): void {
    const { file, random, later, syncMicrosMax } = this.#options
    this.#syncing = this.#pending
    this.#pending = []
    this.#isSyncing = true
    later(random.between(20, syncMicrosMax) + file.slowMicros, () => this.#finishSync())
    // A crash here is one at the end of the turn that asked, before anything reached the disk.
    this.#options.atBoundary?.('before the sync')
  }

  #finishSync(): void {
    if (!this.#isSyncing) return
    const batch = this.#syncing
    for (const pending of batch) write(this.#options.file, pending)
    this.#syncing = []
    this.#isSyncing = false
    if (this.#options.atBoundary?.('before the effect') === true) return
    if (this.#pending.length > 0) this.#sync()
    for (const { done } of batch) done(undefined)
    this.#options.atBoundary?.('after the effect')
  }
}

function write({ lines }: JournalFile, { line, isWhole }: Pending): void {
  if (isWhole) lines.length = 0
  lines.push(line)
}

/** What a manager that starts on this journal replays. */
export function replay<Step>(lines: readonly string[]): Step[] {
  return lines.map((line) => JSON.parse(line) as Step)
}
