import test from 'ava'
import type { Latency } from './load.js'
import { judge, type Round, summarizeLevel } from './rounds.js'

function latency(p50: number): Latency {
  return { count: 1, p50, p90: p50, p99: p50, max: p50 }
}

function round(echo: number, put: number, get: number): Round {
  const load = (opsPerSecond: number) => ({
    ops: 1,
    errors: 0,
    errorMessages: [],
    seconds: 1,
    opsPerSecond,
    latency: { put: latency(1e6 / opsPerSecond), get: latency(1e6 / opsPerSecond) },
  })
  return { echo: load(echo), put: load(put), get: load(get) }
}

test('ratios are taken within a round, and their median counts', (t) => {
  const rounds = [round(100, 20, 40), round(1000, 200, 400), round(1000, 900, 10)]
  const { put, get } = summarizeLevel(64, rounds)
  t.is(put.rateRatio, 0.2)
  t.is(get.rateRatio, 0.4)
})

test('the bars are rates with many in flight, p50 one at a time, and none between', (t) => {
  const slow = [round(100, 14, 29)]
  const fast = [round(100, 30, 31)]
  const verdicts = (rounds: Round[]) =>
    [1, 16, 64, 256].map((level) => judge([summarizeLevel(level, rounds)]).map((bar) => bar.met))
  t.deepEqual(verdicts(slow), [[false, true], [], [false, false], [false, false]])
  t.deepEqual(verdicts(fast), [[true, true], [], [true, true], [true, true]])
})
