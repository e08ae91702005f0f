/**
 * What must hold at every moment of a run. The checks see what no process sees: every message as it
 * leaves, every store's durable content, every ring as it is published. They ask nothing of the
 * processes and change nothing.
 */
import { compareVersions, formatVersion, type Version } from '../shared/data/version.js'
import type { CoordinatePut, Message, Put, ReplicaPut } from '../shared/protocol/messages.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import { type Ownership, Ring } from '../shared/ring/ring.js'
import { inRange, tokenOf } from '../shared/ring/token.js'
import type { Mark, Range } from '../shared/runtime/ports.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { OnBreach } from './change-invariants.js'
import { durableRecord } from './disk.js'
import { type Host, nodeOf } from './host.js'
import { quorumsIntersect } from './quorums.js'

/** A queue longer than this would grow without end. */
const queueMax = 2_000

type AnyPut = Put | CoordinatePut | ReplicaPut

export class Invariants {
  readonly #host: Host
  readonly #onBreach: OnBreach
  #ring: Ring | undefined
  readonly #epochs = new Map<NodeId, number>()
  /** Requests that may be acknowledged, by requester and id. */
  readonly #puts = new Map<string, Put | CoordinatePut>()
  /** What each version wrote. */
  readonly #writes = new Map<string, string>()
  /** Versions that were known on enough owners when they were answered. */
  readonly #established = new Map<string, Version>()
  readonly #answeredVersions = new Set<string>()
  #checks = 0

  constructor(host: Host, onBreach: OnBreach) {
    this.#host = host
    this.#onBreach = onBreach
    host.network.watch((from, to, message) => this.#sent(from, to, message))
    host.watchRings((ring) => this.#published(ring))
  }

  /** How often something was compared: a run that checked nothing proves nothing. */
  get checks(): number {
    return this.#checks
  }

  /** The newest version answered for each key. */
  get established(): ReadonlyMap<string, Version> {
    return this.#established
  }

  get ring(): Ring | undefined {
    return this.#ring
  }

  /** A node erases ranges: none of them may be one that reads still rely on. */
  erased(node: NodeId, ranges: readonly Range[]): void {
    this.#checks++
    for (const arc of this.#ring?.arcs ?? []) {
      if (!arc.owners.includes(node)) continue
      if (!ranges.some((range) => inRange(arc.to, range))) continue
      this.#breach('no donor deletes before settled is published', `${node} erased up to ${arc.to}`)
    }
  }

  /** A tombstone goes for good: all owners hold it to the last, and nobody needs to from now on. */
  collected({ key, version }: Mark): void {
    const name = keyText(key)
    const newest = this.#established.get(name)
    this.#checks++
    const owners = this.#ring?.arcOf(tokenOf(key)).owners ?? []
    const others = owners.filter((owner) => !this.#holds(owner, name, version))
    if (others.length > 0) {
      this.#breach('a tombstone goes when all owners hold it', `${name}: not ${others}`)
    }
    if (newest !== undefined && compareVersions(newest, version) === 0) {
      this.#established.delete(name)
    }
  }

  /** Every answered version, or a newer one, is found by every read quorum of its key. */
  checkEstablished(): void {
    const ring = this.#ring
    if (ring === undefined) return
    for (const [key, version] of this.#established) {
      this.#checks++
      const { owners, quorums } = ring.arcOf(tokenOf(Buffer.from(key)))
      const holders = owners.filter((owner) => this.#holds(owner, key, version))
      if (holders.length > quorums.n - quorums.r) continue
      this.#breach(
        'every read quorum finds every acknowledged value',
        `${key} at ${formatVersion(version)}: of its owners ${owners} only ${holders} hold it in epoch ${ring.epoch}`,
      )
    }
  }

  #sent(from: Address, to: Address, message: Message): void {
    switch (message.kind) {
      case 'put':
      case 'coordinate.put':
        this.#puts.set(`${from}/${message.id}`, message)
        this.#checkVersion(message)
        break
      case 'replica.put':
        this.#checkVersion(message)
        this.#checkEpoch(from, message.epoch)
        break
      case 'coordinate.put.ok':
      case 'put.ok':
        this.#checkAcknowledged(to, message.id)
        break
      case 'coordinate.get.ok':
      case 'get.ok':
        if (message.version !== null) this.#checkRead(to, message.id, message.version)
        break
      case 'coordinate.get':
        this.#reads.set(`${from}/${message.id}`, keyText(message.key))
        break
      case 'get':
        this.#reads.set(`${from}/${message.id}`, keyText(message.key))
        break
      case 'stale':
        this.#checkEpoch(from, message.epoch)
        break
      default:
    }
    this.#checkQueues()
  }

  readonly #reads = new Map<string, string>()

  #checkQueues(): void {
    const { longestQueue } = this.#host.network
    if (longestQueue > queueMax) this.#breach('queues are bounded', `${longestQueue} messages`)
  }

  #checkEpoch(from: Address, epoch: number): void {
    this.#checks++
    const node = nodeOf(from)
    const before = this.#epochs.get(node) ?? 0
    if (epoch < before) this.#breach('epochs never decrease', `${from}: ${before}, then ${epoch}`)
    else this.#epochs.set(node, epoch)
  }

