/**
 * Is a history of puts, gets and deletes one that a single copy of each key could have given? Writes may
 * ask that the key is absent, present or as they read it; one that was refused read what it met.
 *
 * Every operation must seem to happen at one instant between its call and its return. The search
 * walks the calls and returns in order of time, takes any pending operation that the register's
 * state allows, and goes back where a return comes before its operation could be placed. What it
 * remembers is every (set of placed operations, state) it has seen: reaching one again by another
 * order cannot help. Registers are independent, so each key is searched alone.
 *
 * Three shortcuts keep histories with one hot key short, and none loses a legal order. What only reads and
 * fits the present state is placed for good: in any order that goes on from here it can be moved to here.
 * Since every put writes another value, a value cannot be overwritten while an answered get of it, or an
 * answered write that replaced it, is still to be placed. And of writes that were never answered and do
 * the same, the one called first goes first (register.ts).
 *
 * Where writes have versions, their order is tried first: a history that some order of all is searched for
 * is nearly always legal in that one.
 *
 * A put or delete without an answer may take effect at any time after its call, or never: it stays
 * pending to the end, and the search may leave it out.
 *
 * Sources: Wing and Gong, Testing and verifying concurrent objects (1993); Lowe, Testing for
 * linearizability (2017), for the memory and the linked list; Horn and Kroening, Faster
 * linearizability checking via P-compositionality (2015), for the split by key.
 */
import { byKey, describe, isReading, type Operation } from './operation.js'
import { missing, type Step, stepsOf } from './register.js'

export interface Violation {
  readonly key: string
  readonly explanation: string
}

/** A longer search has no verdict, which counts as a failure; real ones take thousands. */
const stepsMaxDefault = 20_000_000

/** The first key whose history is not linearizable, or not known to be; undefined if all are. */
export function findViolation(
  history: readonly Operation[],
  stepsMax: number = stepsMaxDefault,
): Violation | undefined {
  for (const [key, operations] of byKey(history)) {
    const mattering = operations.filter(matters(operations))
    const isOrdered = mattering.some(({ order }) => order !== undefined)
    if (isOrdered && new Search(mattering, stepsMax, turnsOf(mattering)).run()) continue
    const search = new Search(mattering, stepsMax)
    const isLegal = search.run()
    if (isLegal === undefined) {
      const explanation = `key ${key}: no verdict after ${stepsMax} steps of the search`
      return { key, explanation }
    }
    if (!isLegal) return { key, explanation: search.explain(key) }
  }
  return undefined
}

/**
 * A get without an answer says nothing. A put without one whose value nobody read may as well never
 * have happened, unless a condition may have met it: leaving it out keeps the search from trying it
 * everywhere.
 */
function matters(operations: readonly Operation[]): (operation: Operation) => boolean {
  const read = new Set<string | undefined>()
  for (const { kind, value } of operations) if (kind === 'get') read.add(value)
  const areAsked = operations.some(({ asked }) => asked !== undefined)
  return ({ kind, value, returned }) => {
    if (returned !== Number.POSITIVE_INFINITY) return true
    return kind === 'delete' || (kind === 'put' && (areAsked || read.has(value)))
  }
}

/** When the turn of each ordered write comes, by its index. */
function turnsOf(operations: readonly Operation[]): ReadonlyMap<number, number> {
  const ordered = operations.flatMap(({ order }, index) =>
    order === undefined ? [] : [{ order, index }],
  )
  ordered.sort((a, b) => a.order - b.order)
  return new Map(ordered.map(({ index }, turn) => [index, turn]))
}

interface Entry {
  readonly index: number
  readonly isCall: boolean
  readonly time: number
  /** A call's return; undefined for one that never answered, and for returns. */
  match: Entry | undefined
  before: Entry | undefined
  after: Entry | undefined
}

interface Placed {
  readonly entry: Entry
  readonly stateBefore: number
}

