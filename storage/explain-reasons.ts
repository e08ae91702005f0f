/**
 * What an explanation says, made from what was seen: the state of each owner, and in words why the get
 * got this value and what is wrong with the key, if something is. Pure.
 *
 * An owner is held against everything that was seen, merged by the rules of the mode: current is who
 * holds all of it. That may be more than the get answered, where a write has reached few owners yet.
 */
import type { Mode } from '../shared/data/mode.js'
import type { StoredRecord } from '../shared/data/record.js'
import { lifeOf, siblingsOf } from '../shared/data/siblings.js'
import { compareVersions, formatVersion, type Version } from '../shared/data/version.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Arc, Quorums } from '../shared/ring/ring.js'
import { Quorum } from '../shared/runtime/quorum.js'

/** What came of the get. */
export type Outcome =
  | {
      readonly is: 'answered'
      readonly record: StoredRecord | undefined
      /** Whose replies it rests on. */
      readonly counted: readonly NodeId[]
      readonly wroteBack: boolean
    }
  | { readonly is: 'refused'; readonly why: string }

/** What one owner said when it was asked what it holds. */
export type Said =
  | {
      readonly is: 'held'
      readonly record: StoredRecord | undefined
      readonly tookMicros: number
    }
  | { readonly is: 'late'; readonly patienceMs: number }
  | { readonly is: 'down' }
  | { readonly is: 'refused'; readonly why: string }
  | { readonly is: 'other epoch'; readonly epoch: number }

export interface Seen {
  readonly node: NodeId
  readonly role: string
  readonly said: Said
}

export interface Explained {
  readonly mode: Mode
  readonly epoch: number
  readonly arc: Arc
  /** Of the call. */
  readonly quorums: Quorums
  readonly outcome: Outcome
  readonly seen: readonly Seen[]
  /** All that was seen, merged. */
  readonly newest: StoredRecord | undefined
  /** What the mode has to add: in a chain, whether its reader may serve. */
  readonly remarks: readonly string[]
}

/** `primary`, `owner`, `next`; in a chain `head`, `middle`, `tail`, and `joiner` of who is copied to. */
export function roleOf({ owners, chain }: Arc, node: NodeId): string {
  const index = owners.indexOf(node)
  if (chain === undefined) return index < 0 ? 'next' : index === 0 ? 'primary' : 'owner'
  if (index >= chain.full) return 'joiner'
  if (index === 0) return 'head'
  return index === chain.full - 1 ? 'tail' : 'middle'
}

export function nobodyAnswers({ owners }: Arc): string {
  return `none of the key's owners (${owners.join(', ')}) answers`
}

export function stateOf(said: Said, newest: StoredRecord | undefined): string {
  if (said.is !== 'held') return said.is
  if (said.record === undefined || newest === undefined) return 'missing'
  return compareVersions(said.record.version, newest.version) === 0 ? 'current' : 'stale'
}

export function reasonsOf(explained: Explained): string[] {
  return [
    ...ringReasons(explained),
    ...answerReasons(explained),
    ...siblingReasons(explained),
    ...explained.seen.flatMap((seen) => ownerReasons(explained, seen)),
    ...spreadReasons(explained),
    ...explained.remarks,
  ]
}

function ringReasons({ epoch, arc }: Explained): string[] {
  const { chain, next } = arc
  if (chain !== undefined) {
    const { reader, members } = chain
    const order = members.join(' > ')
    if (reader === '') return [`the chain ${order} has no reader: nobody answers gets`]
    return [`the chain is ${order}: ${reader} is its reader and alone answers gets`]
  }
  if (next === undefined) return []
  const { owners, quorums } = next
  const to = owners.join(', ')
  return [
    `the ring is changing (epoch ${epoch}): ${to} are to own the key, with W=${quorums.w}; reads use` +
      ' the owners before them',
  ]
}

function answerReasons({ mode, arc, quorums, outcome, newest }: Explained): string[] {
  if (outcome.is === 'refused') return [`a get is not answered: ${outcome.why}`]
  const { record, counted, wroteBack } = outcome
  const reasons: string[] = []
  const who = `${counted.join(', ')} (R=${quorums.r})`
  if (record === undefined) reasons.push(`the key is missing: nothing of it is held by ${who}`)
  else if (record.value === null) {
    reasons.push(`the key is deleted: the newest of ${who} is a tombstone, ${name(record)}`)
  } else if (mode === 'siblings') {
    const { length } = siblingsOf(record).values
    reasons.push(`the answer is what ${who} hold together: ${count(length, 'sibling')}`)
  } else reasons.push(`the answer is ${name(record)}, the newest of ${who}`)
  if (wroteBack) {
    reasons.push(
      `fewer than W=${quorums.w} owners were known to hold it: it was written back first`,
    )
  }
  const { r, w, n } = quorums
  if (arc.chain === undefined && r + w <= n) {
    reasons.push(
      `reads are eventual here, R + W <= N (${r} + ${w} <= ${n}): one may miss what was acknowledged`,
    )
  }
  if (newest !== undefined && (record === undefined || isOlder(record, newest))) {
    // Of siblings the older may be what an answer lacks.
    if (mode === 'siblings' && record !== undefined) {
      reasons.push(`the answer is not all that is held: ${lacking(record, newest)}`)
    } else {
      reasons.push(`the answer is not the newest that is held: it is ${behind(record, newest)}`)
    }
  }
  return reasons
}

