/**
 * Are all copies where they belong, and equal? Reads which versions every member stores, all at once and
 * in the order of the ring, so that it holds one page of each however much they store.
 *
 * The members are read at slightly different moments, while clients write. So a key that looks wrong
 * is looked at again a little later, and again while it is seen to be written, before it counts.
 */
import { compareVersions } from '../shared/data/version.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import { addressOf, type Member, type NodeId } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import { keyBytesMax } from '../shared/runtime/limits.js'
import type { Cursor } from '../shared/runtime/ports.js'
import type { Admin } from './admin.js'
import {
  type Copy,
  CopyMerge,
  compareEntries,
  copyOf,
  type Faults,
  type HeldKey,
  isFaultless,
  judge,
  newestOf,
} from './copies.js'

/** A page of versions; the nodes have a limit of their own. */
const pageBytes = 256 * 1024
/** Keys that look wrong are looked at again when so many are gathered, and after this pause. */
const suspectsMax = 1_000
const suspectsPauseMs = 100
/** A key that is written all the time is looked at so often. */
const looksMax = 5
/** Keys that a report names; the others only count. */
const examplesMax = 10
/** So often a walk is repeated during which the ring changed. */
const walksMax = 3

/** What stands in the way of reading a member's store. */
export interface Unread {
  readonly node: NodeId
  readonly reason: string
}

export interface FaultyKey extends Faults {
  readonly key: Uint8Array
  readonly token: number
}

export interface VerifyReport {
  readonly epoch: number
  /** A change is under way, or the ring changed with every attempt. */
  readonly changing: boolean
  readonly members: number
  /** Their copies are not counted. */
  readonly unread: readonly Unread[]
  readonly keys: number
  readonly tombstones: number
  readonly copies: number
  readonly missing: number
  readonly misplaced: number
  readonly divergent: number
  readonly beyond: number
  /** Ranges whose chain has fewer than N members: who was dropped has not been copied to again. */
  readonly short: number
  /** The first faulty keys. */
  readonly examples: readonly FaultyKey[]
  /** No fault, nobody unread, no chain short, and the ring is settled. */
  readonly clean: boolean
}

export type VerifySource = Pick<Admin, 'ring' | 'isAlive' | 'page'>

export interface VerifyOptions {
  readonly source: VerifySource
  readonly pause: (ms: number) => Promise<void>
  /** `done`: the share of the ring that is walked, 0 to 1. */
  readonly onProgress?: (done: number, keys: number) => void
}

/** Undefined: there is no ring. Nobody's copies change by it. */
export async function verify(options: VerifyOptions): Promise<VerifyReport | undefined> {
  for (let walks = 1; ; walks++) {
    const description = options.source.ring()
    if (description === undefined) return undefined
    const walk = new Walk(options, new Ring(description))
    await walk.run()
    const moved = options.source.ring()?.epoch !== description.epoch
    if (!moved || walks === walksMax) return walk.report(moved)
  }
}

type Count = 'missing' | 'misplaced' | 'divergent' | 'beyond' | 'copies' | 'keys' | 'tombstones'

