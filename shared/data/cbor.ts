/**
 * The part of CBOR (RFC 8949) that the protocol uses, written straight into the bytes that go to a
 * socket and read straight out of those that came.
 *
 * A `Field` writes and reads one type; there are a few primitive ones and combinators for the rest.
 * Reading is validating: a field returns a value of its type or throws `Malformed`, so that garbage
 * never reaches protocol code. No tags, no indefinite lengths, no bignums: what we never write, we
 * refuse to read. Any CBOR tool can read our frames, and the tests hold cbor-x against them.
 *
 * Why not cbor-x on this path: it takes 1,090 ns to write and read a put and leaves an untyped array
 * to check and to unpack; this takes 410 ns, both included. A replicated put is eight messages.
 */

import { Malformed, Reader, Writer } from './byte-stream.js'

/** Values from this size on are not copied into the output but passed on by reference. */
const referenceBytesMin = 4096
const uint32Range = 2 ** 32

/** One type on the wire. */
export interface Field<T> {
  write(out: Writer, value: T): void
  read(input: Reader): T
}

const majorUint = 0x00
const majorBytes = 0x40
const majorText = 0x60
const majorArray = 0x80
const byteFalse = 0xf4
const byteTrue = 0xf5
const byteNull = 0xf6
const byteDouble = 0xfb

function writeHead(out: Writer, major: number, value: number): void {
  out.reserve(9)
  const bytes = out.bytes
  let at = out.at
  if (value < 24) bytes[at++] = major | value
  else if (value < 0x100) {
    bytes[at++] = major | 24
    bytes[at++] = value
  } else if (value < 0x10000) {
    bytes[at++] = major | 25
    bytes[at++] = value >>> 8
    bytes[at++] = value
  } else if (value < uint32Range) {
    bytes[at++] = major | 26
    at = writeUint32(bytes, at, value)
  } else {
    bytes[at++] = major | 27
    at = writeUint32(bytes, at, Math.floor(value / uint32Range))
    at = writeUint32(bytes, at, value >>> 0)
  }
  out.at = at
}

/** Big endian; returns the position behind it. */
export function writeUint32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
  return at + 4
}

export function readUint32(bytes: Uint8Array, at: number): number {
  const high = byteAt(bytes, at) * 0x1000000
  return (
    high + ((byteAt(bytes, at + 1) << 16) | (byteAt(bytes, at + 2) << 8) | byteAt(bytes, at + 3))
  )
}

/** Past the end it is undefined, which every check that follows refuses. */
function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

function readHead(input: Reader, major: number): number {
  const bytes = input.bytes
  const at = input.at
  const short = byteAt(bytes, at) - major
  if (short >= 0 && short < 24) {
    input.at = at + 1
    return short
  }
  switch (short) {
    case 24:
      input.at = at + 2
      return byteAt(bytes, at + 1)
    case 25:
      input.at = at + 3
      return (byteAt(bytes, at + 1) << 8) | byteAt(bytes, at + 2)
    case 26:
      input.at = at + 5
      return readUint32(bytes, at + 1)
    case 27: {
      input.at = at + 9
      const value = readUint32(bytes, at + 1) * uint32Range + readUint32(bytes, at + 5)
      if (value > Number.MAX_SAFE_INTEGER) throw new Malformed('a number over 2^53')
      return value
    }
    default:
      throw new Malformed('a field of another type')
  }
}

/** An integer from 0 to 2^53 - 1. */
export const uint: Field<number> = {
  write(out, value) {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new RangeError(`uint: ${value}`)
    writeHead(out, majorUint, value)
  },
  read: (input) => readHead(input, majorUint),
}

/** An integer from 0 to 2^32 - 1. */
export const uint32: Field<number> = {
  write: uint.write,
  read(input) {
    const value = readHead(input, majorUint)
    if (value >= uint32Range) throw new Malformed('a number over 2^32')
    return value
  },
}

/** Any finite number, always eight bytes long. */
export const double: Field<number> = {
  write(out, value) {
    out.reserve(9)
    out.bytes[out.at] = byteDouble
    new DataView(out.bytes.buffer, out.bytes.byteOffset + out.at + 1, 8).setFloat64(0, value)
    out.at += 9
  },
  read(input) {
    if (input.bytes[input.at] !== byteDouble) return readHead(input, majorUint)
    input.at += 1
    input.bounded(8)
    const view = new DataView(input.bytes.buffer, input.bytes.byteOffset + input.at, 8)
    input.at += 8
    const value = view.getFloat64(0)
    if (!Number.isFinite(value)) throw new Malformed('a number that is not finite')
    return value
  },
}

export const bool: Field<boolean> = {
  write(out, value) {
    out.reserve(1)
    out.bytes[out.at++] = value ? byteTrue : byteFalse
  },
  read(input) {
    const byte = input.bytes[input.at++]
    if (byte !== byteTrue && byte !== byteFalse) throw new Malformed('a field of another type')
    return byte === byteTrue
  },
}

