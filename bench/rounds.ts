/**
 * The comparison of a swarm with the bare echo, in rounds that interleave the two.
 *
 * A shared machine is faster in one second than in the next. So every round measures echo, put and
 * get right after one another, the ratios are taken within a round, and the median of the rounds is
 * what counts.
 */
import type { LoadReport } from './load.js'

/** One round at one number of requests in flight. */
export interface Round {
  readonly echo: LoadReport
  readonly put: LoadReport
  readonly get: LoadReport
}

export interface Side {
  readonly opsPerSecond: number
  /** Microseconds. */
  readonly p50: number
  readonly p99: number
}

/** How a side compares with the echo of its round. */
export interface Comparison extends Side {
  /** Share of the echo's rate. */
  readonly rateRatio: number
  /** p50 in multiples of the echo's. */
  readonly p50Ratio: number
}

export interface LevelReport {
  readonly inFlight: number
  readonly echo: Side
  readonly put: Comparison
  readonly get: Comparison
}

export interface Bar {
  readonly name: string
  readonly measured: number
  readonly bound: number
  readonly met: boolean
}

/** Share of the echo's rate that puts and gets must reach when many are in flight. */
const rateBars = { put: 0.15, get: 0.3 }
const rateBarLevels = [64, 256]
/** Multiples of the echo's p50 that one put or get at a time may take. */
const p50Bars = { put: 4, get: 3.5 }

/** Half of the values are not above it. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
}

export function summarizeLevel(inFlight: number, rounds: readonly Round[]): LevelReport {
  const compare = (operation: 'put' | 'get'): Comparison => {
    const of = (pick: (round: Round) => number) => median(rounds.map(pick))
    return {
      opsPerSecond: of((round) => round[operation].opsPerSecond),
      p50: of((round) => round[operation].latency[operation].p50),
      p99: of((round) => round[operation].latency[operation].p99),
      rateRatio: of((round) => round[operation].opsPerSecond / round.echo.opsPerSecond),
      p50Ratio: of((round) => round[operation].latency[operation].p50 / round.echo.latency.put.p50),
    }
  }
  return {
    inFlight,
    echo: {
      opsPerSecond: median(rounds.map((round) => round.echo.opsPerSecond)),
      p50: median(rounds.map((round) => round.echo.latency.put.p50)),
      p99: median(rounds.map((round) => round.echo.latency.put.p99)),
    },
    put: compare('put'),
    get: compare('get'),
  }
}

/** What the product promises about these levels, each with what was measured. */
export function judge(levels: readonly LevelReport[]): Bar[] {
  return levels.flatMap((level) => (['put', 'get'] as const).flatMap((side) => bars(level, side)))
}

function bars(level: LevelReport, side: 'put' | 'get'): Bar[] {
  const { rateRatio, p50Ratio } = level[side]
  if (rateBarLevels.includes(level.inFlight)) {
    const bound = rateBars[side]
    const name = `${side} at ${level.inFlight} in flight, share of the echo's rate, at least`
    return [{ name, measured: rateRatio, bound, met: rateRatio >= bound }]
  }
  if (level.inFlight === 1) {
    const bound = p50Bars[side]
    const name = `${side} one at a time, p50 in multiples of the echo's, at most`
    return [{ name, measured: p50Ratio, bound, met: p50Ratio <= bound }]
  }
  return []
}
