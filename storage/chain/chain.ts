/**
 * A node's part in the chains that it is a member of (van Renesse and Schneider, "Chain Replication for
 * Supporting High Throughput and Availability", OSDI 2004).
 *
 * A write enters at the head, which decides it (decide.ts); each member makes it durable and only then
 * sends it on, so that whoever stands before holds all that is held behind. At the end it is committed:
 * the end answers, and the acknowledgement runs back. What happens to a message after it became durable
 * goes by the ring held *then*: a member that has become the end meanwhile answers.
 *
 * On each new ring, and when a link broke, everything that is not known to be committed goes down once
 * more: the newest value with all such requests beside it. A message never carries a value without the
 * request that wrote it, unless that one is committed; so whoever becomes the head knows every request
 * whose effect it holds. After that the head's mark follows, and whoever reads an arc answers only once
 * it came: then it holds what any reader before it has shown.
 */
import { unlessMalformed } from '../../shared/data/byte-stream.js'
import { requestsOf } from '../../shared/data/chain-record.js'
import type { ChainMark, ErrorReply, Message, Stale } from '../../shared/protocol/messages.js'
import { addressOf, type Token } from '../../shared/ring/description.js'
import type { Ring } from '../../shared/ring/ring.js'
import { chainPurgeMs, chainRepeatMs, handoffBatchBytes } from '../../shared/runtime/limits.js'
import type { Cursor, Entry } from '../../shared/runtime/ports.js'
import type { Address } from '../../shared/runtime/runtime.js'
import type { Department } from '../department.js'
import type { Desk } from '../desk.js'
import type { StorageNodeOptions } from '../node.js'
import { refuse } from '../reply.js'
import type { WriteRequest } from '../request.js'
import { Barrier } from './barrier.js'
import { Conveyor } from './conveyor.js'
import { Link, sessionIdMin } from './link.js'
import { Purge } from './purge.js'
import { Resender } from './resender.js'
import { type Seat, seatsOf } from './seat.js'
import { Uncommitted } from './uncommitted.js'

const wholeRing = { from: 0, to: 0 }

export interface ChainOptions extends Pick<StorageNodeOptions, 'member' | 'boot'> {
  /** A newer ring waits for its wipe. */
  isAdopting(): boolean
  /** As a reader of a switching ring this node has the marks of all its arcs. */
  isReady(epoch: number): void
}

export class Chain implements Department {
  readonly takes = ['chain.put', 'chain.ack', 'chain.mark', 'repair.start'] as const
  readonly isBusy = false
  readonly stats = {}
  readonly address: Address
  private readonly desk: Desk
  private readonly index: Uncommitted
  private readonly barrier = new Barrier()
  private readonly conveyor: Conveyor
  private readonly purge: Purge
  private readonly resender: Resender
  private readonly options: ChainOptions
  /** The ring that the seats are of. */
  private ring: Ring | undefined
  /** By the ends of their arcs. */
  private seats: ReadonlyMap<Token, Seat> = new Map()
  private readonly links = new Map<Address, Link>()
  private lastSession = sessionIdMin
  /** The newest session of a peer of which a message was lost here: its marks say too much. */
  private readonly lostSessions = new Map<Address, number>()
  private isStopped = false
  private isTicking = false

  constructor(desk: Desk, options: ChainOptions) {
    const { barrier } = this
    const index = new Uncommitted(options.boot, () => this.tickSoon())
    this.desk = desk
    this.options = options
    this.index = index
    this.address = addressOf(options.member)
    this.conveyor = new Conveyor({
      desk,
      address: this.address,
      boot: options.boot,
      index,
      barrier,
      isAdopting: options.isAdopting,
      seatOf: (token) => this.seatOf(token),
      linkTo: (successor) => this.linkTo(successor),
    })
    this.purge = new Purge(desk, options.boot, index)
    this.resender = new Resender(desk, index, {
      isCurrent: (seat) => this.isCurrent(seat),
      isFlowing: ({ successor }) => successor === undefined || this.linkTo(successor).isOpen,
      pass: (token, key, record) => this.conveyor.passAgain(token, key, record),
      ended: (seat) => this.passMark(seat),
    })
  }

  /** Requests that are not known to have reached the end of their chains. */
  get uncommitted(): number {
    return this.index.uncommitted
  }

