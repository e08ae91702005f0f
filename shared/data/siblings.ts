/**
 * Siblings: the values of one key that were written concurrently, kept together with their causal
 * context (Preguiça, Baquero et al., "Dotted Version Vectors: Logical Clocks for Optimistic
 * Replication", 2010; the merge is the one of optimised OR-sets, Bieniusa et al., 2012).
 *
 * Each write is a dot: its actor, that is who made it, and a reading of the host clock that this actor
 * draws only once. A context says of each actor up to which dot it has been seen; so whoever makes a dot
 * must hold all older ones of the same actor, or what superseded them. A write supersedes what its context
 * covers and nothing else; a sibling that one of two copies lacks though its context covers it was
 * superseded there.
 *
 * In a record the value is the list of siblings, null where none is left (a tombstone), and `attached`
 * the context. Its version is made of both: two copies of a key are alike if their versions are.
 */
import { createHash } from 'node:crypto'
import { Malformed } from './byte-stream.js'
import { bytes, bytesOf, list, parseBytes, record, text, uint } from './cbor.js'
import type { StoredRecord } from './record.js'
import { compareVersions, type Micros, type Version } from './version.js'

/**
 * Lives of nodes that a user may bring a key's context to name: a few KB of it go with every read and
 * write. Those that have really written it may become more: a key must not become one that nobody can
 * put or delete any more.
 */
export const contextActorsMax = 1_024

/** One write, by an actor as `actorOf` names it. */
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
  /** Makes the dot of this write, one that the context given does not cover. */
  readonly draw: (seen: Context) => Dot
  /** The life of the host, and its clock now. */
  readonly boot: number
  readonly at: Micros
}

/** What a put may leave of a key. */
export interface SiblingLimits {
  readonly count: number
  /** Of all values together; one alone may have any size. */
  readonly bytes: number
  /** That its context names, unless it names as many already. */
  readonly actors: number
}

const unlimited: SiblingLimits = {
  actors: Number.POSITIVE_INFINITY,
  count: Number.POSITIVE_INFINITY,
  bytes: Number.POSITIVE_INFINITY,
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

/** What the key holds after the write; undefined where a put would leave more than the limits allow. */
export function written(
  held: StoredRecord | undefined,
  { value, context, draw, boot, at }: ContextualWrite,
  limits: SiblingLimits = unlimited,
): StoredRecord | undefined {
  const before = siblingsOf(held)
  const seen = union(before.context, context)
  const dot = draw(seen)
  const kept = before.values.filter((sibling) => !covers(context, sibling))
  const values = value === null ? kept : [...kept, { ...dot, value }]
  if (value !== null && isOver(values, limits)) return undefined
  const all = union(seen, new Map([[dot.actor, dot.micros]]))
  // Besides the one who makes the dot.
  if (all.size > Math.max(limits.actors, before.context.size + 1)) return undefined
  const version = { boot, micros: at, writer: '' }
  const isNewest = held === undefined || compareVersions(held.version, version) < 0
  return recordOf(shapeOf({ values, context: all }, isNewest ? version : held.version))
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
  const merged = shapeOf({ values, context }, isNewer ? incoming.version : held.version)
  if (compareVersions(merged.version, held.version) === 0) return held
  // The usual case, a write that followed what is held: its values need not be copied.
  if (compareVersions(merged.version, incoming.version) === 0) return incoming
  return recordOf(merged)
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

/** Tells swarms apart in a few bytes: eight hexadecimal digits. */
export function swarmTag(swarm: string): string {
  return createHash('md5').update(swarm).digest('hex').slice(0, 8)
}

/**
 * Names who makes dots: a life of a node, the life of the host that it belongs to (its clock starts again
 * with each), and the last plan that wiped a part of the node's store. A node that loses a range and
 * gets it back may lack dots that it made before, and must not make newer ones under the same name. And
 * the swarm, by its tag: nodes are called alike in all, and a context of one has seen nothing of another.
 */
export function actorOf(address: string, boot: number, wipedForPlan: number, tag: string): string {
  return `${address}@${boot}.${wipedForPlan}+${tag}`
}

/** The life of a node that made a dot, for people. */
export function lifeOf(actor: string): string {
  return actor.slice(0, actor.indexOf('@'))
}

/** Dots of one microsecond are counted on: a burst may be so far ahead of the clock for a moment. */
const burstMicros = 1_000
const actorForm =
  /^n[1-9][0-9]{0,9}\.[1-9][0-9]{0,14}@([1-9][0-9]{0,9})\.[0-9]{1,15}\+([0-9a-f]{8})$/

export interface ContextJudge {
  /** The life of the host, and its clock. */
  readonly boot: number
  readonly now: Micros
  /** Of the swarm that is written to. */
  readonly tag: string
}

/**
 * Why a context is refused; undefined if it may be one of ours. One that is ahead of the host clock would
 * swallow writes that are still to come, so none is let in; those of earlier lives of the host are over.
 */
export function contextRefusal(
  context: Context,
  { boot, now, tag }: ContextJudge,
): string | undefined {
  for (const [actor, micros] of context) {
    const form = actorForm.exec(actor)
    if (form === null) return 'the context names a writer that is none'
    if (form[2] !== tag) return 'the context is of another swarm: get the key from this one'
    const life = Number(form[1])
    if (life > boot || (life === boot && micros > now + burstMicros)) {
      return 'the context is ahead of the host clock'
    }
  }
  return undefined
}

/** The values in order, and what tells the state from others. */
interface Shape {
  readonly values: readonly Sibling[]
  readonly attached: Uint8Array
  readonly version: Version
}

/** `newest`: of the writes in it; only its clock counts. */
function shapeOf(state: Siblings, { boot, micros }: Version): Shape {
  const values = [...state.values].sort(compareDots)
  const attached = encodeContext(state.context)
  const hash = createHash('md5').update(attached)
  for (const { actor, micros } of values) hash.update(`${actor} ${micros}\n`)
  const writer = hash.digest('hex').slice(0, 16)
  return { values, attached, version: { boot, micros, writer } }
}

function recordOf({ values, attached, version }: Shape): StoredRecord {
  const value = values.length === 0 ? null : bytesOf(siblingsField, values)
  return { version, value, attached }
}

function isOver(values: readonly Sibling[], { count, bytes }: SiblingLimits): boolean {
  if (values.length < 2) return false
  return values.length > count || values.reduce((sum, it) => sum + it.value.length, 0) > bytes
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
  const context = new Map(dots.map(({ actor, micros }) => [actor, micros]))
  if (context.size < dots.length) throw new Malformed('an actor stands in the context twice')
  return context
}

function compareDots(a: Dot, b: Dot): number {
  if (a.micros !== b.micros) return a.micros - b.micros
  return a.actor < b.actor ? -1 : 1
}
