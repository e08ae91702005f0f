/** Tools for tests on real sockets: processes that remember, and peers that misbehave. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Malformed } from '../data/byte-stream.js'
import { FrameReader, FrameWriter } from '../protocol/frame.js'
import { type Lane, type Message, protocolVersion } from '../protocol/messages.js'
import type { Address, Log, Process } from '../runtime/runtime.js'
import { openSocketRuntime, type SocketRuntime, type SocketRuntimeOptions } from './sockets.js'

const limit = 16 << 20

/** A run directory that goes with the test. */
export function runDirectory(t: ExecutionContext): string {
  t.timeout(60_000)
  const run = mkdtempSync(join(tmpdir(), 'gtstore-run-'))
  t.teardown(() => rmSync(run, { recursive: true, force: true }))
  return run
}

/** Remembers what it was told, and lets tests wait for more. */
export class Recorder implements Process {
  readonly events: string[] = []
  readonly messages: Message[] = []
  onMessage: (from: Address, message: Message) => void = () => {}
  #waiting: (() => void)[] = []

  received(from: Address, message: Message): void {
    this.messages.push(message)
    this.onMessage(from, message)
    this.#told(`${from}: ${message.kind}`)
  }

  opened(peer: Address): void {
    this.#told(`${peer} opened`)
  }

  closed(peer: Address): void {
    this.#told(`${peer} closed`)
  }

  count(event: string): number {
    return this.events.filter((each) => each === event).length
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  saw(event: string, times = 1): Promise<void> {
    return this.until(() => this.count(event) >= times)
  }

  #told(event: string): void {
    this.events.push(event)
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

export class MemoryLog implements Log {
  readonly lines: { readonly message: string; readonly fields: Record<string, unknown> }[] = []
  debug(): void {}
  info = (fields: object, message: string) => this.#add(fields, message)
  warn = (fields: object, message: string) => this.#add(fields, message)
  error = (fields: object, message: string) => this.#add(fields, message)

  get reasons(): unknown[] {
    return this.lines.map((line) => line.fields.reason)
  }

  #add(fields: object, message: string): void {
    this.lines.push({ message, fields: { ...fields } })
  }
}

export interface TestProcess {
  readonly runtime: SocketRuntime
  readonly told: Recorder
  readonly log: MemoryLog
}

export async function startProcess(
  t: ExecutionContext,
  run: string,
  self: Address,
  options: Partial<SocketRuntimeOptions> = {},
): Promise<TestProcess> {
  const log = new MemoryLog()
  const listen = !self.startsWith('c-')
  const runtime = await openSocketRuntime({ run, self, listen, log, ...options })
  t.teardown(() => runtime.close())
  const told = new Recorder()
  runtime.attach(told)
  return { runtime, told, log }
}

export function framesOf(...messages: readonly Message[]): Buffer {
  const writer = new FrameWriter(limit)
  for (const message of messages) writer.push(message)
  return Buffer.concat(writer.take())
}

export function hello(from: Address, lane: Lane = 'data', protocol = protocolVersion): Message {
  return { kind: 'hello', protocol, from, lane }
}

/** A peer that speaks in bytes. */
export class RawPeer {
  readonly socket: Socket
  readonly received: (Message | Malformed)[] = []
  readonly ended: Promise<void>
  readonly #reader = new FrameReader(limit)
  #arrived: () => void = () => {}

  constructor(t: ExecutionContext, socket: Socket) {
    this.socket = socket
    t.teardown(() => socket.destroy())
    socket.on('error', () => {})
    this.ended = new Promise((resolve) => socket.on('close', () => resolve()))
    socket.on('data', (chunk) => {
      this.#reader.push(chunk)
      for (let read = this.#reader.next(); read !== undefined; read = this.#reader.next()) {
        this.received.push(read)
      }
      this.#arrived()
    })
  }

  static async connected(t: ExecutionContext, run: string, to: Address): Promise<RawPeer> {
    const socket = createConnection({ path: join(run, `${to}.sock`) })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new RawPeer(t, socket)
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  async got(count: number): Promise<void> {
    while (this.received.length < count) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve
      })
    }
  }
}

/** Listens under a name and hands over what connects. */
export async function rawServer(
  t: ExecutionContext,
  run: string,
  address: Address,
  accept: (peer: RawPeer) => void,
): Promise<Server> {
  const server = createServer((socket) => accept(new RawPeer(t, socket)))
  await new Promise<void>((resolve) => server.listen(join(run, `${address}.sock`), resolve))
  t.teardown(() => server.close())
  return server
}
