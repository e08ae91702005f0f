/**
 * A bare framed echo between two Node processes over a Unix socket: the yardstick of `npm run bench`.
 *
 * It answers like a client, so that the same load loop drives it and the swarm and only the store
 * makes the difference: each call sends one `put` message to `echo-server.ts`, which decodes it and
 * sends the same message back, and ends when the reply is decoded. No routing, no quorum, no deadline,
 * no retry; everything of one turn leaves in one write.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { TurnEnd } from '../shared/os/turn-end.js'
import { messageFields } from '../shared/protocol/messages.js'
import { CborFrameReader, CborFrameWriter } from './cbor-frames.js'
import type { LoadClient } from './load.js'

/** The number of a `put` on the wire. */
const [putNumber] = messageFields.put

export class Echo implements LoadClient {
  readonly #server: ChildProcess
  readonly #socket: Socket
  readonly #writer = new CborFrameWriter()
  readonly #reader = new CborFrameReader()
  readonly #turnEnd = new TurnEnd(() => this.#socket.write(this.#writer.take()))
  readonly #waiting = new Map<number, (echoed: unknown[]) => void>()
  #lastId = 0

  private constructor(server: ChildProcess, socket: Socket) {
    this.#server = server
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#reader.read(chunk, (message) => this.#received(message))
    })
  }

  static async start(socketPath: string): Promise<Echo> {
    const program = fileURLToPath(new URL('echo-server.js', import.meta.url))
    const server = fork(program, [socketPath], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const ended = once(server, 'exit').then(([code]) => {
      throw new Error(`the echo server ended with exit code ${code}`)
    })
    await Promise.race([once(server, 'message'), ended])
    ended.catch(() => {})
    const socket = connect(socketPath)
    await once(socket, 'connect')
    return new Echo(server, socket)
  }

  /** Resolves to the message that came back, an array as on the wire. */
  put(key: string, value: Uint8Array): Promise<unknown[]> {
    return new Promise((resolve) => {
      const id = ++this.#lastId
      this.#waiting.set(id, resolve)
      const version = [1, 1_000_000_000 + id, '0123456789abcdef']
      const deadline = 1_005_000_000 + id
      this.#writer.push([putNumber, id, Buffer.from(key), value, version, 0, deadline])
      this.#turnEnd.schedule()
    })
  }

  /** An echo holds nothing: it is compared by its puts. */
  get(): Promise<never> {
    return Promise.reject(new Error('an echo has nothing to get'))
  }

  async stop(): Promise<void> {
    this.#socket.destroy()
    if (this.#server.exitCode !== null) return
    this.#server.disconnect()
    await once(this.#server, 'exit')
  }

  #received(echoed: unknown[]): void {
    const id = Number(echoed[1])
    const resolve = this.#waiting.get(id)
    this.#waiting.delete(id)
    resolve?.(echoed)
  }
}
