import test from 'ava'
import { repairPauseMs } from '../../shared/runtime/limits.js'
import type { Runtime } from '../../shared/runtime/runtime.js'
import { Throttle } from '../throttle.js'
import { Pace } from './pace.js'

function pausesOf(bytesPerSecond: number): { readonly pace: Pace; readonly pauses: number[] } {
  const pauses: number[] = []
  let millis = 0
  const after: Runtime['after'] = (ms, _label, fire) => {
    pauses.push(ms)
    millis += ms
    fire()
    return () => {}
  }
  const rate = new Throttle({ now: () => millis }, bytesPerSecond)
  return { pace: new Pace({ after }, rate), pauses }
}

test('what travels waits for its share of the rate, a page read here for a moment only', (t) => {
  const { pace, pauses } = pausesOf(1_000_000)
  let went = 0
  const go = () => {
    went++
  }
  pace.afterTravel(250_000, go)
  pace.afterTravel(0, go)
  pace.afterPage(go)
  t.deepEqual(pauses, [250, repairPauseMs, repairPauseMs])
  t.is(went, 3)
})

test('without a rate nothing waits for more than a moment', (t) => {
  const { pace, pauses } = pausesOf(0)
  pace.afterTravel(250_000_000, () => {})
  t.deepEqual(pauses, [repairPauseMs])
})
