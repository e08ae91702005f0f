/**
 * The other end of the bare echo: a process that decodes every message it gets, encodes the same
 * message again and sends it back, all replies to one chunk in one write. What it costs is what no
 * store between two Node processes can save: frames, codec, event loop, socket.
 */
import { createServer } from 'node:net'
import { CborFrameReader, CborFrameWriter } from './cbor-frames.js'

const path = process.argv[2]
if (path === undefined) throw new Error('usage: echo-server SOCKET')

const server = createServer((socket) => {
  const writer = new CborFrameWriter()
  const reader = new CborFrameReader()
  socket.on('data', (chunk) => {
    reader.read(chunk, (message) => writer.push(message))
    socket.write(writer.take())
  })
  socket.on('error', () => socket.destroy())
})
server.listen(path, () => process.send?.('listening'))
/** Ends with whoever started it. */
process.on('disconnect', () => process.exit(0))