/** Of the siblings that the owners hold, who has which. */
function siblingReasons({ mode, seen, newest }: Explained): string[] {
  if (mode !== 'siblings') return []
  return siblingsOf(newest).values.map(({ actor, micros }) => {
    const holders = seen.filter(({ said }) => {
      const held = said.is === 'held' ? siblingsOf(said.record).values : []
      return held.some((it) => it.actor === actor && it.micros === micros)
    })
    const nodes = holders.map(({ node }) => node).join(', ')
    return `a sibling was written through ${lifeOf(actor)} at ${micros} us: held by ${nodes}`
  })
}

function ownerReasons(explained: Explained, { node, role, said }: Seen): string[] {
  const { newest, mode, epoch, outcome } = explained
  switch (said.is) {
    case 'down':
      return [`${node} is down`]
    case 'late':
      return [`${node} is late: it did not say within ${said.patienceMs} ms what it holds`]
    case 'refused':
      return [`${node} refused: ${said.why}`]
    case 'other epoch':
      return [`${node} holds the ring of epoch ${said.epoch}, the get was under ${epoch}`]
    case 'held':
      break
  }
  if (newest === undefined) return []
  const isBeingCopied = role === 'next' || role === 'joiner'
  const why = isBeingCopied ? ', and is still being copied to' : ''
  if (said.record === undefined) return [`${node} lacks the key${why}`]
  if (!isOlder(said.record, newest)) return []
  if (mode === 'siblings') return [`${node} is stale: ${lacking(said.record, newest)}${why}`]
  const kept = outcome.is === 'answered' && !isHeldBy(outcome.record, said.record)
  const what = kept ? `: it holds ${name(said.record)}` : ''
  return [`${node} is stale${what}, ${behind(said.record, newest)}${why}`]
}

/** Whether enough owners hold the newest for it to be certain that every strong read meets it. */
function spreadReasons({ mode, arc, seen, newest }: Explained): string[] {
  if (newest === undefined) return []
  const quorum = Quorum.ofWrite(arc, 0)
  const holders = seen.filter(({ said }) => stateOf(said, newest) === 'current')
  for (const { node } of holders) quorum.ack(node)
  for (const { node, said } of seen) {
    if (said.is === 'held' && !holders.some((holder) => holder.node === node)) quorum.fail(node)
  }
  if (quorum.state === 'met') return []
  const nodes = holders.map(({ node }) => node).join(', ')
  const held = `the newest, ${name(newest)}, is known of ${nodes || 'nobody who answered'}`
  if (quorum.state === 'pending') return [`${held}: ${cannotBeTold(arc, seen)}`]
  if (arc.chain !== undefined) return [`${held}: it has not passed the whole chain`]
  const sides = arc.next === undefined ? '' : ' on both sides of the change'
  const what =
    mode === 'siblings' ? 'their merge is written nowhere, or' : 'a write is under way, or'
  return [`${held}, fewer than W=${arc.quorums.w}${sides}: ${what} one failed half way`]
}

/** Those that did not say what they hold may hold it. */
function cannotBeTold({ chain, quorums }: Arc, seen: readonly Seen[]): string {
  const silent = seen.flatMap(({ node, said }) => (said.is === 'held' ? [] : [node]))
  const what =
    chain === undefined ? `W=${quorums.w} owners hold it` : 'it has passed the whole chain'
  return `whether ${what} cannot be told without ${silent.join(', ')}`
}

function isHeldBy(record: StoredRecord | undefined, held: StoredRecord): boolean {
  return record !== undefined && compareVersions(record.version, held.version) === 0
}

function isOlder(held: StoredRecord, newest: StoredRecord): boolean {
  return compareVersions(held.version, newest.version) !== 0
}

/** What a copy lacks, and what it still has that others know to be superseded. */
function lacking(held: StoredRecord, newest: StoredRecord): string {
  const mine = siblingsOf(held).values
  const all = siblingsOf(newest).values
  const lacks = all.filter((it) => !mine.some((own) => isSame(own, it))).length
  const keeps = mine.filter((own) => !all.some((it) => isSame(own, it))).length
  if (lacks === 0 && keeps === 0) return 'its causal context lacks writes'
  const parts = [
    ...(lacks === 0 ? [] : [`it lacks ${count(lacks, 'sibling')}`]),
    ...(keeps === 0
      ? []
      : [`it has ${count(keeps, 'sibling')} that ${keeps === 1 ? 'was' : 'were'} superseded`]),
  ]
  return parts.join(', ')
}

function isSame(
  a: { actor: string; micros: number },
  b: { actor: string; micros: number },
): boolean {
  return a.actor === b.actor && a.micros === b.micros
}

function behind(held: StoredRecord | undefined, newest: StoredRecord): string {
  if (held === undefined) return `without ${name(newest)}`
  const age = ageBetween(held.version, newest.version)
  return `${age} older than ${name(newest)}`
}

function ageBetween(older: Version, newer: Version): string {
  if (older.boot !== newer.boot) return 'a life of the host'
  return `${(newer.micros - older.micros) / 1000} ms`
}

function name({ version, value }: StoredRecord): string {
  const text = formatVersion(version)
  return value === null ? `the delete ${text}` : `version ${text}`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
