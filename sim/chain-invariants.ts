/**
 * What must hold of chains: each message goes from one member to the next one, only the end answers a
 * write, once it is durable at every member, and a reader answers once the mark of its epoch came. One
 * request has one result, whoever answers it, and two have never the same version.
 */
import { noVersion } from '../shared/data/chain-record.js'
import { keyText } from '../shared/data/key-text.js'
import {
  compareVersions,
  formatVersion,
  type Micros,
  type Version,
} from '../shared/data/version.js'
import type {
  ChainPut,
  CoordinateWrite,
  ErrorReply,
  Message,
  Write,
} from '../shared/protocol/messages.js'
import type { Chain, NodeId, Token } from '../shared/ring/description.js'
import { type Arc, Ring } from '../shared/ring/ring.js'
import { inRange, tokenOf } from '../shared/ring/token.js'
import type { Mark, Range } from '../shared/runtime/ports.js'
import type { Address } from '../shared/runtime/runtime.js'
import { wipedForPlan } from '../storage/ring-keeper.js'
import { chainsFollow } from './chain-rings.js'
import type { OnBreach } from './change-invariants.js'
import { type Host, nodeOf } from './host.js'
import { Invariants } from './invariants.js'

interface Asked {
  readonly key: Uint8Array
  readonly stamp: Version
}

export class ChainInvariants extends Invariants {
  /** Of the ring that a process holds. */
  readonly #epochOf: (process: Address) => number | undefined
  readonly #rings = new Map<number, Ring>()
  readonly #held = new Map<Address, { before: number; now: number; since: Micros }>()
  /** Writes that may be answered, by requester and id. */
  readonly #writes = new Map<string, Asked>()
  readonly #reads = new Map<string, Uint8Array>()
  /** By stamp: what the request came to; and by key and version, whose it is. */
  readonly #results = new Map<string, string>()
  readonly #authors = new Map<string, string>()
  readonly #answered = new Set<string>()
  /** The newest tombstones that went: whoever hears of them late finds nothing. */
  readonly #purged = new Map<string, Version>()
  /** The marks that came, by process and epoch. */
  readonly #marks = new Map<string, Range[]>()

  constructor(host: Host, epochOf: (process: Address) => number | undefined, onBreach: OnBreach) {
    super(host, onBreach)
    this.#epochOf = epochOf
    host.watchRings((ring) => this.#rings.set(ring.epoch, new Ring(ring)))
  }

  override received(by: Address, _from: Address, message: Message): void {
    if (message.kind !== 'chain.mark') return
    const name = `${by}/${message.epoch}`
    const { from, to } = message
    this.#marks.set(name, [...(this.#marks.get(name) ?? []), { from, to }])
  }

  /**
   * A head that forgot a key keeps what it refuses beside no version, the others beside the
   * tombstone that they still hold: with that it goes there, and it deletes nothing.
   */
  override collected(mark: Mark): void {
    const { version } = mark
    const key = keyText(mark.key)
    const isPurged = this.#isPurged(key, version)
    if (isPurged && compareVersions(version, noVersion) === 0) return
    super.collected(mark)
    if (!isPurged) this.#purged.set(key, version)
  }

  /** Who joins wipes first: until then it holds what an earlier time left. */
  override keepersOf(key: Uint8Array): readonly NodeId[] {
    const { ring } = this
    if (ring === undefined) return []
    const { owners, chain } = ring.arcOf(tokenOf(key))
    const plan = ring.description.change?.plan
    return owners.filter((id, place) => {
      const { meta } = this.host.disk.store(id)
      const isFull = place < (chain?.full ?? owners.length)
      return isFull || wipedForPlan({ meta: (name) => meta.get(name) }) === plan
    })
  }

  protected override sent(from: Address, to: Address, message: Message): void {
    // Of these the sender surely holds a ring.
    if (message.kind.startsWith('chain.')) this.#epochsOf(from)
    switch (message.kind) {
      case 'write':
      case 'coordinate.write':
        return this.#asked(`${from}/${message.id}`, message)
      case 'chain.put':
        return this.#put(from, to, message)
      case 'chain.ack':
        return this.#checkNeighbours(message.epoch, message.token, to, from, 'chain.ack')
      case 'chain.mark':
        return this.#checkNeighbours(message.epoch, message.to, from, to, 'chain.mark')
      case 'chain.ready':
        return this.#checkReady(from, message.epoch)
      case 'coordinate.write.ok':
      case 'write.ok':
        return this.#written(from, to, message.kind, message)
      case 'error':
        return this.#refused(to, message)
      case 'get':
      case 'coordinate.get':
        this.#reads.set(`${from}/${message.id}`, message.key)
        return
      case 'get.ok':
      case 'coordinate.get.ok':
        return this.#read(from, to, message)
      default:
    }
  }

  protected override problemOf(before: Ring, after: Ring): string | undefined {
    return chainsFollow(before, after)
  }

  protected override holdersOf({ chain, owners }: Arc): readonly NodeId[] {
    return chain === undefined ? owners : chain.members.slice(0, chain.full)
  }

  /** Whoever holds everything may be the only one left. */
  protected override isSafe(arc: Arc, holders: readonly NodeId[]): boolean {
    return holders.length === this.holdersOf(arc).length
  }

  #asked(name: string, { key, stamp }: Write | CoordinateWrite): void {
    this.#writes.set(name, { key, stamp })
  }

