/**
 * The manager's write-ahead journal: a LevelDB database whose keys are sequence numbers and whose
 * values are steps as JSON. An append is durable (fsync) before its `done`; appends that come while
 * one is being written share the next write, which the disk has as a whole or not at all. The database's lock is what makes the holder the only
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
  const numbers = stored.map(([key]) => Number(key.toString().slice(stepPrefix.length)))
  const oldest = numbers[0] ?? 1
  const next = (numbers.at(-1) ?? 0) + 1
  return { journal: new LevelJournal<Step>(level, oldest, next), steps }
}

function keyOf(sequence: number): Buffer {
  return Buffer.from(stepPrefix + String(sequence).padStart(sequenceDigits, '0'))
}

function parseStep<Step>(path: string, key: Buffer, value: Buffer): Step {
  try {
    return JSON.parse(value.toString()) as Step
  } catch (cause) {
    const message = `the journal in ${path} is damaged at entry ${key}: restore the directory from a copy`
    throw new GTStoreError('STORAGE_FAILED', message, { cause })
  }
}

type Operation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

interface Appended {
  readonly value: Buffer
  /** It stands for all that is older. */
  readonly isWhole: boolean
  readonly done: Done
}

class LevelJournal<Step> implements Journal<Step> {
  readonly #level: Level
  #oldest: number
  #next: number
  #waiting: Appended[] = []
  #writing = false
  #refusal: GTStoreError | undefined
  #closing: Done | undefined

  constructor(level: Level, oldest: number, next: number) {
    this.#level = level
    this.#oldest = oldest
    this.#next = next
  }

  append(step: Step, done: Done): void {
    this.#add(step, false, done)
  }

  compact(step: Step, done: Done): void {
    this.#add(step, true, done)
  }

  close(done: Done): void {
    this.#refusal ??= new GTStoreError('STOPPING', 'the journal is closed')
    this.#closing = done
    if (!this.#writing) this.#close(done)
  }

  #add(step: Step, isWhole: boolean, done: Done): void {
    if (this.#refusal !== undefined) return done(this.#refusal)
    this.#waiting.push({ value: Buffer.from(JSON.stringify(step)), isWhole, done })
    if (!this.#writing) this.#write()
  }

  #write(): void {
    const appended = this.#waiting
    this.#waiting = []
    this.#writing = true
    const operations = appended.flatMap((each) => this.#operationsOf(each))
    this.#level.batch(operations, { sync: true }).then(
      () => this.#written(appended, undefined),
      (cause: Error) => {
        const message = `the journal cannot be written: ${reasonOf(cause)}`
        this.#refusal = new GTStoreError('STORAGE_FAILED', message, { cause })
        this.#written([...appended, ...this.#waiting.splice(0)], this.#refusal)
      },
    )
  }

  #operationsOf({ value, isWhole }: Appended): Operation[] {
    const sequence = this.#next++
    const operations: Operation[] = [{ type: 'put', key: keyOf(sequence), value }]
    while (isWhole && this.#oldest < sequence) {
      operations.push({ type: 'del', key: keyOf(this.#oldest++) })
    }
    return operations
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
