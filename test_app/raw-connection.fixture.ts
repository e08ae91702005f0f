/** A socket that may say anything: what a broken or hostile program would send. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import { FrameWriter } from '../shared/protocol/frame.js'
import { type Message, protocolVersion } from '../shared/protocol/messages.js'

const frameBytesMax = 64 * 1024 * 1024

export function framed(...messages: readonly Message[]): Buffer {
  const writer = new FrameWriter(frameBytesMax)
  for (const message of messages) writer.push(message)
  return Buffer.concat(writer.take())
}

export function hello(from: string): Message {
  return { kind: 'hello', protocol: protocolVersion, from, lane: 'data' }
}

export async function open(t: ExecutionContext, path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Resolves when the other side has closed the connection; what came before is thrown away. */
export async function closedByPeer(socket: Socket): Promise<void> {
  socket.resume()
  if (!socket.readableEnded && !socket.destroyed) {
    await Promise.race([once(socket, 'end'), once(socket, 'close')])
  }
}
