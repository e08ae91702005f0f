/**
 * The requests a process has sent and not finished: small integers to objects. A request that starts
 * again takes a new id, so that late answers to its earlier attempt find nothing.
 */

/** Ids stay small integers for the map and the codec; reuse after two billion is harmless. */
const idMax = 2 ** 31 - 1

export class InFlight<T> {
  private readonly entries = new Map<number, T>()
  private readonly becameBusy: () => void
  private last = 0

  /** `becameBusy` is called whenever the first request comes into an empty table. */
  constructor(becameBusy: () => void = () => {}) {
    this.becameBusy = becameBusy
  }

  add(entry: T): number {
    if (this.entries.size === 0) this.becameBusy()
    this.last = this.last === idMax ? 1 : this.last + 1
    this.entries.set(this.last, entry)
    return this.last
  }

  get(id: number): T | undefined {
    return this.entries.get(id)
  }

  delete(id: number): boolean {
    return this.entries.delete(id)
  }

  get size(): number {
    return this.entries.size
  }

  /** A copy, in order of id: the caller may add and delete while it walks. */
  all(): T[] {
    return [...this.entries.values()]
  }
}
