/**
 * The Runtime of real processes: messages over Unix sockets, timers, clock and randomness.
 *
 * Two processes that talk keep their connections, up to one for each lane. A message takes the
 * peer's open lane, whoever dialled it; where there is none it is dialled, or, for a peer that does
 * not listen (a client), any connection it opened serves. A peer lives and dies as a whole: when one
 * of its connections ends, all do, what was queued is dropped, and the process is told once.
 *
 * All work of one turn of the event loop is gathered: at its end the `after(0)` callbacks run, then
 * each connection that has something to say says it in one write.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { GTStoreError } from '../protocol/errors.js'
import { type Lane, laneOf, type Message, protocolVersion } from '../protocol/messages.js'
import {
  connectionsMax,
  frameOverheadBytes,
  frameValuesMax,
  peerQueueBytesMax,
  valueBytesMaxDefault,
} from '../runtime/limits.js'
import type {
  Address,
  CancelTimer,
  Log,
  Millis,
  Process,
  ProcessId,
  Runtime,
} from '../runtime/runtime.js'
import { Connection, type ConnectionOwner } from './connection.js'
import { socketPath } from './directories.js'
import { hostMicros, isProcessAlive } from './linux.js'
import { listen } from './listen.js'
import { TurnEnd } from './turn-end.js'

export interface SocketRuntimeOptions {
  /** The run directory: holds `<address>.sock` of every process that listens. */
  readonly run: string
  readonly self: Address
  readonly listen: boolean
  readonly log: Log
  readonly valueBytesMax?: number
  /** Connections at once; more are refused. */
  readonly connectionsMax?: number
  /** Connections and timers do not keep this process alive: for clients. See `ref`. */
  readonly unref?: boolean
  /** Random id of the swarm that this process is of; said to whoever connects. Left out: not said. */
  readonly swarm?: string
  /**
   * A dialled peer is of this swarm (empty: it does not say). False: it is sent nothing that waits for
   * it, and `closed(peer)` follows.
   */
  readonly isOurs?: (swarm: string) => boolean
  /** A dialled peer refused us, with the reason as an error; `closed(peer)` follows. */
  readonly onRefused?: (peer: Address, error: GTStoreError) => void
}

interface Peer {
  readonly address: Address
  /** Where messages of a lane go; greeted or not yet. */
  readonly lanes: { [L in Lane]: Connection | undefined }
  readonly connections: Set<Connection>
  /** The process was told `opened`. */
  open: boolean
}

/** Those who listen in the run directory; all others are reached by what they opened. */
const dialable = /^(manager|supervisor|n\d+\.\d+)$/
const addressForm = /^[\w.-]{1,80}$/
/** How long `close` waits for peers to take what is queued for them. */
const closeGraceMs = 500

/** Resolves once the socket is bound: from then on others may connect. */
export async function openSocketRuntime(options: SocketRuntimeOptions): Promise<SocketRuntime> {
  const runtime = new SocketRuntime(options)
  if (options.listen) await runtime.listen()
  return runtime
}