/** A byte string. What is read aliases the input: copy what is kept. */
export const bytes: Field<Uint8Array> = {
  write(out, value) {
    writeHead(out, majorBytes, value.length)
    if (value.length >= referenceBytesMin) return out.reference(value)
    out.reserve(value.length)
    out.bytes.set(value, out.at)
    out.at += value.length
  },
  read(input) {
    const length = input.bounded(readHead(input, majorBytes))
    const at = input.at
    input.at = at + length
    return input.bytes.subarray(at, at + length)
  },
}

/** Texts up to this length are short enough to compare with the last one of the same hash. */
const internedBytesMax = 24
const internedSlots = 1024
const interned: (string | undefined)[] = new Array(internedSlots).fill(undefined)

/**
 * Writers, node ids and addresses come again and again: the last text of each hash is kept, and
 * found again without making a string.
 */
function readShortText(bytes: Uint8Array, at: number, length: number): string {
  let hash = length
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + byteAt(bytes, at + i)) | 0
  const slot = (hash ^ (hash >>> 15)) & (internedSlots - 1)
  const known = interned[slot]
  if (known !== undefined && known.length === length) {
    let i = 0
    while (i < length && known.charCodeAt(i) === bytes[at + i]) i++
    if (i === length) return known
  }
  const fresh = utf8(bytes, at, length)
  if (fresh.length === length) interned[slot] = fresh
  return fresh
}

function utf8(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('utf8')
}

export const text: Field<string> = {
  write(out, value) {
    if (value.length > internedBytesMax || !writeShortText(out, value)) {
      const encoded = Buffer.from(value)
      writeHead(out, majorText, encoded.length)
      out.reserve(encoded.length)
      out.bytes.set(encoded, out.at)
      out.at += encoded.length
    }
  },
  read(input) {
    const length = input.bounded(readHead(input, majorText))
    const at = input.at
    input.at = at + length
    if (length <= internedBytesMax) return readShortText(input.bytes, at, length)
    return utf8(input.bytes, at, length)
  },
}

/** False, with nothing written, if the text is not ASCII. */
function writeShortText(out: Writer, value: string): boolean {
  const length = value.length
  out.reserve(2 + length)
  const bytes = out.bytes
  let at = out.at
  if (length < 24) bytes[at++] = majorText | length
  else {
    bytes[at++] = majorText | 24
    bytes[at++] = length
  }
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i)
    if (code > 127) return false
    bytes[at++] = code
  }
  out.at = at
  return true
}

/** One of the given texts. */
export function oneOf<const T extends string>(...choices: readonly T[]): Field<T> {
  return {
    write: (out, value) => text.write(out, value),
    read(input) {
      const value = text.read(input)
      if (!(choices as readonly string[]).includes(value)) throw new Malformed('an unknown name')
      return value as T
    },
  }
}

export function nullable<T>(field: Field<T>): Field<T | null> {
  return {
    write(out, value) {
      if (value !== null) return field.write(out, value)
      out.reserve(1)
      out.bytes[out.at++] = byteNull
    },
    read(input) {
      if (input.bytes[input.at] !== byteNull) return field.read(input)
      input.at += 1
      return null
    },
  }
}

export function writeArray(out: Writer, count: number): void {
  writeHead(out, majorArray, count)
}

/** The number of items, never more than the rest of the input has bytes. */
export function readArray(input: Reader): number {
  return input.bounded(readHead(input, majorArray))
}

/** An array whose items must be exactly `count`. */
export function expectArray(input: Reader, count: number): void {
  if (readArray(input) !== count) throw new Malformed('another number of fields')
}

export function list<T>(field: Field<T>): Field<readonly T[]> {
  return {
    write(out, values) {
      writeArray(out, values.length)
      for (const value of values) field.write(out, value)
    },
    read(input) {
      const values: T[] = []
      for (let left = readArray(input); left > 0; left--) values.push(field.read(input))
      return values
    },
  }
}

/** A record travels as an array of its fields in the order given. */
export function record<T extends object>(
  fields: {
    readonly [K in keyof T]: Field<T[K]>
  },
): Field<T> {
  const names = Object.keys(fields) as (keyof T)[]
  return {
    write(out, value) {
      writeArray(out, names.length)
      for (const name of names) fields[name].write(out, value[name])
    },
    read(input) {
      expectArray(input, names.length)
      const value: Partial<T> = {}
      for (const name of names) value[name] = fields[name].read(input)
      return value as T
    },
  }
}

const scratch = new Writer()

/** A value alone, outside a message: what is kept within a record. */
export function bytesOf<T>(field: Field<T>, value: T): Uint8Array {
  try {
    field.write(scratch, value)
    return Buffer.concat(scratch.take())
  } catch (error) {
    scratch.take()
    throw error
  }
}

/** The reverse; throws Malformed. Byte strings alias the input. */
export function parseBytes<T>(field: Field<T>, input: Uint8Array): T {
  const reader = new Reader()
  reader.reset(input, 0, input.length)
  const value = field.read(reader)
  reader.finish()
  return value
}
