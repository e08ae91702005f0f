/**
 * The operations of one key as the search sees them: numbers for values, so that a state is a number.
 *
 * Values that nobody was told of, by a get or in a condition, share one number: no order can tell them
 * apart. It keeps the search from trying writes that may as well have happened in any order.
 */
import type { Operation } from './operation.js'
import { isReading } from './operation.js'

/** The state of a missing key. */
export const missing = 0
/** Of a key with a value that nobody was told of. */
const unobserved = 1

export interface Step {
  readonly isReading: boolean
  readonly isAnswered: boolean
  /** What a get read, or a write leaves behind. */
  readonly value: number
  fits(state: number): boolean
  /** It was answered, and happened while the key had this value: one that is told of it is a use. */
  readonly met: number | undefined
  /** Another one like it, called earlier and not answered either: that one goes first. */
  twin: number | undefined
}

export function stepsOf(operations: readonly Operation[]): Step[] {
  const numbers = numberValues(operations)
  const numberOf = (value: string | undefined) =>
    value === undefined ? missing : (numbers.get(value) ?? unobserved)
  const steps = operations.map((operation) => stepOf(operation, numberOf))
  findTwins(operations, steps)
  return steps
}

type NumberOf = (value: string | undefined) => number

function stepOf(operation: Operation, numberOf: NumberOf): Step {
  const { kind, value, asked, refused, returned } = operation
  const number = kind === 'delete' ? missing : numberOf(value)
  const isAnswered = returned !== Number.POSITIVE_INFINITY
  const holds = conditionOf(asked, numberOf)
  const met = metBy(operation, numberOf)
  const refuses = (state: number) => !holds(state) && (met === undefined || state === met)
  const reads = (state: number) => state === number
  return {
    isReading: isReading(operation),
    isAnswered,
    value: number,
    fits: kind === 'get' ? reads : refused === true ? refuses : holds,
    met,
    twin: undefined,
  }
}

function metBy({ kind, value, asked, refused, met, returned }: Operation, numberOf: NumberOf) {
  if (kind === 'get') return numberOf(value)
  if (refused === true) return met && numberOf(met.value)
  const isAnswered = returned !== Number.POSITIVE_INFINITY
  return isAnswered && asked?.is === 'value' ? numberOf(asked.value) : undefined
}

function conditionOf(asked: Operation['asked'], numberOf: NumberOf): (state: number) => boolean {
  switch (asked?.is) {
    case undefined:
      return () => true
    case 'absent':
      return (state) => state === missing
    case 'present':
      return (state) => state !== missing
    case 'value': {
      const expected = numberOf(asked.value)
      return (state) => state === expected
    }
  }
}

/** Of all that somebody was told of; the first free number is 2. */
function numberValues(operations: readonly Operation[]): Map<string, number> {
  const numbers = new Map<string, number>()
  const written = new Set<string | undefined>()
  for (const { kind, value, asked, met } of operations) {
    if (kind === 'put' && written.size === written.add(value).size) {
      throw new Error(`the value ${value} was written twice`)
    }
    const told = [
      kind === 'get' ? value : undefined,
      asked?.is === 'value' ? asked.value : undefined,
      met?.value,
    ]
    for (const each of told) {
      if (each !== undefined && !numbers.has(each)) numbers.set(each, numbers.size + unobserved + 1)
    }
  }
  return numbers
}

/** Writes that were never answered and do the same may take place in the order of their calls. */
function findTwins(operations: readonly Operation[], steps: readonly Step[]): void {
  const last = new Map<string, number>()
  const order = steps.map((_, index) => index)
  order.sort((a, b) => (operations[a]?.called ?? 0) - (operations[b]?.called ?? 0))
  for (const index of order) {
    const step = steps[index] as Step
    if (step.isAnswered || step.value > unobserved) continue
    const { asked } = operations[index] as Operation
    const name = `${step.value} ${asked?.is} ${asked?.is === 'value' ? asked.value : ''}`
    step.twin = last.get(name)
    last.set(name, index)
  }
}
