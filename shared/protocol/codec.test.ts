import test from 'ava'
import { Encoder } from 'cbor-x'
import fc from 'fast-check'
import { Malformed, Writer } from '../data/byte-stream.js'
import { decode, encode, readMessage, writeMessage } from './codec.js'
import { anyMessage, messageKinds, messageOf } from './message-arbitraries.test-suite.js'
import { type Message, messageFields } from './messages.js'

const cbor = new Encoder({ useRecords: false, variableMapSize: true })

for (const kind of messageKinds) {
  test(`${kind}: what is encoded is decoded`, (t) => {
    fc.assert(
      fc.property(messageOf(kind), (message) => {
        t.deepEqual(decode(encode(message)), message)
      }),
      { numRuns: 30 },
    )
  })
}

test('wire numbers are unique', (t) => {
  const numbers = Object.values(messageFields).map(([number]) => number)
  t.is(new Set(numbers).size, numbers.length)
})

test('another CBOR library reads the same array', (t) => {
  const message: Message = {
    kind: 'replica.put',
    attached: null,
    id: 70_000,
    epoch: 7,
    token: 3_000_000_000,
    key: Buffer.from('key'),
    value: null,
    version: { boot: 1, micros: 5_000_000_000, writer: '0123456789abcdef' },
    born: 24,
  }
  const fields = cbor.decode(encode(message))
  t.deepEqual(fields, [
    15,
    70_000,
    7,
    3_000_000_000,
    Buffer.from('key'),
    null,
    [1, 5_000_000_000n, '0123456789abcdef'],
    null,
    24,
  ])
  t.deepEqual(decode(cbor.encode(fields)), message)
})

test('every message is CBOR to another library', (t) => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const fields = cbor.decode(encode(message))
      t.is(fields[0], messageFields[message.kind][0])
      t.is(fields.length, messageFields[message.kind][2].length + 1)
    }),
  )
})

test('a message cut short anywhere is refused', (t) => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), (message, cut) => {
      const bytes = encode(message)
      t.true(decode(bytes.subarray(0, cut % bytes.length)) instanceof Malformed)
    }),
  )
})

test('a message cut short is refused where other bytes follow in the same chunk', (t) => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), (message, cut) => {
      const bytes = encode(message)
      const two = Buffer.concat([bytes, bytes])
      t.true(readMessage(two, 0, cut % bytes.length) instanceof Malformed)
      t.deepEqual(readMessage(two, bytes.length, two.length), message)
    }),
  )
})

test('a message with more behind it is refused', (t) => {
  const bytes = encode({ kind: 'put.ok', id: 7 })
  t.true(decode(Buffer.concat([bytes, bytes])) instanceof Malformed)
})

test('garbage is refused, or is a message', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      holdsShape(t, decode(bytes))
    }),
    { numRuns: 5_000 },
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...messageKinds),
      fc.uint8Array({ maxLength: 60 }),
      (kind, rest) => {
        const [number, , fields] = messageFields[kind]
        holdsShape(t, decode(Buffer.from([0x81 + fields.length, 0x18, number, ...rest])))
      },
    ),
    { numRuns: 5_000 },
  )
})

test('a damaged message is refused, or is another message', (t) => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), fc.integer({ min: 0, max: 255 }), (message, at, byte) => {
      const bytes = Buffer.from(encode(message))
      bytes[at % bytes.length] = byte
      holdsShape(t, decode(bytes))
    }),
    { numRuns: 5_000 },
  )
})

/** Whatever is accepted can be encoded again: no field is missing or of another type. */
function holdsShape(t: { deepEqual(a: unknown, b: unknown): void }, read: Message | Malformed) {
  t.deepEqual(read instanceof Malformed ? read : decode(encode(read)), read)
}

for (const [what, hex] of Object.entries({
  'nothing at all': '',
  'a number': '07',
  'an empty array': '80',
  'a map': 'a10007',
  'an unknown message': '8218fa07',
  'a missing field': '8107',
  'a field too many': '83070707',
  'a text for a number': '82076161',
  'a negative number': '820720',
  'a number over 2^53': '82071b0020000000000000',
  'a bignum': '8207c24100',
  'an indefinite array': '9f0707ff',
  'indefinite bytes': '860801 5f4161ff 000000',
  'a list longer than the frame': '820a9affffffff',
  'bytes longer than the frame': '8608015affffffff000000',
  'another choice': '84000161616161',
  'a token over 2^32': '8511010 11b0000000100000000 4161'.replaceAll(' ', ''),
  undefined: '8207f7',
})) {
  test(`refused: ${what}`, (t) => {
    t.true(decode(Buffer.from(hex.replaceAll(' ', ''), 'hex')) instanceof Malformed)
  })
}

test('a ring whose tokens have no nodes is refused', (t) => {
  const placement = { replicas: 1, readQuorum: 1, writeQuorum: 1, tokens: [1, 2], nodes: ['n1'] }
  const ring = { epoch: 1, swarm: 's', boot: 1, members: [], placement }
  t.true(decode(encode({ kind: 'ring.publish', ring })) instanceof Malformed)
})

test('a version that no store could keep is refused', (t) => {
  const put = (boot: number, writer: string) => {
    const version = { boot, micros: 1, writer }
    const key = Buffer.from('k')
    return decode(encode({ kind: 'put', id: 1, key, value: null, version, w: 0, deadline: 1 }))
  }
  t.false(put(2 ** 32 - 1, 'f'.repeat(32)) instanceof Malformed)
  t.true(put(2 ** 32, 'f') instanceof Malformed)
  t.true(put(1, 'f'.repeat(33)) instanceof Malformed)
})

test('a greeting may have grown', (t) => {
  const hello = cbor.encode([0, 9, 'n1.1', 'data', { compression: true }])
  t.deepEqual(decode(hello), { kind: 'hello', protocol: 9, from: 'n1.1', lane: 'data' })
})

test('texts of one hash slot do not replace each other', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary', maxLength: 26 }), { maxLength: 50 }),
      (nodes) => {
        t.deepEqual(decode(encode({ kind: 'forwarder.moved', nodes })), {
          kind: 'forwarder.moved',
          nodes,
        })
      },
    ),
    { numRuns: 500 },
  )
})

test('a large value is passed on, not copied', (t) => {
  const value = Buffer.alloc(1 << 20, 7)
  const out = new Writer()
  const version = { boot: 1, micros: 2, writer: '0123456789abcdef' }
  const key = Buffer.from('k')
  writeMessage(out, { kind: 'put', id: 1, key, value, version, w: 0, deadline: 3 })
  t.true(out.take().includes(value))
})

test('our own mistakes are not sent', (t) => {
  t.throws(() => encode({ kind: 'put.ok', id: -1 }), { instanceOf: RangeError })
  t.throws(() => encode({ kind: 'put.ok', id: Number.NaN }), { instanceOf: RangeError })
})