  start(): void {
    this.scan(undefined)
  }

  stop(): void {
    this.isStopped = true
    for (const link of this.links.values()) link.stop()
  }

  opened(peer: Address): void {
    this.links.get(peer)?.opened()
  }

  closed(peer: Address): void {
    this.links.get(peer)?.break('closed')
  }

  received(from: Address, message: Message): void {
    if (message.kind === 'repair.start') return this.refuseRepair(from, message.id)
    this.follow()
    switch (message.kind) {
      case 'chain.put':
        return this.conveyor.take(from, message)
      case 'chain.ack':
        return this.conveyor.acknowledged(from, message)
      case 'chain.mark':
        return this.marked(from, message)
      default:
        return
    }
  }

  ringChanged(): void {
    this.follow()
  }

  /** Of a write that this node is the head for; the end of the chain answers it. */
  write(request: WriteRequest): void {
    this.follow()
    const seat = this.seatOf(request.token)
    if (seat?.isHead !== true) throw new Error(`${this.desk.self} is not the head of the chain`)
    this.conveyor.order(seat, request)
  }

  /** Whether a reader of this arc may answer: the mark of the epoch has come. */
  hasMark(token: Token): boolean {
    this.follow()
    return this.seatOf(token)?.hasMark === true
  }

  /** Calls `read` once the mark has come, unless another ring comes before it. */
  whenMarked(token: Token, read: () => void): void {
    this.follow()
    const seat = this.seatOf(token)
    if (seat === undefined || !seat.isReader) throw new Error('read where another node reads')
    if (seat.hasMark) read()
    else seat.waiting.push(read)
  }

  /** By a handoff; what is returned is called once they are durable. */
  copied(entries: readonly Entry[]): () => void {
    const now = this.desk.runtime.now()
    const noted = unlessMalformed(() =>
      entries.flatMap(({ token, key, record }) =>
        this.index.note(token, key, requestsOf(record), now),
      ),
    )
    if (noted === undefined) {
      this.desk.storageFailed(new Error('the requests beside a key are malformed'))
      return () => {}
    }
    return () => this.index.areDurable(noted)
  }

  /** A message of a ring that is being adopted, which there was no room to keep. */
  lost(from: Address, { kind, id }: Message & { readonly id: number }): void {
    if (kind !== 'chain.put' && kind !== 'chain.mark') return
    this.lostSessions.set(from, id)
    this.refuseSession(from, id)
  }

  /** A reply to what went over a link, which numbers no requests but sessions. */
  isOfLink({ id }: Stale | ErrorReply): boolean {
    return id >= sessionIdMin
  }

  /** The peer could not take a message of this session. */
  refused(from: Address, reply: Stale | ErrorReply): void {
    const link = this.links.get(from)
    if (link === undefined) return
    if (reply.kind === 'stale' && reply.epoch > this.desk.ring.epoch) this.desk.catchUp()
    if (link.session === reply.id && link.isOpen) link.break('refused')
  }

  // --- The ring ---

  private follow(): void {
    const { ring } = this.desk
    if (ring === this.ring) return
    this.ring = ring
    const seats = this.desk.isNamed ? seatsOf(ring, this.desk.self) : []
    this.seats = new Map(seats.map((seat) => [seat.arc.to, seat]))
    this.keepOwn()
    for (const peer of this.lostSessions.keys()) {
      if (this.desk.nodeAt(peer) === undefined) this.lostSessions.delete(peer)
    }
    this.keepLinks(new Set(seats.map(({ successor }) => successor)))
    for (const seat of seats) {
      if (seat.hasMark) this.clear(seat)
      this.resender.resend(seat)
    }
  }

  private keepLinks(successors: ReadonlySet<Address | undefined>): void {
    for (const [peer, link] of this.links) {
      if (successors.has(peer)) {
        link.renew()
        continue
      }
      link.stop()
      this.links.delete(peer)
    }
  }

  private seatOf(token: Token): Seat | undefined {
    return this.ring === undefined ? undefined : this.seats.get(this.ring.arcOf(token).to)
  }

  private linkTo(peer: Address): Link {
    let link = this.links.get(peer)
    if (link === undefined) {
      link = new Link({
        runtime: this.desk.runtime,
        peer,
        nextSession: () => this.lastSession++,
        resumed: () => this.resumed(peer),
      })
      this.links.set(peer, link)
    }
    return link
  }

