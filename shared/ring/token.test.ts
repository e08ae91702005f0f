import test from 'ava'
import { inRange, rangeWidth, tokenOf, tokenSpace } from './token.js'

const bytes = (text: string) => new TextEncoder().encode(text)
const last = tokenSpace - 1

test('a token is the first four bytes of the MD5, big endian', (t) => {
  t.is(tokenOf(bytes('')), 0xd41d8cd9)
  t.is(tokenOf(bytes('a')), 0x0cc175b9)
  t.is(tokenOf(Uint8Array.of(0, 255, 128)), tokenOf(Buffer.from([0, 255, 128])))
})

test('a range leaves out where it begins and holds where it ends', (t) => {
  t.false(inRange(10, { from: 10, to: 20 }))
  t.true(inRange(11, { from: 10, to: 20 }))
  t.true(inRange(20, { from: 10, to: 20 }))
  t.false(inRange(21, { from: 10, to: 20 }))
  t.is(rangeWidth({ from: 10, to: 20 }), 10)
})

test('a range wraps past the highest token', (t) => {
  const range = { from: last - 1, to: 1 }
  t.deepEqual(
    [last - 1, last, 0, 1, 2].map((token) => inRange(token, range)),
    [false, true, true, true, false],
  )
  t.is(rangeWidth(range), 3)
})

test('a range that ends where it begins is the whole ring', (t) => {
  for (const at of [0, 7, last]) {
    t.true([0, 6, 7, 8, last].every((token) => inRange(token, { from: at, to: at })))
    t.is(rangeWidth({ from: at, to: at }), tokenSpace)
  }
})