/** One reading of all members under one ring. */
class Walk {
  readonly #options: VerifyOptions
  readonly #ring: Ring
  readonly #members: ReadonlyMap<NodeId, Member>
  readonly #unread = new Map<NodeId, string>()
  readonly #counts: Record<Count, number> = {
    missing: 0,
    misplaced: 0,
    divergent: 0,
    beyond: 0,
    copies: 0,
    keys: 0,
    tombstones: 0,
  }
  readonly #examples: FaultyKey[] = []
  #suspects: HeldKey[] = []

  constructor(options: VerifyOptions, ring: Ring) {
    this.#options = options
    this.#ring = ring
    this.#members = new Map(ring.description.members.map((member) => [member.id, member]))
    for (const [id, member] of this.#members) {
      if (!options.source.isAlive(member)) this.#unread.set(id, 'down')
    }
  }

  async run(): Promise<void> {
    const merge = new CopyMerge(this.#readable(), copyOf)
    const cursors = new Map<NodeId, Cursor>()
    while (merge.hungry.length > 0) {
      await Promise.all(merge.hungry.map((node) => this.#feed(merge, node, cursors)))
      for (let held = merge.next(); held !== undefined; held = merge.next()) this.#meet(held)
      if (this.#suspects.length >= suspectsMax) await this.#lookAgain()
    }
    await this.#lookAgain()
  }

  report(moved: boolean): VerifyReport {
    const { missing, misplaced, divergent, beyond } = this.#counts
    const { epoch, change } = this.#ring.description
    const changing = moved || change !== undefined
    const short = this.#shortChains()
    const faults = missing + misplaced + divergent + beyond + short
    return {
      epoch,
      changing,
      members: this.#members.size,
      unread: [...this.#unread].map(([node, reason]) => ({ node, reason })),
      ...this.#counts,
      short,
      examples: this.#examples,
      clean: faults === 0 && this.#unread.size === 0 && !changing,
    }
  }

  #shortChains(): number {
    const { nodes, replicas } = this.#ring.description.placement
    const whole = Math.min(replicas, new Set(nodes).size)
    return this.#ring.arcs.filter(({ chain }) => chain && chain.members.length < whole).length
  }

  #readable(): NodeId[] {
    return [...this.#members.keys()].filter((id) => !this.#unread.has(id))
  }

  async #feed(merge: CopyMerge<Copy>, node: NodeId, cursors: Map<NodeId, Cursor>): Promise<void> {
    const page = await this.#page(node, cursors.get(node) ?? null, pageBytes)
    if (page?.next) cursors.set(node, page.next)
    merge.feed(node, page?.entries ?? [], !page?.next)
  }

  /** Undefined from the moment on when the node fails: its copies are not counted. */
  async #page(node: NodeId, cursor: Cursor | null, limitBytes: number) {
    const member = this.#members.get(node)
    if (member === undefined || this.#unread.has(node)) return undefined
    try {
      return await this.#options.source.page(addressOf(member), {
        keysOnly: true,
        cursor,
        limitBytes,
      })
    } catch (error) {
      this.#unread.set(node, reasonOf(error))
      return undefined
    }
  }

  #meet(held: HeldKey): void {
    if (isFaultless(this.#judge(held))) this.#count(held)
    else this.#suspects.push(held)
    if (this.#counts.keys % suspectsMax === 0) {
      this.#options.onProgress?.(((held.token - 1) >>> 0) / 2 ** 32, this.#counts.keys)
    }
  }

  #judge(held: HeldKey): Faults {
    return judge(held, this.#ring.arcOf(held.token), new Set(this.#unread.keys()))
  }

  #count(held: HeldKey): void {
    this.#counts.copies += held.copies.length
    this.#counts[newestOf(held).isTombstone ? 'tombstones' : 'keys']++
  }

  async #lookAgain(): Promise<void> {
    let suspects = this.#suspects
    this.#suspects = []
    for (let looks = 1; suspects.length > 0; looks++) {
      await this.#options.pause(suspectsPauseMs)
      const seen = await Promise.all(suspects.map((held) => this.#read(held)))
      const moving: HeldKey[] = []
      seen.forEach((held, index) => {
        const before = suspects[index]
        // Collected since: nobody holds it any more.
        if (held.copies.length === 0 || before === undefined) return
        const isMoving = compareVersions(newestOf(held).version, newestOf(before).version) !== 0
        if (isMoving && looks < looksMax && !isFaultless(this.#judge(held))) moving.push(held)
        else this.#settle(held)
      })
      suspects = moving
    }
  }

  #settle(held: HeldKey): void {
    this.#count(held)
    const faults = this.#judge(held)
    if (isFaultless(faults)) return
    this.#counts.missing += faults.missing.length
    this.#counts.misplaced += faults.misplaced.length
    this.#counts.divergent += faults.divergent.length
    this.#counts.beyond += faults.beyond
    const { key, token } = held
    if (this.#examples.length < examplesMax) this.#examples.push({ key, token, ...faults })
  }

  /** All copies of one key as they are now. */
  async #read({ token, key }: HeldKey): Promise<HeldKey> {
    const before = justBefore({ token, key })
    const found = await Promise.all(
      this.#readable().map(async (node): Promise<Copy[]> => {
        const page = await this.#page(node, before, 1)
        const [entry] = page?.entries ?? []
        const isIt = entry !== undefined && compareEntries(entry, { token, key }) === 0
        return isIt ? [copyOf(node, entry)] : []
      }),
    )
    return { token, key, copies: found.flat() }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof GTStoreError && error.code === 'TIMEOUT') return 'not answering'
  if (error instanceof GTStoreError && error.code === 'CANNOT_CONNECT') return 'down'
  return error instanceof Error ? error.message : String(error)
}

/** A cursor behind which this key comes first: no key fits between the two. */
function justBefore({ token, key }: Cursor): Cursor {
  const last = key.at(-1) ?? 0
  const head = key.subarray(0, -1)
  if (last === 0) return { token, key: head }
  const padding = Buffer.alloc(keyBytesMax - key.length, 0xff)
  return { token, key: Buffer.concat([head, Uint8Array.of(last - 1), padding]) }
}
