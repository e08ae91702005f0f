/**
 * Nothing old floats in, and no deleted key comes back: a replica takes nothing that was longer on its
 * way than maxFlightMs, and a tombstone is collected only once nothing older of its key is left.
 */
import type { StoredRecord } from '../shared/data/record.js'
import { formatVersion, type Version } from '../shared/data/version.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { maxFlightMs } from '../shared/runtime/limits.js'
import type { Mark } from '../shared/runtime/ports.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { OnBreach } from './change-invariants.js'
import { entryName } from './disk.js'
import type { Host } from './host.js'

/** What a node does when it takes a value. */
const taken = { 'replica.put.ok': 1, 'hint.put.ok': 1, 'handoff.push.ok': 1 } as const

export class FlightInvariants {
  readonly #host: Host
  readonly #keepersOf: (key: Uint8Array) => readonly NodeId[]
  readonly #covers: (held: StoredRecord, version: Version) => boolean
  readonly #onCollected: (mark: Mark) => void
  readonly #onBreach: OnBreach
  /** What reached a process after too long a time, by receiver, sender and id. */
  readonly #tooOld = new Set<string>()
  readonly #collected = new Set<string>()

  constructor(options: {
    readonly host: Host
    /** Those of the newest ring that may still pass on what they have of a key. */
    readonly keepersOf: (key: Uint8Array) => readonly NodeId[]
    readonly covers: (held: StoredRecord, version: Version) => boolean
    /** Called before the first copy of a tombstone goes: from then on nobody needs to hold it. */
    readonly onCollected: (mark: Mark) => void
    readonly onBreach: OnBreach
  }) {
    this.#host = options.host
    this.#keepersOf = options.keepersOf
    this.#covers = options.covers
    this.#onCollected = options.onCollected
    this.#onBreach = options.onBreach
    this.#host.network.watch((from, to, message) => this.#sent(from, to, message))
  }

  /** A process takes up a message, however long that lay in its socket. */
  received(by: Address, from: Address, message: Message): void {
    if (!('born' in message) || !('id' in message)) return
    const age = this.#host.world.hostMicros - message.born
    const isValue = message.kind === 'replica.put' || message.kind === 'hint.put'
    if (!isValue && message.kind !== 'handoff.push') return
    const name = `${by}/${from}/${message.id}`
    if (age > maxFlightMs * 1_000) this.#tooOld.add(name)
    else this.#tooOld.delete(name)
  }

  #sent(from: Address, to: Address, message: Message): void {
    if (!(message.kind in taken) || !('id' in message)) return
    if (!this.#tooOld.has(`${from}/${to}/${message.id}`)) return
    this.#onBreach('nothing old floats in', `${from} took a late message of ${to}: ${message.kind}`)
  }

  /** A node is about to drop these tombstones; the first that does speaks for all. */
  collecting(by: NodeId, marks: readonly Mark[]): void {
    for (const mark of marks) {
      const keepers = this.#keepersOf(mark.key)
      if (!keepers.includes(by)) continue
      const name = `${entryName(mark.token, mark.key)}/${formatVersion(mark.version)}`
      if (this.#collected.has(name)) continue
      this.#collected.add(name)
      this.#onCollected(mark)
      for (const member of keepers) this.#checkNothingOlder(member, mark)
    }
  }

  #checkNothingOlder(member: NodeId, { token, key, version }: Mark): void {
    const name = entryName(token, key)
    for (const store of [member, `${member}/hints`]) {
      const held = this.#host.disk.store(store).entries.get(name)
      if (held === undefined || this.#covers(held.record, version)) continue
      this.#onBreach(
        'a tombstone outlives what it deletes',
        `${store} has ${Buffer.from(key)} at ${formatVersion(held.record.version)}, ` +
          `while its tombstone ${formatVersion(version)} is collected`,
      )
    }
  }
}
