/** Durations and sizes as people write them: `30s`, `10MiB`. */
import { InvalidArgumentError } from 'commander'

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }
const bytes: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
}

/** An option that is a duration of at least and at most so long, in milliseconds. */
export function duration(leastMs: number, mostMs: number): (text: string) => number {
  return (text) => {
    const value = quantity(text, milliseconds)
    if (value >= leastMs && value <= mostMs) return value
    const bounds = `from ${formatDuration(leastMs)} to ${formatDuration(mostMs)}`
    throw new InvalidArgumentError(`It must be a duration ${bounds}, such as 500ms, 30s or 5m.`)
  }
}

/** An option that is a number of bytes, at least so many, or 0. */
export function byteCount(least: number): (text: string) => number {
  return (text) => {
    const value = quantity(text, bytes)
    if (value === 0 || (value >= least && value <= Number.MAX_SAFE_INTEGER)) return value
    throw new InvalidArgumentError(
      `It must be a number of bytes, at least ${least}, such as 500000, 500kB or 10MiB; 0: no limit.`,
    )
  }
}

/** A whole number of the unit's base; NaN for anything else. */
function quantity(text: string, units: Readonly<Record<string, number>>): number {
  const [, digits = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?)([A-Za-z]*)$/.exec(text) ?? []
  const factor = Object.hasOwn(units, unit) ? (units[unit] ?? Number.NaN) : Number.NaN
  return digits === '' ? Number.NaN : Math.round(Number(digits) * factor)
}

/** `30s`, `1500ms`: in the largest unit that divides it, as the option takes it. */
export function formatDuration(ms: number): string {
  const unit = ms % 60_000 === 0 && ms > 0 ? 'm' : ms % 1_000 === 0 ? 's' : 'ms'
  return `${ms / (milliseconds[unit] ?? 1)}${unit}`
}
