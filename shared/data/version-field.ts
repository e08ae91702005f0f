/** Versions as they travel and as they are kept within records. */
import { Malformed } from './byte-stream.js'
import { expectArray, type Field, text, uint, uint32, writeArray } from './cbor.js'
import type { Version } from './version.js'

/** Writers are 16 characters long; what is far longer is none, and no store could keep it. */
const writerLengthMax = 32

export const version: Field<Version> = {
  write(out, value) {
    writeArray(out, 3)
    uint.write(out, value.boot)
    uint.write(out, value.micros)
    text.write(out, value.writer)
  },
  read(input) {
    expectArray(input, 3)
    const value = { boot: uint32.read(input), micros: uint.read(input), writer: text.read(input) }
    if (value.writer.length > writerLengthMax) throw new Malformed('a version without a writer')
    return value
  },
}
