import test from 'ava'
import type { Latency, LoadReport } from './load.js'
import { type ModeRound, summarizeModes } from './modes.js'

function load(opsPerSecond: number): LoadReport {
  const p50 = 1e6 / opsPerSecond
  const latency: Latency = { count: 1, p50, p90: p50, p99: p50, max: p50 }
  return {
    ops: 1,
    errors: 0,
    errorMessages: [],
    seconds: 1,
    opsPerSecond,
    latency: { put: latency, get: latency },
  }
}

function round(put: number, get: number): ModeRound {
  return { put: load(put), get: load(get) }
}

test('a mode is held against latest in the same round, and the median of the rounds counts', (t) => {
  const latest = [round(100, 200), round(1_000, 2_000), round(1_000, 2_000)]
  const chain = [round(50, 300), round(500, 3_000), round(990, 20)]
  const [first, , third] = summarizeModes(64, { latest, siblings: latest, chain })
  t.like(first, { mode: 'latest', inFlight: 64 })
  t.is(first?.put.ofLatest, 1)
  t.is(third?.put.ofLatest, 0.5)
  t.is(third?.get.ofLatest, 1.5)
  t.is(third?.put.opsPerSecond, 500)
  t.is(third?.get.opsPerSecond, 300)
})
