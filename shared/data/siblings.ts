/**
 * Siblings: the values of one key that were written concurrently, kept together with their causal
 * context (Preguiça, Baquero et al., "Dotted Version Vectors: Logical Clocks for Optimistic
 * Replication", 2010; the merge is the one of optimised OR-sets, Bieniusa et al., 2012).
 *
 * Each write is a dot: the life of the node that coordinated it, and a reading of the host clock that
 * this life draws only once. A context says for each such life up to which dot it has been seen. A
 * write supersedes what its context covers and nothing else; a sibling that one of two copies lacks
 * though its context covers it was superseded there.
 *
 * In a record the value is the list of siblings, null where none is left (a tombstone), and `attached`
 * the context. Its version is made of both: two copies of a key are alike if their versions are.
 */
import { createHash } from 'node:crypto'
import { bytes, bytesOf, list, parseBytes, record, text, uint } from '../protocol/cbor.js'
import type { StoredRecord } from './record.js'
import { compareVersions, type Micros, type Version } from './version.js'

/** One write. Actors are lives of nodes (`n3.7`), which are never reused. */
export interface Dot {
  readonly actor: string
  readonly micros: Micros
}

export interface Sibling extends Dot {
  readonly value: Uint8Array
}

/** Of each actor the newest dot that was seen; every older one of it was seen too. */
export type Context = ReadonlyMap<string, Micros>

export interface Siblings {
  /** Oldest first. */
  readonly values: readonly Sibling[]
  readonly context: Context
}

export interface ContextualWrite {
  /** null deletes. */
  readonly value: Uint8Array | null
  /** Of the get that the writer has seen; empty: of none. */
  readonly context: Context
  readonly dot: Dot
  /** The life of the host. */
  readonly boot: number
}

const contextField = list(record<Dot>({ actor: text, micros: uint }))
const siblingsField = list(record<Sibling>({ actor: text, micros: uint, value: bytes }))
const answerField = record({ values: siblingsField, context: contextField })

const none: Siblings = { values: [], context: new Map() }

export function siblingsOf(held: StoredRecord | undefined): Siblings {
  if (held === undefined) return none
  const values = held.value === null ? [] : parseBytes(siblingsField, held.value)
  const context = held.attached === undefined ? new Map() : parseContext(held.attached)
  return { values, context }
}

/** What the key holds after the write. */
export function written(
  held: StoredRecord | undefined,
  { value, context, dot, boot }: ContextualWrite,
): StoredRecord {
  const before = siblingsOf(held)
  const kept = before.values.filter((sibling) => !covers(context, sibling))
  const values = value === null ? kept : [...kept, { ...dot, value }]
  const seen = union(before.context, context)
  const all = union(seen, new Map([[dot.actor, dot.micros]]))
  const version = { boot, micros: dot.micros, writer: '' }
  const isNewest = held === undefined || compareVersions(held.version, version) < 0
  return recordOf({ values, context: all }, isNewest ? version : held.version)
}

/** Both histories: see merge.ts. */
export function siblingsMerge(
  held: StoredRecord | undefined,
  incoming: StoredRecord,
): StoredRecord {
  if (held === undefined) return incoming
  if (compareVersions(held.version, incoming.version) === 0) return held
  const mine = siblingsOf(held)
  const theirs = siblingsOf(incoming)
  const values = [
    ...mine.values.filter((it) => has(theirs, it) || !covers(theirs.context, it)),
    ...theirs.values.filter((it) => !has(mine, it) && !covers(mine.context, it)),
  ]
  const context = union(mine.context, theirs.context)
  const isNewer = compareVersions(incoming.version, held.version) > 0
  const merged = recordOf({ values, context }, isNewer ? incoming.version : held.version)
  if (compareVersions(merged.version, held.version) === 0) return held
  return compareVersions(merged.version, incoming.version) === 0 ? incoming : merged
}

/** What `get` answers in this mode: siblings and context in one. */
export function encodeSiblings({ values, context }: Siblings): Uint8Array {
  return bytesOf(answerField, { values, context: dotsOf(context) })
}

/** Throws Malformed. */
export function decodeSiblings(answer: Uint8Array): Siblings {
  const { values, context } = parseBytes(answerField, answer)
  return { values, context: contextOf(context) }
}

export function encodeContext(context: Context): Uint8Array {
  return bytesOf(contextField, dotsOf(context))
}

/** Throws Malformed: contexts come from users. */
export function parseContext(context: Uint8Array): Context {
  return contextOf(parseBytes(contextField, context))
}

function recordOf(state: Siblings, newest: Version): StoredRecord {
  const values = [...state.values].sort(compareDots)
  const attached = encodeContext(state.context)
  const hash = createHash('md5').update(attached)
  for (const { actor, micros } of values) hash.update(`${actor} ${micros}\n`)
  const writer = hash.digest('hex').slice(0, 16)
  const { boot, micros } = newest
  const value = values.length === 0 ? null : bytesOf(siblingsField, values)
  return { version: { boot, micros, writer }, value, attached }
}

function covers(context: Context, { actor, micros }: Dot): boolean {
  return micros <= (context.get(actor) ?? -1)
}

function has({ values }: Siblings, { actor, micros }: Dot): boolean {
  return values.some((it) => it.actor === actor && it.micros === micros)
}

function union(a: Context, b: Context): Context {
  const all = new Map(a)
  for (const [actor, micros] of b) all.set(actor, Math.max(micros, all.get(actor) ?? 0))
  return all
}

/** In one order, so that equal contexts are equal bytes. */
function dotsOf(context: Context): Dot[] {
  const dots = Array.from(context, ([actor, micros]) => ({ actor, micros }))
  return dots.sort((a, b) => (a.actor < b.actor ? -1 : 1))
}

function contextOf(dots: readonly Dot[]): Context {
  return new Map(dots.map(({ actor, micros }) => [actor, micros]))
}

function compareDots(a: Dot, b: Dot): number {
  if (a.micros !== b.micros) return a.micros - b.micros
  return a.actor < b.actor ? -1 : 1
}