  #checkVersion({ key, value, version }: AnyPut): void {
    this.#checks++
    const name = formatVersion(version)
    const write = `${keyText(key)}=${value === null ? 'deleted' : keyText(value)}`
    const known = this.#writes.get(name)
    if (known === undefined) this.#writes.set(name, write)
    else if (known !== write) {
      this.#breach('two writes never share a version', `${name}: ${known} and ${write}`)
    }
  }

  #checkAcknowledged(requester: Address, id: number): void {
    const put = this.#puts.get(`${requester}/${id}`)
    if (put === undefined) {
      this.#breach('every answer has its request', `${requester} ${id} was answered, never asked`)
      return
    }
    this.#checkKnown(keyText(put.key), put.version, put.w, 'acknowledged')
  }

  #checkRead(requester: Address, id: number, version: Version): void {
    const key = this.#reads.get(`${requester}/${id}`)
    if (key !== undefined) this.#checkKnown(key, version, 0, 'returned')
  }

  /** Answered at this moment: enough owners of the current ring hold it durably, on both sides. */
  #checkKnown(key: string, version: Version, w: number, verb: string): void {
    const name = `${key} ${formatVersion(version)} ${w}`
    if (this.#answeredVersions.has(name)) return
    this.#answeredVersions.add(name)
    this.#checks++
    const arc = this.#ring?.arcOf(tokenOf(Buffer.from(key)))
    const sides: (Ownership | undefined)[] = [arc, arc?.next]
    for (const side of sides) {
      if (side === undefined) continue
      const holders = side.owners.filter((owner) => this.#holds(owner, key, version))
      const needed = w === 0 ? side.quorums.w : Math.min(w, side.quorums.n)
      if (holders.length >= needed) continue
      this.#breach(
        'nothing is answered before enough durable copies',
        `${key} at ${formatVersion(version)} was ${verb} in epoch ${this.#ring?.epoch} with ` +
          `${needed} needed of ${side.owners}, held by ${holders.length === 0 ? 'none' : holders}`,
      )
    }
    const newest = this.#established.get(key)
    if (newest === undefined || compareVersions(version, newest) > 0) {
      this.#established.set(key, version)
    }
  }

  #holds(node: NodeId, key: string, version: Version): boolean {
    const record = durableRecord(this.#host.disk.store(node), Buffer.from(key))
    return record !== undefined && compareVersions(record.version, version) >= 0
  }

  #published(description: RingDescription): void {
    this.#checks++
    const before = this.#ring
    const ring = new Ring(description)
    if (before !== undefined) {
      if (ring.epoch <= before.epoch) {
        this.#breach('one ring an epoch', `${ring.epoch} was published after ${before.epoch}`)
      }
      const problem = quorumsIntersect(before, ring)
      if (problem !== undefined) this.#breach('quorums of consecutive rings intersect', problem)
    }
    this.#ring = ring
    this.checkEstablished()
  }

  #breach(invariant: string, detail: string): void {
    this.#onBreach(invariant, detail)
  }
}

function keyText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