class Search {
  readonly #operations: readonly Operation[]
  readonly #stepsMax: number
  readonly #head: Entry
  readonly #steps: readonly Step[]
  /** Answered gets still to be placed, and writes that replaced it, by value. */
  readonly #usesLeft: number[]
  readonly #turns: ReadonlyMap<number, number>
  readonly #seen = new SeenStates()
  readonly #placedBits: Uint32Array
  readonly #placed: Placed[] = []
  #turn = 0
  #unanswered = 0
  #state = missing
  #longest: readonly Placed[] = []
  #blocked: Entry | undefined

  /** `turns`: only orders that keep to them are looked at. */
  constructor(
    operations: readonly Operation[],
    stepsMax: number,
    turns: ReadonlyMap<number, number> = new Map(),
  ) {
    this.#turns = turns
    this.#operations = operations
    this.#stepsMax = stepsMax
    this.#steps = stepsOf(operations)
    this.#usesLeft = countUses(this.#steps)
    this.#placedBits = new Uint32Array((operations.length + 31) >> 5)
    this.#head = linkEntries(operations)
    for (const { returned } of operations) {
      if (returned === Number.POSITIVE_INFINITY) this.#unanswered++
    }
  }

  /** Whether some order of the operations is legal; undefined: the search would take too long. */
  run(): boolean | undefined {
    let toPlace = this.#operations.length - this.#unanswered
    let entry = this.#head.after
    for (let steps = 0; toPlace > 0; steps++) {
      if (steps > this.#stepsMax) return undefined
      if (entry === undefined) throw new Error('a return is missing from the list')
      if (entry.isCall) {
        if (this.#place(entry)) {
          if (entry.match !== undefined) toPlace--
          entry = this.#head.after
        } else entry = entry.after
        continue
      }
      this.#rememberLongest(entry)
      for (let isForGood = true; isForGood; ) {
        const last = this.#placed.pop()
        if (last === undefined) return false
        this.#takeBack(last)
        if (last.entry.match !== undefined) toPlace++
        entry = last.entry.after
        isForGood = this.#steps[last.entry.index]?.isReading === true
      }
    }
    return true
  }

  /** Places the operation next, if its result fits the state and this was not tried before. */
  #place(entry: Entry): boolean {
    const step = this.#steps[entry.index] as Step
    const turn = this.#turns.get(entry.index)
    if (turn !== undefined && turn !== this.#turn) return false
    if (!step.fits(this.#state) || !this.#isUseful(step)) return false
    const state = step.isReading ? this.#state : step.value
    if (!step.isReading && this.#state !== missing) {
      const left = (this.#usesLeft[this.#state] ?? 0) - (step.met === this.#state ? 1 : 0)
      if (left > 0) return false
    }
    flipBit(this.#placedBits, entry.index)
    if (!this.#seen.add(this.#placedBits, state)) {
      flipBit(this.#placedBits, entry.index)
      return false
    }
    this.#placed.push({ entry, stateBefore: this.#state })
    if (turn !== undefined) this.#turn++
    this.#use(step.met, -1)
    this.#state = state
    unlink(entry)
    return true
  }

  /** What was not answered need not happen: only where it changes something, its like before it. */
  #isUseful({ isAnswered, value, twin }: Step): boolean {
    if (isAnswered) return true
    return value !== this.#state && (twin === undefined || hasBit(this.#placedBits, twin))
  }

  #takeBack({ entry, stateBefore }: Placed): void {
    this.#state = stateBefore
    const step = this.#steps[entry.index] as Step
    if (this.#turns.has(entry.index)) this.#turn--
    this.#use(step.met, 1)
    flipBit(this.#placedBits, entry.index)
    relink(entry)
  }

  #use(value: number | undefined, by: number): void {
    if (value !== undefined) this.#usesLeft[value] = (this.#usesLeft[value] ?? 0) + by
  }

  #rememberLongest(blocked: Entry): void {
    if (this.#blocked !== undefined && this.#placed.length <= this.#longest.length) return
    this.#longest = [...this.#placed]
    this.#blocked = blocked
  }

  /** The furthest that any order came, and what could not follow. */
  explain(key: string): string {
    const operations = this.#operations
    const order = this.#longest.map(({ entry }) => operations[entry.index] as Operation)
    const placed = new Set(this.#longest.map(({ entry }) => entry.index))
    const stuck = operations[this.#blocked?.index ?? 0] as Operation
    const write = order.findLast((operation) => !isReading(operation))
    const holds = write?.kind === 'put' ? write.value : undefined
    const pending = operations.filter(
      (operation, index) =>
        !placed.has(index) &&
        operation !== stuck &&
        !isReadOf(operation, holds) &&
        operation.called < stuck.returned,
    )
    const readers = operations.filter(
      (operation, index) => !placed.has(index) && isReadOf(operation, holds) && operation !== stuck,
    )
    const shown = order.slice(-8)
    return [
      `key ${key} is not linearizable: no order of its ${operations.length} operations is legal.`,
      `The longest legal order places ${order.length} of them${shown.length < order.length ? ', at last' : ''}:`,
      ...shown.map((operation) => `    ${describe(operation)}`),
      `The key then holds ${holds ?? 'nothing'}, and no order places, before it returned,`,
      `    ${describe(stuck)}`,
      ...(readers.length === 0 ? [] : ['Still to read what it holds:']),
      ...readers.map((operation) => `    ${describe(operation)}`),
      ...(pending.length === 0 ? [] : ['Called before that, and not placed either:']),
      ...pending.map((operation) => `    ${describe(operation)}`),
    ].join('\n')
  }
}

function isReadOf({ kind, value }: Operation, held: string | undefined): boolean {
  return kind === 'get' && held !== undefined && value === held
}

function countUses(steps: readonly Step[]): number[] {
  const counts: number[] = []
  for (const { met } of steps) if (met !== undefined) counts[met] = (counts[met] ?? 0) + 1
  return counts
}

/** Calls and returns in order of time, as a list whose members can be lifted out and put back. */
function linkEntries(operations: readonly Operation[]): Entry {
  const entries: Entry[] = []
  for (const [index, { called, returned }] of operations.entries()) {
    const call = newEntry(index, true, called)
    entries.push(call)
    if (returned === Number.POSITIVE_INFINITY) continue
    if (returned <= called) throw new Error('an operation returned before it was called')
    call.match = newEntry(index, false, returned)
    entries.push(call.match)
  }
  entries.sort((a, b) => a.time - b.time || Number(b.isCall) - Number(a.isCall))
  const head = newEntry(-1, true, Number.NEGATIVE_INFINITY)
  let last = head
  for (const entry of entries) {
    last.after = entry
    entry.before = last
    last = entry
  }
  return head
}

function newEntry(index: number, isCall: boolean, time: number): Entry {
  return { index, isCall, time, match: undefined, before: undefined, after: undefined }
}

function unlink(entry: Entry): void {
  for (const part of [entry, entry.match]) {
    if (part === undefined) continue
    if (part.before !== undefined) part.before.after = part.after
    if (part.after !== undefined) part.after.before = part.before
  }
}

/** The exact reverse of `unlink`: the return first, since its neighbour may be the call. */
function relink(entry: Entry): void {
  for (const part of [entry.match, entry]) {
    if (part === undefined) continue
    if (part.before !== undefined) part.before.after = part
    if (part.after !== undefined) part.after.before = part
  }
}

function flipBit(bits: Uint32Array, index: number): void {
  bits[index >> 5] = (bits[index >> 5] as number) ^ (1 << (index & 31))
}

function hasBit(bits: Uint32Array, index: number): boolean {
  return ((bits[index >> 5] as number) & (1 << (index & 31))) !== 0
}

/** Every (placed operations, state) seen, by hash and then compared in full. */
class SeenStates {
  readonly #buckets = new Map<number, { bits: Uint32Array; state: number }[]>()

  /** False if it was there already. */
  add(bits: Uint32Array, state: number): boolean {
    let hash = state
    for (const word of bits) hash = Math.imul(hash ^ word, 0x9e3779b1) ^ (hash >>> 15)
    const bucket = this.#buckets.get(hash)
    if (bucket === undefined) {
      this.#buckets.set(hash, [{ bits: bits.slice(), state }])
      return true
    }
    if (bucket.some((known) => known.state === state && isEqual(known.bits, bits))) return false
    bucket.push({ bits: bits.slice(), state })
    return true
  }
}

function isEqual(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
