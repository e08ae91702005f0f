/**
 * Who publishes rings: looks at the ring files while a swarm runs, and at the journal when it has
 * ended. An epoch has one ring, in one file that is made once, and the journal knows each of them.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { openJournal } from '../shared/os/journal.js'
import type { RingDescription } from '../shared/ring/description.js'

const lookEveryMs = 5

interface Seen {
  readonly inode: number
  readonly ring: RingDescription
}

export class RingWatch {
  readonly faults: string[] = []
  readonly #run: string
  readonly #seen = new Map<number, Seen>()
  readonly #timer: NodeJS.Timeout

  constructor(run: string) {
    this.#run = run
    this.#timer = setInterval(() => this.#look(), lookEveryMs)
  }

  get epochs(): number[] {
    return [...this.#seen.keys()].sort((a, b) => a - b)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Once no manager runs: what the journal in `data` says of its rings, against what was seen. */
  async judge(data: string): Promise<string[]> {
    this.#look()
    const { journal, steps } = await openJournal<{ step: string; ring?: RingDescription }>({
      path: join(data, 'manager'),
    })
    await new Promise<void>((resolve) => journal.close(() => resolve()))
    const rings = steps.flatMap(({ step, ring }) => (step === 'ring.published' && ring) || [])
    let before = 0
    for (const { epoch } of rings) {
      if (epoch <= before) this.faults.push(`epoch ${epoch} was journaled after ${before}`)
      before = epoch
    }
    const journaled = new Map(rings.map((ring) => [ring.epoch, JSON.stringify(ring)]))
    for (const [epoch, { ring }] of this.#seen) {
      if (journaled.get(epoch) === JSON.stringify(ring)) continue
      this.faults.push(`the ring of epoch ${epoch} is not the journaled one`)
    }
    return this.faults
  }

  #look(): void {
    for (const name of readdirSync(this.#run)) {
      const epoch = Number(/^ring\.(\d+)$/.exec(name)?.[1])
      if (Number.isNaN(epoch)) continue
      const path = join(this.#run, name)
      // Old ones are deleted at any time.
      const inode = statSync(path, { throwIfNoEntry: false })?.ino
      const seen = this.#seen.get(epoch)
      if (inode === undefined || seen?.inode === inode) continue
      if (seen !== undefined) this.faults.push(`the ring of epoch ${epoch} was published twice`)
      const ring = readIfThere(path)
      if (ring !== undefined) this.#seen.set(epoch, { inode, ring })
    }
  }
}

function readIfThere(path: string): RingDescription | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
