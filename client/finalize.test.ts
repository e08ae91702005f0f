import test from 'ava'
import type { Version } from '../shared/data/version.js'
import { clientLastWordMs } from '../shared/runtime/limits.js'
import { answer, bytes, outcome, registeredClient } from './scripted.fixture.js'

const key = bytes('key')
const value = bytes('value')

test('finalize: pending calls end, new ones are refused', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  const [answeredDone, answered] = outcome<Version>()
  const [lostDone, lost] = outcome<Version>()
  core.put(key, value, {}, answeredDone)
  const request = world.takeOne()
  world.pass(1)
  core.put(key, value, { timeoutMs: 1_000 }, lostDone)
  let finalized = 0
  core.finalize(() => finalized++)
  core.finalize(() => finalized++)
  const [lateDone, late] = outcome<Version>()
  core.put(key, value, {}, lateDone)
  answer(core, request)
  world.pass(500)
  t.like(answered, { settled: 1, error: undefined })
  t.like(late.error, { code: 'CLOSED', definite: true })
  t.is(finalized, 0)
  world.pass(530 + clientLastWordMs)
  t.like(lost, { settled: 1, error: { code: 'TIMEOUT', definite: false } })
  t.is(finalized, 2)
  world.pass(1_000)
  t.is(world.timerCount, 0)
})

test('an idle client ends at once, and an idle one holds no timer', (t) => {
  const { world, core } = registeredClient()
  world.pass(100)
  t.is(world.timerCount, 0)
  let finalized = 0
  core.finalize(() => finalized++)
  world.pass(0)
  t.is(finalized, 1)
})
