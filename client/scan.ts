/**
 * What a swarm stores, pair by pair: of one node what lies there, or of all nodes together each key
 * once. It looks into the nodes' stores beside their requests, so it is an inspection and no read: a
 * write that is under way may be seen or not, and keys are met in the order of the ring.
 *
 * Of all nodes together nothing acknowledged before is missed: a key is told only when enough of its
 * owners were read that one of them must have it, all under one ring. When the ring changes the walk
 * goes on behind the last key under the new one.
 */
import { type Merge, mergeOf } from '../shared/data/merge.js'
import type { Mode } from '../shared/data/mode.js'
import type { StoredRecord } from '../shared/data/record.js'
import { siblingsOf } from '../shared/data/siblings.js'
import { formatVersion } from '../shared/data/version.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import { addressOf, type NodeId, type RingDescription } from '../shared/ring/description.js'
import { type Arc, coveringOwners, Ring } from '../shared/ring/ring.js'
import type { Cursor } from '../shared/runtime/ports.js'
import type { Admin } from './admin.js'
import { CopyMerge, type HeldKey } from './copies.js'

/** Of each node so much is in memory. */
const pageBytes = 256 * 1024

export type ScanSource = Pick<Admin, 'ring' | 'isAlive' | 'page' | 'dump'>

export interface ScanOptions {
  readonly source: ScanSource
  /** How two copies of a key become one, and what a record holds. */
  readonly mode: Mode
  /** Only what this node stores. */
  readonly node?: NodeId | undefined
}

export interface Pair {
  readonly key: Uint8Array
  /** Of siblings the newest. */
  readonly value: Uint8Array
  readonly version: string
  /** In mode `siblings` alone: all of them, oldest first. */
  readonly values?: readonly Uint8Array[]
}

/**
 * Fails with NOT_FOUND for a node that is no member, with CANNOT_CONNECT where it does not run, and of
 * all nodes with QUORUM_UNAVAILABLE where too few owners of some range can be read.
 */
export async function* scan(options: ScanOptions): AsyncGenerator<Pair, void, undefined> {
  const { source, mode, node } = options
  const records = node === undefined ? recordsOfAll(source, mode) : recordsOf(source, node)
  for await (const { key, record } of records) {
    const pair = pairOf(key, record, mode)
    if (pair !== undefined) yield pair
  }
}

interface Kept {
  readonly key: Uint8Array
  readonly record: StoredRecord
}

async function* recordsOf(source: ScanSource, node: NodeId): AsyncGenerator<Kept> {
  const member = ringOf(source).members.find(({ id }) => id === node)
  if (member === undefined) {
    throw new GTStoreError('NOT_FOUND', `node ${node} is not a member of the ring`)
  }
  yield* source.dump(addressOf(member))
}

async function* recordsOfAll(source: ScanSource, mode: Mode): AsyncGenerator<Kept> {
  let after: Cursor | null = null
  for (;;) {
    const walk: Walk = new Walk(source, new Ring(ringOf(source)), mergeOf(mode), after)
    for await (const held of walk.run()) {
      after = held
      yield held
    }
    if (!walk.isOutdated) return
  }
}

interface Found extends Cursor, Kept {}

/** All members side by side, under one ring. */
class Walk {
  /** The ring changed on the way. */
  isOutdated = false
  readonly #source: ScanSource
  readonly #ring: Ring
  readonly #merge: Merge
  readonly #after: Cursor | null
  /** Why members cannot be read. */
  readonly #unread = new Map<NodeId, string>()

  constructor(source: ScanSource, ring: Ring, merge: Merge, after: Cursor | null) {
    this.#source = source
    this.#ring = ring
    this.#merge = merge
    this.#after = after
    for (const member of ring.description.members) {
      if (!source.isAlive(member)) this.#unread.set(member.id, 'it is down')
    }
  }

  async *run(): AsyncGenerator<Found> {
    const readable = this.#ring.description.members.filter(({ id }) => !this.#unread.has(id))
    const nodes = readable.map(({ id }) => id)
    const merge = new CopyMerge(nodes, (node, { record }) => ({ node, record }))
    const cursors = new Map<NodeId, Cursor>()
    while (merge.hungry.length > 0) {
      await Promise.all(merge.hungry.map((node) => this.#feed(merge, node, cursors)))
      this.isOutdated = ringOf(this.#source).epoch !== this.#ring.epoch
      if (this.isOutdated) return
      this.#requireOwners()
      for (let held = merge.next(); held !== undefined; held = merge.next()) {
        const found = this.#merged(held)
        if (found !== undefined) yield found
      }
    }
  }

  async #feed(merge: CopyMerge<Copy>, node: NodeId, cursors: Map<NodeId, Cursor>): Promise<void> {
    const address = this.#ring.address(node)
    const cursor = cursors.get(node) ?? this.#after
    if (address === undefined) throw new Error(`${node} is no member`)
    try {
      const from = { keysOnly: false, cursor, limitBytes: pageBytes }
      const { entries, next } = await this.#source.page(address, from)
      if (next !== null) cursors.set(node, next)
      merge.feed(node, entries, next === null)
    } catch (error) {
      if (!(error instanceof GTStoreError)) throw error
      this.#unread.set(node, error.message)
      merge.feed(node, [], true)
    }
  }

  /** Any so many owners have every acknowledged write among them; in a chain each that is full. */
  #requireOwners(): void {
    if (this.#unread.size === 0) return
    for (const arc of this.#ring.arcs) {
      const holders = holdersOf(arc)
      const read = holders.filter((node) => !this.#unread.has(node))
      const needed = arc.chain ? 1 : coveringOwners(arc.quorums)
      if (read.length < needed) throw this.#tooFew(holders, needed)
    }
  }

  #tooFew(holders: readonly NodeId[], needed: number): GTStoreError {
    const whys = holders.flatMap((node) => {
      const why = this.#unread.get(node)
      return why === undefined ? [] : [`${node}: ${why}`]
    })
    const message =
      `of the owners ${holders.join(', ')} of a range ${needed} must be read, or acknowledged ` +
      `writes might be missed; not read are ${whys.join('; ')}`
    return new GTStoreError('QUORUM_UNAVAILABLE', message)
  }

  /** Others than owners may hold what they have not erased yet. */
  #merged({ token, key, copies }: HeldKey<Copy>): Found | undefined {
    const { owners } = this.#ring.arcOf(token)
    let record: StoredRecord | undefined
    for (const copy of copies) {
      if (owners.includes(copy.node)) record = this.#merge(record, copy.record)
    }
    return record && { token, key, record }
  }
}

interface Copy {
  readonly node: NodeId
  readonly record: StoredRecord
}

function holdersOf({ chain, owners }: Arc): readonly NodeId[] {
  return chain === undefined ? owners : chain.members.slice(0, chain.full)
}

function ringOf(source: ScanSource): RingDescription {
  const ring = source.ring()
  if (ring !== undefined) return ring
  throw new GTStoreError('FORMING', 'there is no ring yet: no node has joined the swarm')
}

/** Undefined for a key that was deleted. */
function pairOf(key: Uint8Array, record: StoredRecord, mode: Mode): Pair | undefined {
  const { value } = record
  if (value === null) return undefined
  const version = formatVersion(record.version)
  if (mode !== 'siblings') return { key, value, version }
  const values = siblingsOf(record).values.map((sibling) => sibling.value)
  const newest = values.at(-1)
  return newest && { key, value: newest, version, values }
}
