import test from 'ava'
import { byteCount, duration, formatDuration } from './quantities.js'

test('durations have a unit and bounds', (t) => {
  const parse = duration(1_000, 3_600_000)
  for (const [text, ms] of [
    ['1000ms', 1_000],
    ['30s', 30_000],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['60m', 3_600_000],
  ] as const) {
    t.is(parse(text), ms)
    t.is(parse(formatDuration(ms)), ms)
  }
  for (const text of ['', '30', '999ms', '0s', '61m', '1h', '-5s', '1 s', 's', '1.2345s']) {
    t.throws(() => parse(text), { message: /from 1s to 60m/ }, text)
  }
})

test('sizes are bytes, plain or with a unit', (t) => {
  const parse = byteCount(1_024)
  for (const [text, size] of [
    ['0', 0],
    ['1024', 1_024],
    ['500kB', 500_000],
    ['10MiB', 10 * 2 ** 20],
    ['1.5MB', 1_500_000],
    ['2GiB', 2 ** 31],
  ] as const) {
    t.is(parse(text), size)
  }
  for (const text of ['', '1', '1023', '10 MiB', '10mib', 'MiB', '-1', 'toString']) {
    t.throws(() => parse(text), { message: /at least 1024/ }, text)
  }
})
