/**
 * A bare framed echo between two Node processes over a Unix socket: the yardstick of `npm run bench`.
 *
 * This side keeps a fixed number of messages in flight to `echo-server.ts`, decodes each reply and
 * sends the next message. It is as lean as the client's hot path could ever be: no promise, no
 * routing, no retry, one write a turn.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { performance, type RecordableHistogram } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { FrameReader, FrameWriter } from '../shared/protocol/frame.js'
import type { Put } from '../shared/protocol/messages.js'
import { frameOverheadBytes } from '../shared/runtime/limits.js'
import { createLatencies, type Latency, recordSince, summarize } from './load.js'
import { pumpFrames } from './pump.js'

export interface EchoReport {
  readonly opsPerSecond: number
  readonly latency: Latency
}

export class Echo {
  readonly #server: ChildProcess
  readonly #socket: Socket

  private constructor(server: ChildProcess, socket: Socket) {
    this.#server = server
    this.#socket = socket
  }

  static async start(socketPath: string): Promise<Echo> {
    const program = fileURLToPath(new URL('echo-server.js', import.meta.url))
    const server = fork(program, [socketPath], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    await once(server, 'message')
    const socket = connect(socketPath)
    await once(socket, 'connect')
    return new Echo(server, socket)
  }

  /** Sends `operations` messages with values of `valueBytes`, `inFlight` of them at a time. */
  exchange(operations: number, inFlight: number, valueBytes: number): Promise<EchoReport> {
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(this.#socket, operations, inFlight, valueBytes)
      exchange.run(resolve, reject)
    })
  }

  async stop(): Promise<void> {
    this.#socket.destroy()
    if (this.#server.exitCode !== null) return
    this.#server.disconnect()
    await once(this.#server, 'exit')
  }
}

/** One measured run on an open connection. */
class Exchange {
  readonly #socket: Socket
  readonly #operations: number
  readonly #inFlight: number
  readonly #value: Uint8Array
  readonly #key = Buffer.from('bench/1234')
  readonly #writer = new FrameWriter(frameOverheadBytes)
  readonly #reader = new FrameReader(frameOverheadBytes)
  readonly #latencies: RecordableHistogram = createLatencies()
  /** When the message with this id was sent. */
  readonly #sentAt: Float64Array
  #sent = 0
  #answered = 0

  constructor(socket: Socket, operations: number, inFlight: number, valueBytes: number) {
    this.#socket = socket
    this.#operations = operations
    this.#inFlight = inFlight
    this.#value = new Uint8Array(valueBytes).fill(7)
    this.#sentAt = new Float64Array(operations)
  }

  run(done: (report: EchoReport) => void, failed: (error: Error) => void): void {
    const started = performance.now()
    const received = (chunk: Buffer): void => {
      pumpFrames(this.#reader, chunk, (message) => {
        recordSince(this.#latencies, this.#sentAt[(message as Put).id] ?? started)
        this.#answered += 1
        if (this.#sent < this.#operations) this.#send()
      })
      this.#flush()
      if (this.#answered < this.#operations) return
      this.#socket.off('data', received).off('error', failed)
      const seconds = (performance.now() - started) / 1000
      done({ opsPerSecond: this.#operations / seconds, latency: summarize(this.#latencies) })
    }
    this.#socket.on('data', received).on('error', failed)
    while (this.#sent < Math.min(this.#inFlight, this.#operations)) this.#send()
    this.#flush()
  }

  #send(): void {
    const id = this.#sent++
    this.#sentAt[id] = performance.now()
    this.#writer.push({
      kind: 'put',
      id,
      key: this.#key,
      value: this.#value,
      version: { boot: 1, micros: 1_000_000_000 + id, writer: '0123456789abcdef' },
      w: 0,
      deadline: 1_005_000_000 + id,
    })
  }

  #flush(): void {
    if (this.#writer.pending > 0) this.#socket.write(Buffer.concat(this.#writer.take()))
  }
}
