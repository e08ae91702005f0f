/**
 * What the supervisor keeps of one process: how it is started, and when it is started again. The pause
 * before a restart doubles, as that of `gtstore up` does; some seeds leave a process down for long, as
 * a person would who was not told.
 */
import type { Millis } from '../shared/runtime/runtime.js'
import type { Random } from './random.js'
import type { World } from './world.js'

const restartPauseMs = 100
const restartPauseMaxMs = 5_000
/** A process that lived for so long begins with the shortest pause again. */
const restartForgetMs = 10_000

export interface KeeperOptions {
  readonly world: World
  readonly random: Random
  /** Share of the deaths after which nobody starts the process again for long. */
  readonly lateShare: number
  readonly lateMs: Millis
  readonly start: () => void
  /** Nobody looks after the processes now. */
  readonly isUnattended: () => boolean
}

export class Keeper {
  readonly #options: KeeperOptions
  #pauseMs: Millis = restartPauseMs
  #startedAt = 0
  #cancel: (() => void) | undefined
  #isRunning = false
  /** It is not started again, whatever happens. */
  isReleased = false
  /** It stays down until somebody asks for it. */
  isAbandoned = false
  /** No death leaves it down for long any more. */
  isPrompt = false

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  /** At once; nothing where it runs. */
  start(): void {
    if (this.#isRunning || this.isReleased) return
    this.#cancel?.()
    this.isAbandoned = false
    this.#isRunning = true
    this.#startedAt = this.#options.world.micros
    this.#options.start()
  }

  /** The process died: it is started again after a while. */
  died(): void {
    const { world, random, lateShare, lateMs } = this.#options
    this.#isRunning = false
    if (this.isReleased || this.isAbandoned) return
    if (world.micros - this.#startedAt > restartForgetMs * 1_000) this.#pauseMs = restartPauseMs
    const isLate = !this.isPrompt && random.chance(lateShare)
    const pauseMs = isLate ? random.between(restartPauseMs, lateMs) : this.#pauseMs
    this.#pauseMs = Math.min(this.#pauseMs * 2, restartPauseMaxMs)
    this.#startIn(pauseMs)
  }

  /** It ended as it was meant to. */
  ended(): void {
    this.#isRunning = false
    this.isReleased = true
  }

  #startIn(pauseMs: Millis): void {
    this.#cancel = this.#options.world.at(pauseMs * 1_000, () => {
      if (this.#options.isUnattended()) this.#startIn(restartPauseMs)
      else this.start()
    })
  }
}
