/** Tells when all that was begun before some moment has ended, however much is begun after it. */

interface Group {
  open: number
  readonly waiting: (() => void)[]
}

export class Barrier {
  /** What was begun between two moments, the oldest first; the last one takes what begins now. */
  private groups: Group[] = [{ open: 0, waiting: [] }]

  /** To be called once, when what begins now has ended. */
  begin(): () => void {
    const group = this.groups.at(-1) as Group
    group.open++
    return () => {
      group.open--
      this.settle()
    }
  }

  /** Calls `fire` once everything has ended that was begun before; at once if it has. */
  after(fire: () => void): void {
    const group = this.groups.at(-1) as Group
    group.waiting.push(fire)
    this.groups.push({ open: 0, waiting: [] })
    this.settle()
  }

  private settle(): void {
    for (;;) {
      const [first] = this.groups
      if (this.groups.length === 1 || first === undefined || first.open > 0) return
      this.groups.shift()
      for (const fire of first.waiting) fire()
    }
  }
}
