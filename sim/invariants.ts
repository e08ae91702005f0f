/**
 * What must hold at every moment of a run, in every mode. The checks see what no process sees: every
 * message as it leaves, every store's durable content, every ring as it is published. They ask nothing
 * of the processes and change nothing. What the modes promise of answers is in quorum-invariants.ts and
 * chain-invariants.ts.
 */
import { keyText } from '../shared/data/key-text.js'
import type { StoredRecord } from '../shared/data/record.js'
import { compareVersions, formatVersion, type Version } from '../shared/data/version.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import { type Arc, Ring } from '../shared/ring/ring.js'
import { inRange, tokenOf } from '../shared/ring/token.js'
import type { Mark, Range } from '../shared/runtime/ports.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { OnBreach } from './change-invariants.js'
import { durableRecord } from './disk.js'
import { type Host, nodeOf } from './host.js'

/** A queue longer than this would grow without end. */
const queueMax = 2_000

export abstract class Invariants {
  protected readonly host: Host
  readonly #onBreach: OnBreach
  #ring: Ring | undefined
  readonly #epochs = new Map<NodeId, number>()
  /** What each version wrote. */
  readonly #writes = new Map<string, string>()
  /** Versions that were known to be safe when they were answered; none covers another. */
  readonly #established = new Map<string, readonly Version[]>()
  #checks = 0

  constructor(host: Host, onBreach: OnBreach) {
    this.host = host
    this.#onBreach = onBreach
    host.network.watch((from, to, message) => {
      this.sent(from, to, message)
      if (message.kind === 'stale') this.checkEpoch(from, message.epoch)
      this.#checkQueues()
    })
    host.watchRings((ring) => this.#published(ring))
  }

  /** How often something was compared: a run that checked nothing proves nothing. */
  get checks(): number {
    return this.#checks
  }

  get ring(): Ring | undefined {
    return this.#ring
  }

  /** A process takes up a message. */
  received(_by: Address, _from: Address, _message: Message): void {}

  /** A node erases ranges: none of them may be one that reads still rely on. */
  erased(node: NodeId, ranges: readonly Range[]): void {
    this.counted()
    for (const arc of this.#ring?.arcs ?? []) {
      if (!this.holdersOf(arc).includes(node)) continue
      if (!ranges.some((range) => inRange(arc.to, range))) continue
      this.breach('no donor deletes before settled is published', `${node} erased up to ${arc.to}`)
    }
  }

  /** A tombstone goes for good: all owners hold it to the last, and nobody needs to from now on. */
  collected({ key, version }: Mark): void {
    const name = keyText(key)
    this.counted()
    const arc = this.#ring?.arcOf(tokenOf(key))
    const owners = arc === undefined ? [] : this.holdersOf(arc)
    const others = owners.filter((owner) => !this.holds(owner, name, version))
    if (others.length > 0) {
      this.breach('a tombstone goes when all owners hold it', `${name}: not ${others}`)
    }
    const established = this.#established.get(name) ?? []
    const left = established.filter((each) => !this.supersedes(version, each))
    this.#established.set(name, left)
  }

  /** Every answered version, or a newer one, is found by whoever reads its key. */
  checkEstablished(): void {
    const ring = this.#ring
    if (ring === undefined) return
    for (const [key, versions] of this.#established) {
      const arc = ring.arcOf(tokenOf(Buffer.from(key)))
      for (const version of versions) {
        this.counted()
        const holders = this.holdersOf(arc).filter((owner) => this.holds(owner, key, version))
        if (this.isSafe(arc, holders)) continue
        this.breach(
          'every read quorum finds every acknowledged value',
          `${key} at ${formatVersion(version)}: of its owners ${arc.owners} only ${holders} hold it in epoch ${ring.epoch}`,
        )
      }
    }
  }

  /** Those of whom what they have of a key may come back to others. */
  keepersOf(_key: Uint8Array): readonly NodeId[] {
    return this.#ring?.description.members.map(({ id }) => id) ?? []
  }

  protected abstract sent(from: Address, to: Address, message: Message): void

  /** What is wrong with a ring that follows another, in words. */
  protected abstract problemOf(before: Ring, after: Ring): string | undefined

  /** Those of whose copies reads of the arc may rely on. */
  protected abstract holdersOf(arc: Arc): readonly NodeId[]

  /** What so many of them hold is found by every read. */
  protected abstract isSafe(arc: Arc, holders: readonly NodeId[]): boolean

  /** The record is the version, or knows of it and of what superseded it. */
  covers(held: StoredRecord, version: Version): boolean {
    return this.supersedes(held.version, version)
  }

  /** It is the other one, or came after it. */
  protected supersedes(version: Version, other: Version): boolean {
    return compareVersions(version, other) >= 0
  }

  protected counted(): void {
    this.#checks++
  }

  protected breach(invariant: string, detail: string): void {
    this.#onBreach(invariant, detail)
  }

  protected establish(key: string, version: Version, covers: (other: Version) => boolean): void {
    const before = this.#established.get(key) ?? []
    this.#established.set(key, [...before.filter((other) => !covers(other)), version])
  }

  protected established(key: string): readonly Version[] {
    return this.#established.get(key) ?? []
  }

  protected checkEpoch(from: Address, epoch: number): void {
    this.counted()
    const node = nodeOf(from)
    const before = this.#epochs.get(node) ?? 0
    if (epoch < before) this.breach('epochs never decrease', `${from}: ${before}, then ${epoch}`)
    else this.#epochs.set(node, epoch)
  }

  /** Of all keys, or of the one whose heads draw it. */
  protected checkVersion(
    key: Uint8Array,
    value: Uint8Array | null,
    version: Version,
    isOfKey = false,
  ): void {
    this.counted()
    const name = `${isOfKey ? `${keyText(key)} ` : ''}${formatVersion(version)}`
    const write = `${keyText(key)}=${value === null ? 'deleted' : keyText(value)}`
    const known = this.#writes.get(name)
    if (known === undefined) this.#writes.set(name, write)
    else if (known !== write) {
      this.breach('two writes never share a version', `${name}: ${known} and ${write}`)
    }
  }

  protected holds(node: NodeId, key: string, version: Version): boolean {
    const record = durableRecord(this.host.disk.store(node), Buffer.from(key))
    return record !== undefined && this.covers(record, version)
  }

  #checkQueues(): void {
    const { longestQueue } = this.host.network
    if (longestQueue > queueMax) this.breach('queues are bounded', `${longestQueue} messages`)
  }

  #published(description: RingDescription): void {
    this.counted()
    const before = this.#ring
    const ring = new Ring(description)
    if (before !== undefined) {
      if (ring.epoch <= before.epoch) {
        this.breach('one ring an epoch', `${ring.epoch} was published after ${before.epoch}`)
      }
      const problem = this.problemOf(before, ring)
      if (problem !== undefined) this.breach('what is written is found in the next ring', problem)
    }
    this.#ring = ring
    this.checkEstablished()
  }
}
