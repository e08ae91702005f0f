/** What the client processes told, as a history that the checkers of the simulator judge. */
import type { Mode } from '../shared/data/mode.js'
import { parseVersion } from '../shared/data/version.js'
import { findCausalViolation } from '../sim/checkers/causality.js'
import { findViolation } from '../sim/checkers/linearizability.js'
import type { Operation } from '../sim/checkers/operation.js'
import { findVersionConflict } from '../sim/checkers/versions.js'

/**
 * One call as a client saw it. Times are microseconds of the host's monotonic clock, which all processes
 * share; `returned` null: without an outcome.
 */
export interface Call extends Omit<Operation, 'client' | 'returned' | 'met'> {
  readonly returned: number | null
  readonly error?: string | undefined
  /** Of what was read, or written. */
  readonly version?: string | undefined
  /** Of what a write met that was refused; null for a missing key. */
  readonly met?: string | null | undefined
}

export interface ClientCalls {
  readonly name: string
  readonly calls: readonly Call[]
}

/** What is wrong with the answers, in words. */
export function judgeAnswers(mode: Mode, clients: readonly ClientCalls[]): string[] {
  const history = historyOf(clients)
  // Where siblings are kept, a version is that of all of them.
  if (mode === 'siblings') return explained(findCausalViolation(history))
  const conflict = findVersionConflict(versionsOf(clients))
  return [...explained(findViolation(history)), ...(conflict === undefined ? [] : [conflict])]
}

/**
 * Calls that tell a mode from the others: writes whose condition failed, gets of several siblings. Undefined
 * where any call will do.
 */
export function tellingCalls(mode: Mode, clients: readonly ClientCalls[]): number | undefined {
  const calls = clients.flatMap((client) => client.calls)
  switch (mode) {
    case 'latest':
      return undefined
    case 'siblings':
      return calls.filter(({ values = [] }) => values.length > 1).length
    case 'chain':
      return calls.filter(({ refused }) => refused === true).length
  }
}

function explained(violation: { readonly explanation: string } | undefined): string[] {
  return violation === undefined ? [] : [violation.explanation]
}

/** Without what surely did not happen. */
function historyOf(clients: readonly ClientCalls[]): Operation[] {
  const values = new Map<string, string>()
  for (const { key, value, version } of versionsOf(clients)) values.set(nameOf(key, version), value)
  return clients.flatMap(({ name, calls }) =>
    calls
      .filter(({ error }) => error === undefined || error.startsWith('indefinite'))
      .map((call) => operationOf(name, call, values)),
  )
}

/** Of a call and a return in the same microsecond, the call counts as the earlier. */
function operationOf(
  client: string,
  { error: _, version: _version, met, called, returned, ...call }: Call,
  values: ReadonlyMap<string, string>,
): Operation {
  const end = returned === null ? Number.POSITIVE_INFINITY : 2 * returned + 1
  const times = { called: 2 * called, returned: end }
  if (met === undefined) return { client, ...call, ...times }
  if (met === null) return { client, ...call, ...times, met: { value: undefined } }
  const value = values.get(nameOf(call.key, versionNamed(met)))
  // Of a version that nobody else was told of the value is not known.
  return { client, ...call, ...times, ...(value !== undefined && { met: { value } }) }
}

/** Values with the versions that clients were told. */
function* versionsOf(clients: readonly ClientCalls[]) {
  for (const { calls } of clients) {
    for (const { kind, key, value, version } of calls) {
      if (version === undefined || value === undefined || kind === 'delete') continue
      yield { key, value, version: versionNamed(version) }
    }
  }
}

function versionNamed(text: string) {
  const version = parseVersion(text)
  if (version === undefined) throw new Error(`a client was told of ${text}, which is no version`)
  return version
}

function nameOf(key: string, { boot, micros, writer }: ReturnType<typeof versionNamed>): string {
  return `${key} ${boot}.${micros}.${writer}`
}
