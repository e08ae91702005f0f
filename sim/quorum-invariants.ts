/**
 * What must hold of answers in quorum replication: nothing is acknowledged or returned before enough
 * owners hold it durably, on both sides of a change, and every read quorum finds it from then on.
 */
import { keyText } from '../shared/data/key-text.js'
import type { Mode } from '../shared/data/mode.js'
import type { StoredRecord } from '../shared/data/record.js'
import { formatVersion, type Version } from '../shared/data/version.js'
import type {
  CoordinatePut,
  CoordinateWrite,
  Message,
  Put,
  Write,
} from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Arc, Ownership, Ring } from '../shared/ring/ring.js'
import { tokenOf } from '../shared/ring/token.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { OnBreach } from './change-invariants.js'
import type { Host } from './host.js'
import { Invariants } from './invariants.js'
import { quorumsIntersect } from './quorums.js'
import { SiblingRecords } from './sibling-records.js'

type AnyWrite = Put | CoordinatePut | Write | CoordinateWrite

export class QuorumInvariants extends Invariants {
  /** Of mode `siblings`. */
  readonly #records: SiblingRecords | undefined
  /** Requests that may be acknowledged, by requester and id. */
  readonly #writes = new Map<string, AnyWrite>()
  readonly #reads = new Map<string, string>()
  readonly #answered = new Set<string>()

  constructor(host: Host, mode: Mode, onBreach: OnBreach) {
    super(host, onBreach)
    if (mode === 'siblings') {
      this.#records = new SiblingRecords((detail) => this.breach('a dot is drawn once', detail))
    }
  }

  protected override sent(from: Address, to: Address, message: Message): void {
    this.#records?.sent(message)
    switch (message.kind) {
      case 'put':
      case 'coordinate.put':
        this.#writes.set(`${from}/${message.id}`, message)
        this.checkVersion(message.key, message.value, message.version)
        break
      case 'write':
      case 'coordinate.write':
        this.#writes.set(`${from}/${message.id}`, message)
        break
      case 'replica.put':
        this.checkVersion(message.key, message.value, message.version)
        this.checkEpoch(from, message.epoch)
        break
      case 'coordinate.put.ok':
      case 'put.ok':
      case 'coordinate.write.ok':
      case 'write.ok':
        this.#checkAcknowledged(to, message)
        break
      case 'coordinate.get.ok':
      case 'get.ok':
        if (message.version !== null) this.#checkRead(to, message.id, message.version)
        break
      case 'coordinate.get':
      case 'get':
        this.#reads.set(`${from}/${message.id}`, keyText(message.key))
        break
      default:
    }
  }

  protected override problemOf(before: Ring, after: Ring): string | undefined {
    return quorumsIntersect(before, after)
  }

  protected override holdersOf({ owners }: Arc): readonly NodeId[] {
    return owners
  }

  protected override isSafe({ quorums: { n, r } }: Arc, holders: readonly NodeId[]): boolean {
    return holders.length > n - r
  }

  override covers(held: StoredRecord, version: Version): boolean {
    return this.#records?.covers(held, version) ?? super.covers(held, version)
  }

  protected override supersedes(version: Version, other: Version): boolean {
    return this.#records?.supersedes(version, other) ?? super.supersedes(version, other)
  }

  #checkAcknowledged(
    requester: Address,
    message: Extract<Message, { kind: `${'' | 'coordinate.'}${'put' | 'write'}.ok` }>,
  ): void {
    const write = this.#writes.get(`${requester}/${message.id}`)
    if (write === undefined) {
      const detail = `${requester} ${message.id} was answered, never asked`
      this.breach('every answer has its request', detail)
      return
    }
    const told = 'version' in message ? message.version : undefined
    const version = 'version' in write ? write.version : told
    if (version !== undefined)
      this.#checkKnown(keyText(write.key), version, write.w, 'acknowledged')
  }

  #checkRead(requester: Address, id: number, version: Version): void {
    const key = this.#reads.get(`${requester}/${id}`)
    if (key !== undefined) this.#checkKnown(key, version, 0, 'returned')
  }

  /** Answered at this moment: enough owners of the current ring hold it durably, on both sides. */
  #checkKnown(key: string, version: Version, w: number, verb: string): void {
    const name = `${key} ${formatVersion(version)} ${w}`
    if (this.#answered.has(name)) return
    this.#answered.add(name)
    this.counted()
    const arc = this.ring?.arcOf(tokenOf(Buffer.from(key)))
    const sides: (Ownership | undefined)[] = [arc, arc?.next]
    for (const side of sides) {
      if (side === undefined) continue
      const holders = side.owners.filter((owner) => this.holds(owner, key, version))
      const needed = w === 0 ? side.quorums.w : Math.min(w, side.quorums.n)
      if (holders.length >= needed) continue
      this.breach(
        'nothing is answered before enough durable copies',
        `${key} at ${formatVersion(version)} was ${verb} in epoch ${this.ring?.epoch} with ` +
          `${needed} needed of ${side.owners}, held by ${holders.length === 0 ? 'none' : holders}`,
      )
    }
    const isKnown = this.established(key).some((other) => this.supersedes(other, version))
    if (!isKnown) this.establish(key, version, (other) => this.supersedes(version, other))
  }
}
