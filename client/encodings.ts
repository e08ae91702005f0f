/// <reference lib="es2024.string" />
/**
 * How values become bytes and back, chosen by name as in Level. A value that does not fit its
 * encoding is refused, in both directions: bytes that are not UTF-8 would otherwise come back
 * silently changed, and so would half a surrogate pair, for which UTF-8 has no bytes.
 */
import { isUtf8 } from 'node:buffer'
import { Encoder } from 'cbor-x'
import { GTStoreError } from '../shared/protocol/errors.js'

export type ValueEncoding = 'utf8' | 'buffer' | 'json' | 'cbor'

/** What is put and got with an encoding; JSON and CBOR hold whatever `T` says they hold. */
export interface ValueTypes<T = unknown> {
  readonly utf8: { readonly put: string; readonly got: string }
  readonly buffer: { readonly put: Uint8Array; readonly got: Buffer }
  readonly json: { readonly put: T; readonly got: T }
  readonly cbor: { readonly put: T; readonly got: T }
}

export interface Encoding {
  /** Throws INVALID_ARGUMENT for a value that it cannot hold. */
  encode(value: unknown): Uint8Array
  /** Copies what it keeps of `bytes`. Throws INVALID_ARGUMENT for bytes it did not make. */
  decode(bytes: Uint8Array): unknown
}

// copyBuffers: decoded byte strings would otherwise alias a buffer of the socket.
const cbor = new Encoder({ useRecords: false, variableMapSize: true, copyBuffers: true })

const utf8: Encoding = {
  encode(value) {
    if (typeof value !== 'string') throw unfit('utf8', 'not a string')
    if (!value.isWellFormed()) throw unfit('utf8', loneSurrogate)
    return Buffer.from(value)
  },
  decode(bytes) {
    if (!isUtf8(bytes)) throw unreadable('utf8', 'not UTF-8')
    return view(bytes).toString('utf8')
  },
}

const buffer: Encoding = {
  encode(value) {
    if (!(value instanceof Uint8Array)) throw unfit('buffer', 'not a Buffer or Uint8Array')
    return value
  },
  decode: (bytes) => Buffer.from(bytes),
}

const json: Encoding = {
  encode(value) {
    const text = attempt(
      () => JSON.stringify(value) as string | undefined,
      (reason) => unfit('json', reason),
    )
    if (text === undefined) throw unfit('json', `nothing in JSON stands for ${typeof value}`)
    return Buffer.from(text)
  },
  decode(bytes) {
    const text = view(bytes).toString('utf8')
    return attempt(
      () => JSON.parse(text) as unknown,
      (reason) => unreadable('json', reason),
    )
  },
}

const cborEncoding: Encoding = {
  encode(value) {
    if (value === undefined) throw unfit('cbor', 'undefined')
    // A copy: the encoder goes on writing into the same buffer.
    const bytes = attempt(
      () => Buffer.from(cbor.encode(value)),
      (reason) => unfit('cbor', reason),
    )
    if (mayHoldSurrogate(bytes) && holdsSurrogate(value)) throw unfit('cbor', loneSurrogate)
    return bytes
  },
  decode(bytes) {
    return attempt(
      () => cbor.decode(bytes) as unknown,
      (reason) => unreadable('cbor', reason),
    )
  },
}

const encodings: Readonly<Record<ValueEncoding, Encoding>> = {
  utf8,
  buffer,
  json,
  cbor: cborEncoding,
}

/** Throws INVALID_ARGUMENT for a name that is none of them. */
export function encodingNamed(name: string): Encoding {
  if (Object.hasOwn(encodings, name)) return encodings[name as ValueEncoding]
  const names = Object.keys(encodings).join(', ')
  throw new GTStoreError('INVALID_ARGUMENT', `valueEncoding is '${name}', it must be of ${names}`)
}

/** Throws INVALID_ARGUMENT for what is neither a string nor bytes, or a string that is no Unicode. */
export function keyBytes(key: string | Uint8Array): Uint8Array {
  if (typeof key === 'string') {
    if (!key.isWellFormed())
      throw new GTStoreError('INVALID_ARGUMENT', `the key is ${loneSurrogate}`)
    return Buffer.from(key)
  }
  if (key instanceof Uint8Array) return key
  throw new GTStoreError('INVALID_ARGUMENT', 'the key is neither a string nor bytes')
}

const loneSurrogate = 'not well-formed Unicode: it holds half a surrogate pair'

/** The encoder makes of half a pair either its own three bytes, from 0xed on, or those of U+FFFD. */
function mayHoldSurrogate(bytes: Uint8Array): boolean {
  return bytes.includes(0xed) || bytes.includes(0xef)
}

/** In any text within a value that the encoder has taken, so one without cycles. */
function holdsSurrogate(value: unknown): boolean {
  if (typeof value === 'string') return !value.isWellFormed()
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false
  if (value instanceof Map) return [...value].some(holdsSurrogate)
  if (Array.isArray(value) || value instanceof Set) return [...value].some(holdsSurrogate)
  return Object.entries(value).some(holdsSurrogate)
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function attempt<T>(work: () => T, failed: (reason: string) => GTStoreError): T {
  try {
    return work()
  } catch (error) {
    throw failed(error instanceof Error ? error.message : String(error))
  }
}

function unfit(encoding: ValueEncoding, reason: string): GTStoreError {
  const message = `the value cannot be put as ${encoding}: ${reason}`
  return new GTStoreError('INVALID_ARGUMENT', message)
}

function unreadable(encoding: ValueEncoding, reason: string): GTStoreError {
  const message = `the value is not ${encoding}: ${reason}; get it with valueEncoding 'buffer'`
  return new GTStoreError('INVALID_ARGUMENT', message)
}
