/** Gathers one page of a scan: up to a limit of bytes, but at least one entry. */
import type { Entry, ScanPage } from '../runtime/ports.js'

/** What an entry takes besides its key and value: version and token, here and on the wire. */
const entryOverheadBytes = 64

export class PageBuilder {
  readonly #limitBytes: number
  readonly #entries: Entry[] = []
  #bytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** False: the page is full, and the entry is the first of the next one. */
  add(entry: Entry): boolean {
    const valueBytes = entry.record.value === null ? 0 : entry.record.value.length
    const ownBytes = entry.key.length + valueBytes + (entry.record.attached?.length ?? 0)
    const bytes = this.#bytes + entryOverheadBytes + ownBytes
    if (bytes > this.#limitBytes && this.#entries.length > 0) return false
    this.#entries.push(entry)
    this.#bytes = bytes
    return true
  }

  /** The page when the range ended, or (`more`) when it was full. */
  page(more: boolean): ScanPage {
    const last = this.#entries.at(-1)
    return {
      entries: this.#entries,
      next: more && last !== undefined ? { token: last.token, key: last.key } : undefined,
    }
  }
}
