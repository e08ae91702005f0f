/**
 * Keeps one process of the swarm running: starts it, or adopts one that somebody else started, and
 * starts it again when it crashes. A process that ends by itself with exit code 0 was told to (it left,
 * or the swarm stops) and stays gone.
 *
 * The pause before a restart doubles, so that a process that cannot start costs next to nothing, and
 * begins anew once the process has lived for a while, so that a crash a day is mended at once.
 */
import type { ChildProcess } from 'node:child_process'
import { isProcessAlive, startTimeOf } from '../shared/os/linux.js'
import type { ProcessEntry } from '../shared/os/process-files.js'
import type { Address, ProcessId } from '../shared/runtime/runtime.js'
import { exitCodes } from './errors.js'
import {
  restartForgetMs,
  restartMs,
  restartPauseMaxMs,
  restartPauseMs,
  watchAdoptedMs,
} from './limits.js'

export interface KeeperOptions {
  /** `manager`, `n3`, or empty for a new node until it has an id. */
  readonly name: string
  start(name: string): ChildProcess
  readonly restart: boolean
  /** The process of this name that runs: it is adopted where it would be started. */
  running(name: string): ProcessEntry | undefined
  /** What the process is called by now: a node that was evicted goes on as a new one. */
  nameOf(process: ProcessId): string | undefined
  /** An adopted process has no exit code: did it say goodbye? */
  endedClean(address: Address): boolean
  note(text: string): void
  onEnded(keeper: Keeper, how: 'clean' | 'crashed'): void
}

export class Keeper {
  readonly #options: KeeperOptions
  /** A new node's is learnt later: a crash then restarts it, and not another. */
  name: string
  #process: ProcessId | undefined
  #startedAt = 0
  #pauseMs = restartPauseMs
  #timer: NodeJS.Timeout | undefined
  #released = false
  /** Somebody asked for it while its process, dead or alive, did not serve: not yet, or no more. */
  #asked: { readonly at: number; readonly alive: boolean } | undefined
  /** Ended for good: clean, or crashed and not to be started again. */
  done = false
  /** It ran before this supervisor did. */
  adopted = false
  crashes = 0

  constructor(options: KeeperOptions) {
    this.#options = options
    this.name = options.name
  }

  get process(): ProcessId | undefined {
    return this.#process
  }

  /**
   * Starts it at once, also where it would stay down; nothing while it serves. `why` is told. A
   * process that has said its last words lives on for a moment: it is followed by another one.
   */
  start(why?: string): void {
    if (this.#released) return
    if (this.#process === undefined) return this.#startNow(why)
    const alive = isProcessAlive(this.#process)
    this.#asked = alive && this.#isNamed ? undefined : { at: performance.now(), alive }
  }

  /** It came to serve, and has not said goodbye. */
  get #isNamed(): boolean {
    return this.#process !== undefined && this.#options.nameOf(this.#process) !== undefined
  }

  #startNow(why?: string): void {
    clearTimeout(this.#timer)
    const running = this.name === '' ? undefined : this.#options.running(this.name)
    if (running !== undefined) {
      this.#options.note(`${this.name} runs already (pid ${running.pid}): it is looked after`)
      return this.adopt(running, running.address)
    }
    this.#startedAt = performance.now()
    const child = this.#options.start(this.name)
    child.once('error', (error) => this.#crashed(`cannot be started: ${error.message}`))
    if (child.pid === undefined) return
    this.#process = { pid: child.pid, startTime: startTimeOf(child.pid) ?? '' }
    const name = this.name || 'a new node'
    if (why !== undefined) this.#options.note(`${name} is started (pid ${child.pid}): ${why}`)
    child.once('exit', (code, signal) => {
      if (code === 0) this.#ended('clean')
      else if (code === exitCodes.anotherManager) this.#supplanted()
      else if (code === exitCodes.dismissed) this.#dismissed()
      else this.#crashed(signal === null ? `ended with exit code ${code}` : `ended by ${signal}`)
    })
  }

  adopt(process: ProcessId, address: Address): void {
    this.adopted = true
    this.#startedAt = performance.now()
    this.#process = process
    this.#timer = setInterval(() => {
      if (isProcessAlive(process)) return
      clearInterval(this.#timer)
      if (this.#options.endedClean(address)) this.#ended('clean')
      else this.#crashed('ended')
    }, watchAdoptedMs)
  }

  /** From now on the process may end without being started again. */
  release(): void {
    this.#released = true
    clearTimeout(this.#timer)
  }

  /** A standby took over: it is looked after in place of the one that found it there. */
  #supplanted(): void {
    const running = this.#options.running(this.name)
    if (running === undefined) return this.#crashed('found another one in its place')
    this.#options.note(`another process is the ${this.name} (pid ${running.pid})`)
    this.adopt(running, running.address)
  }

  /** It was killed to be taken out, and learnt that after its restart. */
  #dismissed(): void {
    const what = `${this.name} was taken out of the swarm`
    if (this.#startedAsAsked(what)) return
    this.#options.note(`${what}: it is not started again`)
    this.#ended('clean')
  }

  /** Once for whoever asked and may wait still, unless it came to serve meanwhile. */
  #startedAsAsked(what: string): boolean {
    const asked = this.#asked
    this.#asked = undefined
    if (asked === undefined || this.#released) return false
    const served = asked.alive && this.#isNamed
    if (served || performance.now() - asked.at > restartMs) return false
    this.#options.note(`${what}; it is started again, as it was asked for`)
    this.#process = undefined
    this.#startNow()
    return true
  }

  /** A node that was evicted goes on as a new one, in the same process. */
  learnName(): void {
    if (this.#process !== undefined) this.name = this.#options.nameOf(this.#process) ?? this.name
  }

  #crashed(how: string): void {
    this.crashes++
    const { restart, note } = this.#options
    this.learnName()
    const name = this.name || 'a new node'
    const pid = this.#process === undefined ? '' : ` (pid ${this.#process.pid})`
    if (this.#startedAsAsked(`${name}${pid} ${how}`)) return
    if (this.#released || !restart) {
      if (!this.#released) note(`${name}${pid} ${how}; it is not started again (--restart never)`)
      this.#ended('crashed')
      return
    }
    if (performance.now() - this.#startedAt > restartForgetMs) this.#pauseMs = restartPauseMs
    note(`${name}${pid} ${how}; it is started again in ${this.#pauseMs} ms`)
    this.#process = undefined
    this.#timer = setTimeout(() => this.#startNow(), this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, restartPauseMaxMs)
    this.#options.onEnded(this, 'crashed')
  }

  #ended(how: 'clean' | 'crashed'): void {
    this.#process = undefined
    this.done = true
    this.#options.onEnded(this, how)
  }
}
