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
import { FrameReader, FrameWriter } from '../shared/protocol/frame.js'
import type { Put } from '../shared/protocol/messages.js'
import { frameOverheadBytes } from '../shared/runtime/limits.js'
import type { LoadClient } from './load.js'
import { pumpFrames } from './pump.js'

export class Echo implements LoadClient {
  readonly #server: ChildProcess
  readonly #socket: Socket
  readonly #writer = new FrameWriter(frameOverheadBytes)
  readonly #reader = new FrameReader(frameOverheadBytes)
  readonly #turnEnd = new TurnEnd(() => this.#socket.write(Buffer.concat(this.#writer.take())))
  readonly #waiting = new Map<number, (echoed: Put) => void>()
  #lastId = 0

  private constructor(server: ChildProcess, socket: Socket) {
    this.#server = server
    this.#socket = socket
    socket.on('data', (chunk) => {
      pumpFrames(this.#reader, chunk, (message) => this.#received(message as Put))
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

  /** Resolves to the message that came back. */
  put(key: string, value: Uint8Array): Promise<Put> {
    return new Promise((resolve) => {
      const id = ++this.#lastId
      this.#waiting.set(id, resolve)
      this.#writer.push({
        kind: 'put',
        id,
        key: Buffer.from(key),
        value,
        version: { boot: 1, micros: 1_000_000_000 + id, writer: '0123456789abcdef' },
        w: 0,
        deadline: 1_005_000_000 + id,
      })
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

  #received(echoed: Put): void {
    const resolve = this.#waiting.get(echoed.id)
    this.#waiting.delete(echoed.id)
    resolve?.(echoed)
  }
}
