/**
 * Which options each method of the library knows. Whoever writes plain JavaScript has no compiler to
 * tell them, and a misspelt `ifAbsent` would be a write without a condition. Looked at before anything
 * is sent: a call that fails afterwards would take effect all the same.
 */
import { invalid, shown } from './refusals.js'
import { isSignal } from './signals.js'

const ofCalls = ['signal', 'timeoutMs']
const ofReads = [...ofCalls, 'r', 'valueEncoding']
const ofWrites = [...ofCalls, 'w', 'valueEncoding']
const ofUpdates = [...ofWrites, 'ifVersion', 'context']

export type Method = 'init' | 'get' | 'explain' | 'put' | 'create' | 'update' | 'delete'

const known: Readonly<Record<Method, readonly string[]>> = {
  init: [...ofCalls, 'swarm', 'dir', 'via', 'valueEncoding'],
  get: ofReads,
  explain: ofReads,
  put: [...ofUpdates, 'ifAbsent', 'ifPresent'],
  create: ofWrites,
  update: ofUpdates,
  delete: [...ofCalls, 'w', 'ifVersion', 'context', 'ifPresent'],
}

/** Throws INVALID_ARGUMENT. An option that is undefined was not given, whatever its name. */
export function checkOptions(method: Method, options: object): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid(`the options are ${options}, not an object`)
  }
  const given = options as Readonly<Record<string, unknown>>
  for (const name in given) {
    if (given[name] === undefined || known[method].includes(name)) continue
    const names = known[method].toSorted().join(', ')
    throw invalid(`${method} has no option ${JSON.stringify(name)}, it has ${names}`)
  }
  if (given.signal === undefined || isSignal(given.signal)) return
  throw invalid('signal is not an AbortSignal; of an AbortController pass its `signal`')
}

/** Throws INVALID_ARGUMENT for what is no text. */
export function checkText(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') {
    throw invalid(`${name} is ${shown(value)}, not a string`)
  }
}
