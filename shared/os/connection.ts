/**
 * One socket between two processes: its greeting, and the frames in and out.
 *
 * Whoever connects says hello; until it is answered, messages wait in the queue. A connection that
 * is not greeted in time, or that sends anything but a message of the protocol, is closed with a
 * logged reason. Every end, whatever its cause, is reported once, by `ended`.
 */
import type { Socket } from 'node:net'
import { Malformed } from '../data/byte-stream.js'
import { FrameReader, FrameWriter } from '../protocol/frame.js'
import { type Lane, type Message, protocolVersion } from '../protocol/messages.js'
import { helloTimeoutMs } from '../runtime/limits.js'
import type { Address, Log } from '../runtime/runtime.js'

/** Who a connection belongs to; every call comes from an event of the socket. */
export interface ConnectionOwner {
  readonly self: Address
  /** What is said of it to whoever connects: see HelloOk. */
  readonly swarm: string
  readonly log: Log
  readonly frameBytesMax: number
  /** An accepted connection said hello. A text refuses it. */
  greeted(connection: Connection, from: Address, lane: Lane): string | undefined
  /** The peer of a dialled connection takes it, and is of this swarm. False ends it, with nothing sent. */
  isOurs(connection: Connection, swarm: string): boolean
  /** A dialled connection may be used. */
  accepted(connection: Connection): void
  /** A dialled connection was refused by a peer that speaks `protocol`. */
  refused(connection: Connection, protocol: number, reason: string): void
  received(connection: Connection, message: Message): void
  ended(connection: Connection): void
}

export class Connection {
  /** The other end; empty until an accepted connection said hello. */
  peer: Address
  lane: Lane
  /** Greeted: messages flow. */
  open = false
  /** Listed by its owner for the flush at the end of the turn. */
  dirty = false
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  readonly #dialled: boolean
  readonly #writer: FrameWriter
  readonly #reader: FrameReader
  readonly #helloTimer: NodeJS.Timeout
  #refused = false

  private constructor(
    owner: ConnectionOwner,
    socket: Socket,
    dialled: { readonly peer: Address; readonly lane: Lane } | undefined,
  ) {
    this.#owner = owner
    this.#socket = socket
    this.#dialled = dialled !== undefined
    this.peer = dialled?.peer ?? ''
    this.lane = dialled?.lane ?? 'data'
    this.#writer = new FrameWriter(owner.frameBytesMax)
    this.#reader = new FrameReader(owner.frameBytesMax)
    this.#helloTimer = setTimeout(() => this.#givenUp(), helloTimeoutMs).unref()
    socket.on('error', (error) => owner.log.debug({ peer: this.peer, error }, 'socket error'))
    socket.on('end', () => this.destroy())
    socket.on('close', () => {
      clearTimeout(this.#helloTimer)
      this.open = false
      owner.ended(this)
    })
  }

  /** A socket that is connecting to `peer`. */
  static dialled(owner: ConnectionOwner, socket: Socket, peer: Address, lane: Lane): Connection {
    const connection = new Connection(owner, socket, { peer, lane })
    connection.#writeNow({ kind: 'hello', protocol: protocolVersion, from: owner.self, lane })
    connection.start()
    return connection
  }

  /** A socket that a server accepted; it is not read before `start`. */
  static accepted(owner: ConnectionOwner, socket: Socket): Connection {
    return new Connection(owner, socket, undefined)
  }

  start(): void {
    this.#socket.on('data', (chunk: Uint8Array) => this.#take(chunk))
  }

  /** Bytes that wait here or in the socket for the peer to read. */
  get queuedBytes(): number {
    return this.#writer.pending + this.#socket.writableLength
  }

  /** Queues; `flush` sends. */
  push(message: Message): void {
    this.#writer.push(message)
  }

  /** Everything queued leaves in one write. */
  flush(): void {
    if (this.open) this.#write(this.#writer.take())
  }

  /** Says why, and closes. */
  refuse(reason: string): void {
    this.#refused = true
    this.#writeNow({ kind: 'hello.refused', protocol: protocolVersion, reason })
    this.#socket.destroySoon()
  }

  /** Sends what is queued, then closes; resolves once closed. */
  finish(): Promise<void> {
    if (this.#socket.closed) return Promise.resolve()
    this.flush()
    return new Promise((resolve) => {
      this.#socket.once('close', () => resolve())
      if (this.open) this.#socket.destroySoon()
      else this.#socket.destroy()
    })
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #take(chunk: Uint8Array): void {
    this.#reader.push(chunk)
    while (!this.#socket.destroyed && !this.#refused) {
      const message = this.#reader.next()
      if (message === undefined) return
      if (message instanceof Malformed) {
        this.#fail(message.message)
        return
      }
      if (!this.open) this.#greet(message)
      else if (isGreeting(message)) this.#fail('greeted twice')
      else this.#owner.received(this, message)
    }
  }

  #greet(message: Message): void {
    if (this.#dialled && message.kind === 'hello.ok') {
      if (!this.#owner.isOurs(this, message.swarm)) return this.destroy()
      this.#setOpen()
      this.#owner.accepted(this)
    } else if (this.#dialled && message.kind === 'hello.refused') {
      this.#owner.refused(this, message.protocol, message.reason)
      this.destroy()
    } else if (!this.#dialled && message.kind === 'hello') {
      this.#greetAccepted(message.protocol, message.from, message.lane)
    } else this.#fail('not a hello')
  }

  #greetAccepted(protocol: number, from: Address, lane: Lane): void {
    const refusal =
      protocol === protocolVersion
        ? this.#owner.greeted(this, from, lane)
        : `${from} speaks protocol version ${protocol}, ${this.#owner.self} speaks ${protocolVersion}`
    if (refusal !== undefined) {
      this.#owner.log.warn({ peer: from, reason: refusal }, 'connection refused')
      this.refuse(refusal)
      return
    }
    const { swarm } = this.#owner
    this.#writeNow({ kind: 'hello.ok', protocol: protocolVersion, swarm })
    this.peer = from
    this.lane = lane
    this.#setOpen()
    this.#owner.accepted(this)
  }

  #setOpen(): void {
    clearTimeout(this.#helloTimer)
    this.open = true
  }

  /** A paused process keeps its socket, accepts and says nothing: no offence against the protocol. */
  #givenUp(): void {
    const reason = this.#dialled
      ? `no answer to our hello in ${helloTimeoutMs / 1000} s: it is paused or hangs`
      : `no hello in ${helloTimeoutMs / 1000} s`
    this.#owner.log.warn({ peer: this.peer, reason }, 'connection closed: the peer is silent')
    this.destroy()
  }

  #fail(reason: string): void {
    this.#owner.log.warn({ peer: this.peer, reason }, 'connection closed: not the protocol')
    this.destroy()
  }

  /** Past the queue: greetings come before all that waits. */
  #writeNow(message: Message): void {
    const frame = new FrameWriter(this.#owner.frameBytesMax)
    frame.push(message)
    this.#write(frame.take())
  }

  #write(pieces: readonly Uint8Array[]): void {
    const [only] = pieces
    if (only === undefined || this.#socket.destroyed) return
    if (pieces.length === 1) {
      this.#socket.write(only)
      return
    }
    this.#socket.cork()
    for (const piece of pieces) this.#socket.write(piece)
    this.#socket.uncork()
  }
}

function isGreeting({ kind }: Message): boolean {
  return kind === 'hello' || kind === 'hello.ok' || kind === 'hello.refused'
}