  private resumed(peer: Address): void {
    if (this.isStopped) return
    for (const seat of this.seats.values()) {
      if (seat.successor === peer) this.resender.resend(seat)
    }
  }

  // --- Marks ---

  private marked(from: Address, message: ChainMark): void {
    const seat = this.seats.get(message.to)
    if (seat?.predecessor !== from) return this.conveyor.ignore(from, message)
    const lost = this.lostSessions.get(from)
    if (lost !== undefined && message.id <= lost) return this.refuseSession(from, message.id)
    if (!seat.hasMark) {
      seat.hasMark = true
      const { waiting } = seat
      seat.waiting = []
      for (const read of waiting) read()
    }
    this.clear(seat)
  }

  /** The mark goes on behind all that came before it, each durable here and on its way. */
  private clear(seat: Seat): void {
    this.barrier.after(() => {
      seat.isClear = true
      this.passMark(seat)
      this.sayReady()
    })
  }

  private passMark(seat: Seat): void {
    if (!this.isCurrent(seat) || !seat.hasMark || !seat.isClear || !seat.isResent) return
    if (seat.successor === undefined) return
    const link = this.linkTo(seat.successor)
    const { from, to } = seat.arc
    link.send({ kind: 'chain.mark', id: link.session, epoch: seat.epoch, from, to })
  }

  private sayReady(): void {
    const { ring } = this
    if (ring?.description.change?.switching !== true) return
    const read = [...this.seats.values()].filter(({ isReader }) => isReader)
    // Durably: the others may go then.
    if (read.length > 0 && read.every(({ isClear }) => isClear)) this.options.isReady(ring.epoch)
  }

  private isCurrent(seat: Seat): boolean {
    return this.seats.get(seat.arc.to) === seat && !this.isStopped
  }

  /** All that an earlier life left: nobody remembers what of it was committed. */
  private scan(after: Cursor | undefined): void {
    const { desk } = this
    desk.engine.scan(wholeRing, after, handoffBatchBytes, (error, page) => {
      if (this.isStopped) return
      if (page === undefined) {
        return desk.storageFailed(error ?? new Error('the scan gave no page'))
      }
      const areDurable = this.copied(page.entries)
      areDurable()
      const { next } = page
      if (next !== undefined) {
        desk.runtime.after(0, 'scan', () => this.scan(next))
        return
      }
      this.keepOwn()
      this.resender.begin(this.seats.values())
    })
  }

  /** What a wipe or a dropping left behind is not for this node to send. */
  private keepOwn(): void {
    // A ring of the life before says nothing of what this one holds: its own is still to come.
    if (this.ring === undefined || !this.desk.isNamed) return
    this.index.keepOnly((token) => this.seatOf(token) !== undefined)
  }

  private tickSoon(): void {
    if (this.isTicking || this.isStopped) return
    this.isTicking = true
    this.desk.runtime.after(chainPurgeMs, 'chain', () => this.tick())
  }

  /** Clears up, and sends again what no acknowledgement came for. */
  private tick(): void {
    this.isTicking = false
    if (this.isStopped) return
    if (this.ring === undefined) return this.tickSoon()
    this.purge.run()
    const overdue = this.desk.runtime.now() - chainRepeatMs
    const late = this.index.openWhere(({ since }) => since <= overdue)
    const seats = new Set(late.map(({ token }) => this.seatOf(token)))
    for (const seat of seats) if (seat?.isResent) this.resender.resend(seat)
    if (this.index.size > 0) this.tickSoon()
  }

  // --- Refusals ---

  private refuseSession(to: Address, id: number): void {
    this.conveyor.refuseForNow(to, id, this.ring?.epoch ?? 0)
  }

  private refuseRepair(from: Address, id: number): void {
    const message = 'a chain repairs itself: a member that missed something is copied to anew'
    refuse(this.desk, from, id, 'UNSUPPORTED', message)
  }
}

/** Undefined in the other modes. */
export function openChain(
  desk: Desk,
  options: ChainOptions & Pick<StorageNodeOptions, 'mode'>,
): Chain | undefined {
  return options.mode === 'chain' ? new Chain(desk, options) : undefined
}
