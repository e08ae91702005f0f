import test from 'ava'
import fc from 'fast-check'
import { Malformed } from '../data/byte-stream.js'
import { FrameReader, FrameWriter } from './frame.js'
import { anyMessage } from './message-arbitraries.test-suite.js'
import type { Message } from './messages.js'

const limit = 1 << 20

function framesOf(messages: readonly Message[]): Buffer {
  const writer = new FrameWriter(limit)
  for (const message of messages) writer.push(message)
  return Buffer.concat(writer.take())
}

function readAll(reader: FrameReader, chunk: Uint8Array): (Message | Malformed)[] {
  const read: (Message | Malformed)[] = []
  reader.push(chunk)
  for (;;) {
    const message = reader.next()
    if (message === undefined) return read
    read.push(message)
    if (message instanceof Malformed) return read
  }
}

function reasonOf(read: readonly (Message | Malformed)[]): string {
  const last = read.at(-1)
  return last instanceof Malformed ? last.message : 'none'
}

test('however the stream is cut, the same messages come out', (t) => {
  fc.assert(
    fc.property(
      fc.array(anyMessage, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }),
      (messages, sizes) => {
        const stream = framesOf(messages)
        const reader = new FrameReader(limit)
        const read: (Message | Malformed)[] = []
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length] as number
          // A copy: the reader must not depend on chunks that lie next to each other.
          read.push(...readAll(reader, Buffer.from(stream.subarray(at, at + size))))
          at += size
        }
        t.deepEqual(read, messages)
      },
    ),
  )
})

test('a byte at a time', (t) => {
  const messages: Message[] = [
    { kind: 'put.ok', id: 1 },
    { kind: 'node.stop' },
    { kind: 'forwarder.moved', nodes: ['n1.1', 'n2.1'] },
  ]
  const reader = new FrameReader(limit)
  const read: unknown[] = []
  for (const byte of framesOf(messages)) read.push(...readAll(reader, Buffer.of(byte)))
  t.deepEqual(read, messages)
})

test('nothing comes of a frame that is cut off', (t) => {
  const stream = framesOf([{ kind: 'put.ok', id: 1 }])
  for (let end = 0; end < stream.length; end++) {
    t.deepEqual(readAll(new FrameReader(limit), stream.subarray(0, end)), [])
  }
})

test('an announced length over the limit is refused before anything is kept', (t) => {
  const reader = new FrameReader(1000)
  t.is(
    reasonOf(readAll(reader, Buffer.from([0xff, 0xff, 0xff, 0xff]))),
    'a frame of 4294967295 bytes, over the limit of 1000',
  )
  const slow = new FrameReader(1000)
  t.deepEqual(readAll(slow, Buffer.from([0, 0])), [])
  t.regex(reasonOf(readAll(slow, Buffer.from([0x03, 0xe9]))), /1001 bytes/)
})

test('an empty frame is refused', (t) => {
  t.is(reasonOf(readAll(new FrameReader(limit), Buffer.alloc(4))), 'an empty frame')
})

test('messages before a malformed one are read', (t) => {
  const stream = Buffer.concat([
    framesOf([{ kind: 'put.ok', id: 1 }]),
    Buffer.from([0, 0, 0, 1, 0xff]),
  ])
  const read = readAll(new FrameReader(limit), stream)
  t.deepEqual(read[0], { kind: 'put.ok', id: 1 })
  t.true(read[1] instanceof Malformed)
})

test('memory follows what came, not what was announced', (t) => {
  const before = process.memoryUsage().arrayBuffers
  const readers = Array.from({ length: 200 }, () => {
    const reader = new FrameReader(8 << 20)
    readAll(reader, Buffer.from([0x00, 0x7f, 0xff, 0xff, 0x86]))
    return reader
  })
  t.true(process.memoryUsage().arrayBuffers - before < 200 * 64 * 1024)
  t.is(readers.length, 200)
})

test('a large frame in small chunks takes linear time', (t) => {
  const version = { boot: 1, micros: 2, writer: '0123456789abcdef' }
  const value = Buffer.alloc(1_000_000, 7)
  const message: Message = {
    kind: 'replica.get.ok',
    attached: null,
    id: 1,
    value,
    version,
  }
  const stream = framesOf([message])
  const reader = new FrameReader(limit)
  const read: unknown[] = []
  // Copying what came before with each of 100,000 chunks would move 50 GB.
  for (let at = 0; at < stream.length; at += 10) {
    read.push(...readAll(reader, stream.subarray(at, at + 10)))
  }
  t.deepEqual(read, [message])
})

test('a frame over the limit is our own mistake', (t) => {
  const writer = new FrameWriter(100)
  t.throws(() => writer.push({ kind: 'forwarder.moved', nodes: ['n'.repeat(200)] }), {
    instanceOf: RangeError,
  })
})
