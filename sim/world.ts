/**
 * Virtual time: a queue of events in order of (time, sequence). Nothing happens between two events,
 * so a run is a pure function of its seed. All processes share one clock, as on one host.
 */
import type { Micros } from '../shared/data/version.js'
import { Random } from './random.js'
import { Trace, type TraceSink } from './trace.js'

/** The host had been up for a while when the run began. */
const hostMicrosAtStart = 1_000_000_000
/** What its clock shows when its processes are started again after a reboot. */
const hostMicrosAfterBoot = 4_000_000

interface WorldEvent {
  readonly time: Micros
  readonly sequence: number
  fire: (() => void) | undefined
}

export class World {
  readonly seed: number
  readonly trace: Trace
  readonly #heap: WorldEvent[] = []
  #time: Micros = 0
  /** Since when the host's clock counts. */
  #bootedAt: Micros = -hostMicrosAtStart
  #sequence = 0
  #eventsFired = 0
  #inTurn = false

  constructor(seed: number, sink?: TraceSink) {
    this.seed = seed
    this.trace = new Trace(sink)
  }

  /** A stream of randomness of this run. */
  random(name: string): Random {
    return new Random(this.seed, name)
  }

  /** Microseconds since the run began. */
  get micros(): Micros {
    return this.#time
  }

  /** The clock that all processes share. */
  get hostMicros(): Micros {
    return this.#time - this.#bootedAt
  }

  /** The host begins another life: its clock counts anew. */
  restartClock(): void {
    this.#bootedAt = this.#time - hostMicrosAfterBoot
  }

  get eventsFired(): number {
    return this.#eventsFired
  }

  /** Calls `fire` after `delay` microseconds; returns what cancels it. */
  at(delay: Micros, fire: () => void): () => void {
    const event: WorldEvent = {
      time: this.#time + Math.max(0, Math.round(delay)),
      sequence: this.#sequence++,
      fire,
    }
    this.#push(event)
    return () => {
      event.fire = undefined
    }
  }

  /** Runs the next event; false if there is none. */
  step(): boolean {
    for (;;) {
      const event = this.#pop()
      if (event === undefined) return false
      if (event.fire === undefined) continue
      this.#time = event.time
      this.#eventsFired++
      event.fire()
      return true
    }
  }

  /** Runs until `done` holds or the time or the events have run out; returns what `done` says then. */
  runUntil(done: () => boolean, limitMicros: Micros): boolean {
    const end = this.#time + limitMicros
    while (!done()) {
      if (this.#nextTime() > end || !this.step()) return done()
    }
    return true
  }

  /** One process runs at a time: false while another one's turn is under way. */
  enter(): boolean {
    if (this.#inTurn) return false
    this.#inTurn = true
    return true
  }

  leave(): void {
    this.#inTurn = false
  }

  #nextTime(): Micros {
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY
  }

  #push(event: WorldEvent): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as WorldEvent
      if (!isBefore(event, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #pop(): WorldEvent | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (last === undefined || last === top) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (
        child + 1 < heap.length &&
        isBefore(heap[child + 1] as WorldEvent, heap[child] as WorldEvent)
      )
        child++
      if (!isBefore(heap[child] as WorldEvent, last)) break
      heap[at] = heap[child] as WorldEvent
      at = child
    }
    heap[at] = last
    return top
  }
}

function isBefore(a: WorldEvent, b: WorldEvent): boolean {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence)
}
