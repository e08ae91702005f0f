/**
 * First in, first out, with removal from the middle. An array whose head moves: shifting an array,
 * or the first entry of a Set, costs more the longer the line is. What was removed is skipped when
 * its turn comes, and swept out when there is more of it than of the rest.
 */
const slackMax = 1024

export class WaitingLine<T> {
  private readonly isGone: (item: T) => boolean
  private items: T[] = []
  private head = 0
  private live = 0

  /** `isGone`: true from the moment after an item's removal. */
  constructor(isGone: (item: T) => boolean) {
    this.isGone = isGone
  }

  get size(): number {
    return this.live
  }

  push(item: T): void {
    this.items.push(item)
    this.live++
  }

  shift(): T | undefined {
    while (this.head < this.items.length) {
      const item = this.items[this.head++] as T
      if (this.isGone(item)) continue
      this.live--
      this.tidy()
      return item
    }
    return undefined
  }

  /** Counts one item less; it is the caller's that `isGone` holds for it. */
  removed(): void {
    this.live--
    this.tidy()
  }

  all(): T[] {
    return this.items.slice(this.head).filter((item) => !this.isGone(item))
  }

  private tidy(): void {
    if (this.items.length <= 2 * this.live + slackMax) return
    this.items = this.all()
    this.head = 0
  }
}
