/**
 * The manager's write-ahead journal: a LevelDB database whose keys are sequence numbers and whose
 * values are steps as JSON. An append is durable (fsync) before its `done`; appends that come while
 * one is being written share the next write. The database's lock is what makes the holder the only
 * manager.
 */
import { GTStoreError } from '../protocol/errors.js'
import type { Done, Journal } from '../runtime/ports.js'
import { type Level, type LevelOptions, openLevel, readAll } from './level.js'

const journalFormat = 1
const stepPrefix = 's'
const sequenceDigits = 16

export interface OpenJournal<Step> {
  readonly journal: Journal<Step>
  /** Everything appended so far, oldest first. */
  readonly steps: Step[]
}

export async function openJournal<Step>(options: {
  readonly path: string
}): Promise<OpenJournal<Step>> {
  const { path } = options
  const levelOptions: LevelOptions = {
    path,
    what: 'journal',
    formatKey: Buffer.from('format'),
    format: journalFormat,
    remedy: 'restore the directory from a copy',
  }
  const level = await openLevel(levelOptions)
  const stored = await readAll(level, levelOptions, { gt: Buffer.from(stepPrefix) })
  const steps = stored.map(([key, value]) => parseStep<Step>(path, key, value))
  const last = stored.at(-1)?.[0].toString().slice(stepPrefix.length)
  const next = last === undefined ? 1 : Number(last) + 1
  return { journal: new LevelJournal<Step>(level, next), steps }
}

function parseStep<Step>(path: string, key: Buffer, value: Buffer): Step {
  try {
    return JSON.parse(value.toString()) as Step
  } catch (cause) {
    const message = `the journal in ${path} is damaged at entry ${key}: restore the directory from a copy`
    throw new GTStoreError('STORAGE_FAILED', message, { cause })
  }
}

interface Appended {
  readonly value: Buffer
  readonly done: Done
}

class LevelJournal<Step> implements Journal<Step> {
  readonly #level: Level
  #next: number
  #waiting: Appended[] = []
  #writing = false
  #refusal: GTStoreError | undefined
  #closing: Done | undefined

  constructor(level: Level, next: number) {
    this.#level = level
    this.#next = next
  }

  append(step: Step, done: Done): void {
    if (this.#refusal !== undefined) return done(this.#refusal)
    this.#waiting.push({ value: Buffer.from(JSON.stringify(step)), done })
    if (!this.#writing) this.#write()
  }

  close(done: Done): void {
    this.#refusal ??= new GTStoreError('STOPPING', 'the journal is closed')
    this.#closing = done
    if (!this.#writing) this.#close(done)
  }

  #write(): void {
    const appended = this.#waiting
    this.#waiting = []
    this.#writing = true
    const operations = appended.map(({ value }) => ({
      type: 'put' as const,
      key: Buffer.from(stepPrefix + String(this.#next++).padStart(sequenceDigits, '0')),
      value,
    }))
    this.#level.batch(operations, { sync: true }).then(
      () => this.#written(appended, undefined),
      (cause: Error) => {
        const message = `the journal cannot be written: ${reasonOf(cause)}`
        this.#refusal = new GTStoreError('STORAGE_FAILED', message, { cause })
        this.#written([...appended, ...this.#waiting.splice(0)], this.#refusal)
      },
    )
  }

  #written(appended: readonly Appended[], error: Error | undefined): void {
    this.#writing = false
    if (this.#waiting.length > 0) this.#write()
    for (const { done } of appended) done(error)
    if (this.#closing !== undefined && !this.#writing) this.#close(this.#closing)
  }

  #close(done: Done): void {
    this.#level.close().then(() => done(undefined), done)
  }
}

/** classic-level may say only that it failed, and the rest in the cause. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