  #put(from: Address, to: Address, message: ChainPut): void {
    const { epoch, token, key, value, version, origin, request, stamp } = message
    this.#checkNeighbours(epoch, token, from, to, 'chain.put')
    this.checkEpoch(from, epoch)
    // Of a key that was never written.
    if (version.boot > 0) this.checkVersion(key, value, version, true)
    if (origin !== '' && stamp !== null) this.#writes.set(`${origin}/${request}`, { key, stamp })
  }

  /** By the ring of the epoch, `next` stands right behind `from`. */
  #checkNeighbours(epoch: number, token: Token, from: Address, next: Address, kind: string): void {
    const chain = this.#chainOf(epoch, token)
    if (chain === undefined) return
    this.counted()
    const { members } = chain
    const index = members.indexOf(nodeOf(from))
    if (index >= 0 && members[index + 1] === nodeOf(next)) return
    const detail = `a ${kind} between ${from} and ${next}, in epoch ${epoch}: ${members}`
    this.breach('a chain is passed in its order', detail)
  }

  #written(
    from: Address,
    to: Address,
    kind: 'write.ok' | 'coordinate.write.ok',
    { id, version }: { readonly id: number; readonly version: Version },
  ): void {
    const write = this.#writes.get(`${to}/${id}`)
    if (write === undefined) {
      this.breach('every answer has its request', `${to} ${id} was answered, never asked`)
      return
    }
    const { key, stamp } = write
    this.#concluded(stamp, formatVersion(version), keyText(key))
    this.#checkAuthor(stamp, version, keyText(key))
    if (kind === 'coordinate.write.ok') this.#checkEnd(from, key, version)
    this.#checkKnown(keyText(key), version, 'acknowledged')
  }

  #refused(to: Address, message: ErrorReply): void {
    const write = this.#writes.get(`${to}/${message.id}`)
    if (write === undefined || message.code !== 'CONDITION_FAILED') return
    const { met } = message
    const result = `refused by ${met === undefined ? 'nothing' : formatVersion(met)}`
    this.#concluded(write.stamp, result, keyText(write.key))
  }

  #concluded(stamp: Version, result: string, key: string): void {
    this.counted()
    const name = formatVersion(stamp)
    const known = this.#results.get(name) ?? result
    this.#results.set(name, known)
    if (known === result) return
    this.breach('one request has one result', `${name} of ${key}: ${known}, then ${result}`)
  }

  #checkAuthor(stamp: Version, version: Version, key: string): void {
    const name = formatVersion(stamp)
    const drawn = `${key} ${formatVersion(version)}`
    const author = this.#authors.get(drawn) ?? name
    this.#authors.set(drawn, author)
    if (author === name) return
    const detail = `${drawn} was given to ${author} and ${name}`
    this.breach('two writes never share a version', detail)
  }

  /** The last member by a ring that it held in this turn, and all before it are done. */
  #checkEnd(from: Address, key: Uint8Array, version: Version): void {
    const epochs = this.#epochsOf(from)
    const chains = epochs.map((epoch) => this.#chainOf(epoch, tokenOf(key)))
    const isEnd = (chain: Chain | undefined) => chain?.members.at(-1) === nodeOf(from)
    const at = chains.findIndex(isEnd)
    const [epoch, chain] = [epochs[at], chains[at]]
    this.counted()
    if (chain === undefined) {
      const members = chains.map((each) => `${each?.members}`).join(' or ')
      const detail = `${from} answered in epoch ${epochs.join(' or ')} for ${members}`
      this.breach('only the end answers a write', detail)
      return
    }
    const now = this.ring?.arcOf(tokenOf(key))
    const still = now === undefined ? [] : this.holdersOf(now)
    const lacking = chain.members.filter(
      (node) => still.includes(node) && !this.holds(node, keyText(key), version),
    )
    if (lacking.length === 0 || this.#isPurged(keyText(key), version)) return
    this.breach(
      'a write is answered when every member of its chain has it',
      `${keyText(key)} at ${formatVersion(version)} in epoch ${epoch}: not ${lacking}`,
    )
  }

  #read(
    from: Address,
    to: Address,
    message: Extract<Message, { kind: 'get.ok' | 'coordinate.get.ok' }>,
  ): void {
    const key = this.#reads.get(`${to}/${message.id}`)
    if (key === undefined) return
    if (message.node === nodeOf(from)) this.#checkReader(from, tokenOf(key))
    if (message.version !== null) this.#checkKnown(keyText(key), message.version, 'returned')
  }

  /** It reads by the ring that it holds, and has the mark of that epoch. */
  #checkReader(from: Address, token: Token): void {
    const epoch = this.#epochOf(from)
    const chain = epoch === undefined ? undefined : this.#chainOf(epoch, token)
    if (epoch === undefined || chain === undefined) return
    this.counted()
    if (chain.reader !== nodeOf(from)) {
      const detail = `${from} answered in epoch ${epoch}, not ${chain.reader}`
      this.breach('only the reader answers a get', detail)
    }
    if (epoch !== this.ring?.epoch) {
      const detail = `${from} answered in epoch ${epoch}, after ${this.ring?.epoch} was published`
      this.breach('a reader answers while its epoch is current', detail)
    }
    const isHead = chain.members[0] === nodeOf(from)
    if (isHead || this.#hasMark(from, epoch, token)) return
    this.breach('a reader waits for its mark', `${from} in epoch ${epoch}, at ${token}`)
  }

  #checkReady(from: Address, epoch: number): void {
    for (const { chain, to } of this.#rings.get(epoch)?.arcs ?? []) {
      if (chain?.reader !== nodeOf(from) || chain.members.indexOf(nodeOf(from)) < chain.full)
        continue
      this.counted()
      if (this.#hasMark(from, epoch, to)) continue
      this.breach('a reader waits for its mark', `${from} is ready in epoch ${epoch}, up to ${to}`)
    }
  }

  #hasMark(process: Address, epoch: number, token: Token): boolean {
    const marks = this.#marks.get(`${process}/${epoch}`) ?? []
    return marks.some((range) => inRange(token, range))
  }

  /** Answered at this moment: every member that reads may come to rely on holds it durably. */
  #checkKnown(key: string, version: Version, verb: string): void {
    const name = `${key} ${formatVersion(version)}`
    const arc = this.ring?.arcOf(tokenOf(Buffer.from(key)))
    if (arc === undefined || this.#answered.has(name)) return
    this.#answered.add(name)
    if (this.#isPurged(key, version)) return
    this.counted()
    const lacking = this.holdersOf(arc).filter((node) => !this.holds(node, key, version))
    if (lacking.length > 0) {
      this.breach(
        'nothing is answered before every full member holds it',
        `${key} at ${formatVersion(version)} was ${verb} in epoch ${this.ring?.epoch}, not held by ` +
          `${lacking} of ${arc.owners}`,
      )
    }
    const [newest] = this.established(key)
    if (newest === undefined || compareVersions(version, newest) > 0) {
      this.establish(key, version, () => true)
    }
  }

  #isPurged(key: string, version: Version): boolean {
    const purged = this.#purged.get(key)
    return purged !== undefined && compareVersions(version, purged) <= 0
  }

  /** Those that the process held in this turn: what it sends leaves at the end of it. */
  #epochsOf(process: Address): number[] {
    const { micros } = this.host.world
    const now = this.#epochOf(process) ?? 0
    const known = this.#held.get(process) ?? { before: 1, now, since: micros }
    const held = known.now === now ? known : { before: known.now, now, since: micros }
    this.#held.set(process, held)
    const first = held.since === micros ? held.before : now
    return Array.from({ length: now - first + 1 }, (_, i) => now - i)
  }

  #chainOf(epoch: number, token: Token): Chain | undefined {
    return this.#rings.get(epoch)?.arcOf(token).chain
  }
}
