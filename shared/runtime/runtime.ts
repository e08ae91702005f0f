/**
 * The seam: everything that protocol code may ask of the world, and everything the world tells it.
 *
 * Protocol code runs to completion and holds no promise, clock, randomness or socket. Real processes
 * get a Runtime from `shared/os/`, simulated ones from `sim/`; the code cannot tell which.
 */
import type { Micros } from '../data/version.js'
import type { Message } from '../protocol/messages.js'

export type Millis = number
/** Names a process: `manager`, `n3.1` (node and incarnation), `supervisor`, `c-<writer>`. */
export type Address = string
export type CancelTimer = () => void

/** A process of the host; the start time tells it from a later one with the same pid. */
export interface ProcessId {
  readonly pid: number
  readonly startTime: string
}

export interface Runtime {
  /** Monotonic. */
  now(): Millis
  /** The host-wide clock, read at each call and never cached. */
  hostMicros(): Micros
  /** In [0, 1). */
  random(): number
  /**
   * Queues a message; everything queued in one turn leaves in one write. Connects first where
   * needed. False: the peer's bounded queue is full, and the message was dropped. A message that
   * cannot be delivered later is reported by `closed(to)`.
   */
  send(to: Address, message: Message): boolean
  /**
   * Calls `fire` after `ms`. With 0 it runs at the end of this turn of the event loop, after
   * everything that has arrived with it and before what was queued is written.
   */
  after(ms: Millis, label: string, fire: () => void): CancelTimer
  isAlive(process: ProcessId): boolean
}

/** What the world tells a process. */
export interface Process {
  received(from: Address, message: Message): void
  /** A peer connected to us, or we to it. */
  opened(peer: Address): void
  /** The connection ended or could not be made: what was in flight to the peer may be lost. */
  closed(peer: Address): void
}

/** Structured log lines; the shape of pino's methods. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
