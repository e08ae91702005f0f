/** What the tests of engines say and hear: entries from a few words, and the engine with promises. */
import type { StoredRecord } from '../data/record.js'
import type { Token } from '../ring/description.js'
import type { Cursor, Engine, EngineStats, Entry, Mark, Range, ScanPage } from './ports.js'

export interface EngineUnderTest {
  readonly engine: Engine
  /** Lets time pass until nothing is pending, where the engine's world does not do so by itself. */
  readonly pump?: () => void
  /** Closes and opens the same store again, where it outlives its engine. */
  readonly reopen?: () => Promise<Engine>
}

export const whole: Range = { from: 0, to: 0 }
export const large = 1 << 20

export function entry(token: Token, key: string, micros: number, value: string | null): Entry {
  const version = { boot: 1, micros, writer: '00000000000000ff' }
  return {
    token,
    key: Buffer.from(key),
    record: { version, value: value === null ? null : Buffer.from(value) },
  }
}

export function markOf({ token, key, record: { version } }: Entry): Mark {
  return { token, key, version }
}

export function mark(token: Token, key: string, micros: number): Mark {
  return markOf(entry(token, key, micros, null))
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}

export function show(record: StoredRecord | undefined): string | undefined {
  if (record === undefined) return undefined
  return `${record.version.micros}:${record.value === null ? '-' : text(record.value)}`
}

export function line(each: Entry): string {
  return `${each.token} ${text(each.key)} ${show(each.record)}`
}

/** The engine with promises, and records as short texts. */
export class Tools {
  engine: Engine
  readonly #under: EngineUnderTest

  constructor(under: EngineUnderTest) {
    this.#under = under
    this.engine = under.engine
  }

  apply(each: Entry): Promise<void> {
    return this.#call((done) => this.engine.apply(each, done))
  }

  applyBatch(entries: readonly Entry[], meta: Readonly<Record<string, string>>): Promise<void> {
    return this.#call((done) => this.engine.applyBatch(entries, meta, done))
  }

  erase(ranges: readonly Range[], meta: Readonly<Record<string, string>>): Promise<void> {
    return this.#call((done) => this.engine.erase(ranges, meta, done))
  }

  discard(marks: readonly Mark[]): Promise<void> {
    return this.#call((done) => this.engine.discard(marks, done))
  }

  async read(token: Token, key: string): Promise<string | undefined> {
    return show(
      await this.#call<StoredRecord | undefined>((done) =>
        this.engine.read(token, Buffer.from(key), done),
      ),
    )
  }

  async attached(token: Token, key: string): Promise<string | undefined> {
    const held = await this.#call<StoredRecord | undefined>((done) =>
      this.engine.read(token, Buffer.from(key), done),
    )
    return held?.attached === undefined ? undefined : text(held.attached)
  }

  async update(
    token: Token,
    key: string,
    change: (held: StoredRecord | undefined) => StoredRecord | undefined,
  ): Promise<string | undefined> {
    const left = await this.#call<StoredRecord | undefined>((done) =>
      this.engine.update(token, Buffer.from(key), change, done),
    )
    return show(left)
  }

  async scanAll(range: Range, limitBytes = large): Promise<string[]> {
    const lines: string[] = []
    for (let after: Cursor | undefined; ; ) {
      const page = await this.#call<ScanPage | undefined>((done) =>
        this.engine.scan(range, after, limitBytes, done),
      )
      if (page === undefined) throw new Error('a scan without a page')
      if (page.next !== undefined && page.entries.length === 0) throw new Error('an empty page')
      lines.push(...page.entries.map(line))
      if (page.next === undefined) return lines
      after = page.next
    }
  }

  async stats(): Promise<EngineStats> {
    const stats = await this.#call<EngineStats | undefined>((done) => this.engine.stats(done))
    if (stats === undefined) throw new Error('no stats')
    return stats
  }

  close(): Promise<void> {
    return this.#call((done) => this.engine.close(done))
  }

  async reopen(): Promise<boolean> {
    if (this.#under.reopen === undefined) return false
    this.engine = await this.#under.reopen()
    return true
  }

  #call<T = void>(ask: (done: (error: Error | undefined, value?: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      let calls = 0
      ask((error, value) => {
        calls += 1
        if (calls > 1) throw new Error('answered twice')
        if (error === undefined) resolve(value as T)
        else reject(error)
      })
      this.#under.pump?.()
    })
  }
}
