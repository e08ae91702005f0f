import test from 'ava'
import { inRange } from '../shared/ring/token.js'
import { complementOf, slicesOf } from './ranges.js'

const top = 2 ** 32

test('what lies in no range lies in the complement, and nothing else', (t) => {
  const cases = [
    [],
    [{ from: 5, to: 5 }],
    [{ from: 10, to: 20 }],
    [
      { from: 100, to: 20 },
      { from: 30, to: 40 },
    ],
    [
      { from: 0, to: 10 },
      { from: 10, to: 50 },
      { from: 60, to: 70 },
    ],
  ]
  for (const ranges of cases) {
    const rest = complementOf(ranges)
    for (let token = 0; token < 120; token++) {
      const isIn = ranges.some((range) => inRange(token, range))
      t.is(
        rest.some((range) => inRange(token, range)),
        !isIn,
        `${token} of ${JSON.stringify(ranges)}`,
      )
    }
  }
})

test('slices cover the range exactly once, in order', (t) => {
  for (const range of [
    { from: 7, to: 7 },
    { from: 0, to: 9 },
    { from: top - 5, to: 2 ** 30 },
  ]) {
    const slices = slicesOf(range)
    t.is(slices[0]?.from, range.from)
    t.is(slices.at(-1)?.to, range.to)
    for (const [index, slice] of slices.entries()) {
      const { to } = slices[index - 1] ?? { to: range.from }
      t.is(slice.from, to)
      t.true(slices.length === 1 || slice.from !== slice.to)
    }
  }
})