export class SocketRuntime implements Runtime, ConnectionOwner {
  readonly self: Address
  readonly log: Log
  readonly frameBytesMax: number
  readonly #run: string
  readonly #connectionsMax: number
  readonly #unref: boolean
  readonly swarm: string
  readonly #isOurs: (swarm: string) => boolean
  readonly #onRefused: ((peer: Address, error: GTStoreError) => void) | undefined
  readonly #peers = new Map<Address, Peer>()
  readonly #connections = new Set<Connection>()
  /** Accepted before there was a process to tell. */
  readonly #early: Connection[] = []
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #turnEnd = new TurnEnd(() => this.#flush())
  #dirty: Connection[] = []
  #process: Process | undefined
  #server: Server | undefined
  #keepAlive: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: SocketRuntimeOptions) {
    this.self = options.self
    this.log = options.log
    // Never below the default, since handoff batches and rings are frames as well.
    const valueBytesMax = Math.max(options.valueBytesMax ?? 0, valueBytesMaxDefault)
    this.frameBytesMax = frameValuesMax * valueBytesMax + frameOverheadBytes
    this.#run = options.run
    this.#connectionsMax = options.connectionsMax ?? connectionsMax
    this.#unref = options.unref ?? false
    this.swarm = options.swarm ?? ''
    this.#isOurs = options.isOurs ?? (() => true)
    this.#onRefused = options.onRefused
  }

  async listen(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket))
    await listen(server, socketPath(this.#run, this.self))
    this.#server = server
  }

  /** Whom to tell from now on; once. */
  attach(process: Process): void {
    if (this.#process !== undefined) throw new Error('a process is attached already')
    this.#process = process
    for (const connection of this.#early) connection.start()
    this.#early.length = 0
  }

  /** With `unref`: keeps this process alive until `unref`, for calls in flight. */
  ref(): void {
    this.#keepAlive ??= setInterval(() => {}, 2 ** 30)
    this.#keepAlive.ref()
  }

  unref(): void {
    this.#keepAlive?.unref()
  }

  /** Stops listening, sends what is queued, ends every connection. Nothing is called afterwards. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#turnEnd.close()
    for (const timer of this.#timers) clearTimeout(timer)
    clearInterval(this.#keepAlive)
    const server = this.#server
    const stopped = new Promise<void>((resolve) => {
      if (server === undefined) resolve()
      else server.close(() => resolve())
    })
    const grace = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, closeGraceMs)
    await Promise.all([...this.#connections].map((connection) => connection.finish()))
    clearTimeout(grace)
    await stopped
  }

  // --- Runtime ---

  now(): Millis {
    return performance.now()
  }

  hostMicros(): number {
    return hostMicros()
  }

  random(): number {
    return Math.random()
  }

  isAlive(process: ProcessId): boolean {
    return isProcessAlive(process)
  }

  after(ms: Millis, _label: string, fire: () => void): CancelTimer {
    if (this.#closed) return () => {}
    if (ms <= 0) return this.#turnEnd.add(fire)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      fire()
    }, ms)
    if (this.#unref) timer.unref()
    this.#timers.add(timer)
    return () => {
      clearTimeout(timer)
      this.#timers.delete(timer)
    }
  }

  send(to: Address, message: Message): boolean {
    if (this.#closed) return false
    const connection = this.#connectionTo(to, laneOf(message.kind))
    if (connection === undefined) return false
    if (connection.queuedBytes > peerQueueBytesMax) return this.#refuseMore(connection)
    connection.push(message)
    if (!connection.dirty) {
      connection.dirty = true
      this.#dirty.push(connection)
      this.#turnEnd.schedule()
    }
    return true
  }

  #connectionTo(to: Address, lane: Lane): Connection | undefined {
    const peer = this.#peers.get(to)
    const connection = peer?.lanes[lane]
    if (connection !== undefined) return connection
    if (dialable.test(to)) return this.#dial(peer ?? this.#addPeer(to), lane)
    if (peer === undefined) return undefined
    const [any] = peer.connections
    return any
  }

  /** A node may catch up; a client that does not read is cut off. */
  #refuseMore(connection: Connection): false {
    this.log.warn({ peer: connection.peer, bytes: connection.queuedBytes }, 'queue is full')
    if (!dialable.test(connection.peer)) connection.destroy()
    return false
  }

  #flush(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (const connection of dirty) {
      connection.dirty = false
      connection.flush()
    }
  }

  // --- Connections ---

  #addPeer(address: Address): Peer {
    const peer: Peer = {
      address,
      lanes: { data: undefined, control: undefined, bulk: undefined },
      connections: new Set(),
      open: false,
    }
    this.#peers.set(address, peer)
    return peer
  }

  #dial(peer: Peer, lane: Lane): Connection {
    const socket = createConnection({ path: socketPath(this.#run, peer.address) })
    if (this.#unref) socket.unref()
    const connection = Connection.dialled(this, socket, peer.address, lane)
    this.#connections.add(connection)
    peer.connections.add(connection)
    peer.lanes[lane] = connection
    return connection
  }

  #accept(socket: Socket): void {
    const connection = Connection.accepted(this, socket)
    this.#connections.add(connection)
    if (this.#connections.size > this.#connectionsMax) connection.refuse('too many connections')
    else if (this.#process === undefined) this.#early.push(connection)
    else connection.start()
  }

  greeted(_connection: Connection, from: Address, _lane: Lane): string | undefined {
    return addressForm.test(from) ? undefined : 'the address has another form'
  }

  isOurs(connection: Connection, swarm: string): boolean {
    if (this.#closed || this.#isOurs(swarm)) return true
    this.log.warn(
      { peer: connection.peer, swarm },
      'connection closed: the peer is of another swarm',
    )
    return false
  }

  accepted(connection: Connection): void {
    const peer = this.#peers.get(connection.peer) ?? this.#addPeer(connection.peer)
    peer.connections.add(connection)
    peer.lanes[connection.lane] ??= connection
    if (!connection.dirty) connection.flush()
    if (peer.open) return
    peer.open = true
    this.#process?.opened(peer.address)
  }

  refused(connection: Connection, protocol: number, reason: string): void {
    const { peer } = connection
    const error =
      protocol === protocolVersion
        ? new GTStoreError('CANNOT_CONNECT', `${peer} refused the connection: ${reason}`)
        : new GTStoreError(
            'VERSION_MISMATCH',
            `${peer} speaks protocol version ${protocol}, this program speaks ${protocolVersion}: ` +
              'use the same version of gtstore everywhere, or restart the swarm with this one',
          )
    this.log.warn({ peer, protocol, reason }, 'connection refused by the peer')
    if (!this.#closed) this.#onRefused?.(peer, error)
  }

  received(connection: Connection, message: Message): void {
    if (!this.#closed) this.#process?.received(connection.peer, message)
  }

  ended(connection: Connection): void {
    this.#connections.delete(connection)
    const peer = this.#peers.get(connection.peer)
    // Not (or no longer) one of the peer's: it never said hello, or its peer is gone already.
    if (peer === undefined || !peer.connections.has(connection)) return
    this.#peers.delete(peer.address)
    for (const other of peer.connections) other.destroy()
    if (!this.#closed) this.#process?.closed(peer.address)
  }
}
