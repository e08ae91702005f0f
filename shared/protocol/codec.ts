/**
 * Messages as bytes: an array of the kind's number and its fields, in the order of `messageFields`,
 * each as wire-types.ts says.
 *
 * Each kind gets a writer and a reader of its own, compiled from these tables at start: with every
 * field spelled out, V8 knows the shape of the message and inlines its fields, which takes two thirds
 * of the time of a loop over them. Only our own tables become code, nothing that comes from outside.
 */
import { Malformed, Reader, Writer } from '../data/byte-stream.js'
import { type Field, readArray, uint, writeArray } from '../data/cbor.js'
import { type Message, type MessageKind, messageFields } from './messages.js'
import { messageTypes } from './wire-types.js'

type Write = (out: Writer, message: Message) => void
type Read = (input: Reader) => Message

interface Codec {
  /** Items of the array: the number and the fields. */
  readonly count: number
  readonly isGreeting: boolean
  readonly write: Write
  readonly read: Read
}

function codecOf(kind: MessageKind): Codec {
  const [number, , names] = messageFields[kind] as readonly [number, string, readonly string[]]
  const types = messageTypes[kind] as Readonly<Record<string, Field<unknown>>>
  const count = names.length + 1
  const fields = names.map((name) => types[name])
  const parameters = names.map((name) => `${name}Field`)
  const writes = names.map((name) => `${name}Field.write(out, message.${name})`)
  const reads = names.map((name) => `${name}: ${name}Field.read(input)`)
  const write = new Function(
    'writeArray',
    'uint',
    ...parameters,
    `return (out, message) => {
      writeArray(out, ${count})
      uint.write(out, ${number})
      ${writes.join('\n')}
    }`,
  )
  const read = new Function(
    ...parameters,
    `return (input) => ({ ${[`kind: '${kind}'`, ...reads].join(', ')} })`,
  )
  return {
    count,
    isGreeting: kind === 'hello' || kind === 'hello.refused',
    write: write(writeArray, uint, ...fields) as Write,
    read: read(...fields) as Read,
  }
}

const kinds = Object.keys(messageFields) as MessageKind[]
const byKind = new Map(kinds.map((kind) => [kind, codecOf(kind)] as const))
const byNumber: (Codec | undefined)[] = []
for (const [kind, codec] of byKind) byNumber[messageFields[kind][0]] = codec

/** Appends the message to `out`. */
export function writeMessage(out: Writer, message: Message): void {
  ;(byKind.get(message.kind) as Codec).write(out, message)
}

const reader = new Reader()

/**
 * Reads the message that fills bytes [at, end). What is not exactly a message of the protocol is
 * returned as `Malformed`, never thrown. Byte strings alias the input.
 */
export function readMessage(bytes: Uint8Array, at: number, end: number): Message | Malformed {
  reader.reset(bytes, at, end)
  try {
    const count = readArray(reader)
    const codec = byNumber[uint.read(reader)]
    if (codec === undefined) return new Malformed('an unknown message')
    if (codec.count > count) return new Malformed('another number of fields')
    const message = codec.read(reader)
    // Greetings may grow: a later version must be able to tell us that it is one.
    if (codec.isGreeting) return message
    if (codec.count < count) return new Malformed('another number of fields')
    reader.finish()
    return message
  } catch (error) {
    if (error instanceof Malformed) return error
    throw error
  }
}

export function encode(message: Message): Uint8Array {
  const out = new Writer()
  writeMessage(out, message)
  return Buffer.concat(out.take())
}

export function decode(bytes: Uint8Array): Message | Malformed {
  return readMessage(bytes, 0, bytes.length)
}
