/**
 * Every record of siblings that was seen on its way, by its version, which is made of its contents: who
 * holds what, where versions alone tell no order. Dots are looked at too: each is drawn once.
 */
import type { StoredRecord } from '../shared/data/record.js'
import { siblingsMerge, siblingsOf } from '../shared/data/siblings.js'
import { compareVersions, formatVersion, type Version } from '../shared/data/version.js'
import type { Message } from '../shared/protocol/messages.js'

export class SiblingRecords {
  readonly #onDotReused: (detail: string) => void
  readonly #records = new Map<string, StoredRecord>()
  /** What each dot wrote. */
  readonly #dots = new Map<string, string>()

  constructor(onDotReused: (detail: string) => void) {
    this.#onDotReused = onDotReused
  }

  sent(message: Message): void {
    if (message.kind === 'replica.put' || message.kind === 'replica.get.ok') {
      const { version, value, attached } = message
      if (version === null || attached === null) return
      this.#note({ version, value, attached })
    } else if (message.kind === 'handoff.batch' || message.kind === 'handoff.push') {
      for (const { record } of message.entries) this.#note(record)
    }
  }

  /** `held` has all that the version had. */
  covers(held: StoredRecord, version: Version): boolean {
    this.#note(held)
    return this.supersedes(held.version, version)
  }

  /**
   * Where a record was never seen, as with one owner alone, its time must do; of one time are the writes
   * of one turn.
   */
  supersedes(version: Version, other: Version): boolean {
    if (compareVersions(version, other) === 0) return true
    const mine = this.#records.get(formatVersion(version))
    const theirs = this.#records.get(formatVersion(other))
    if (mine === undefined || theirs === undefined) {
      return (
        version.boot > other.boot || (version.boot === other.boot && version.micros >= other.micros)
      )
    }
    return siblingsMerge(mine, theirs) === mine
  }

  #note(record: StoredRecord): void {
    const name = formatVersion(record.version)
    if (this.#records.has(name)) return
    this.#records.set(name, record)
    for (const { actor, micros, value } of siblingsOf(record).values) {
      const dot = `${actor} ${micros}`
      const text = Buffer.from(value).toString('latin1')
      const known = this.#dots.get(dot)
      if (known === undefined) this.#dots.set(dot, text)
      else if (known !== text) this.#onDotReused(`${dot} wrote ${known} and ${text}`)
    }
  }
}
