/**
 * The fence: `ring.<epoch>` in the run directory.
 *
 * link(2) makes a complete file appear at once and fails if the name is taken, so an epoch has one
 * ring, and whoever sees the name sees all of it. Nothing is synced: the files matter to the
 * processes of this life of the host only; what must outlive it stands in the journal.
 */
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { GTStoreError } from '../protocol/errors.js'
import type { RingDescription } from '../ring/description.js'
import type { RingFiles } from '../runtime/ports.js'
import { startTimeOf } from './linux.js'

const filePrefix = 'ring.'

export function openRingFiles(run: string): RingFiles {
  return new LinkedRingFiles(run)
}

/**
 * Removes what managers left that died while they published. A draft is complete or nobody's: its name
 * bears the pid of its writer, and who has that pid now and publishes the same epoch writes it anew.
 */
export function removeDeadDrafts(run: string): void {
  for (const name of readdirSync(run)) {
    const pid = /^draft-\d+\.(\d+)$/.exec(name)?.[1]
    if (pid === undefined) continue
    const isWritten = Number(pid) !== process.pid && startTimeOf(Number(pid)) !== undefined
    if (!isWritten) rmSync(join(run, name), { force: true })
  }
}

class LinkedRingFiles implements RingFiles {
  readonly #run: string
  readonly #prefix: string

  constructor(run: string) {
    this.#run = run
    this.#prefix = join(run, filePrefix)
  }

  publish(ring: RingDescription): 'published' | 'exists' {
    const draft = join(this.#run, `draft-${ring.epoch}.${process.pid}`)
    try {
      writeFileSync(draft, JSON.stringify(ring), { mode: 0o600 })
      linkSync(draft, this.#prefix + ring.epoch)
      return 'published'
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return 'exists'
      const message = `cannot publish ring ${ring.epoch} in ${this.#run}: ${(error as Error).message}`
      throw new GTStoreError('STORAGE_FAILED', message, { cause: error })
    } finally {
      rmSync(draft, { force: true })
    }
  }

  /** Asked twice a turn on the way of every answer: one system call, no exception. */
  exists(epoch: number): boolean {
    return existsSync(this.#prefix + epoch)
  }

  newest(): RingDescription | undefined {
    for (;;) {
      const epoch = this.#epochs().at(-1)
      if (epoch === undefined) return undefined
      const ring = this.#read(epoch)
      // Deleted between the listing and the reading: then there are newer ones.
      if (ring !== undefined) return ring
    }
  }

  prune(keep: number): void {
    for (const epoch of this.#epochs().slice(0, -keep)) unlinkSync(this.#prefix + epoch)
  }

  /** Ascending. */
  #epochs(): number[] {
    let names: string[]
    try {
      names = readdirSync(this.#run)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
    return names
      .filter((name) => /^ring\.\d+$/.test(name))
      .map((name) => Number(name.slice(filePrefix.length)))
      .sort((a, b) => a - b)
  }

  #read(epoch: number): RingDescription | undefined {
    const path = this.#prefix + epoch
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as RingDescription
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new GTStoreError(
        'STORAGE_FAILED',
        `cannot read the ring in ${path}: ${(cause as Error).message}; ` +
          'stop the swarm (gtstore down), delete the run directory and start it again',
        { cause },
      )
    }
  }
}
