import test from 'ava'
import type { Version } from '../shared/data/version.js'
import type { Put } from '../shared/protocol/messages.js'
import {
  clientInFlightMax,
  clientLastWordMs,
  clientWaitingMax,
  maxFlightMs,
  unavailableRetryMs,
} from '../shared/runtime/limits.js'
import type { GetResult } from './core.js'
import {
  answer,
  bytes,
  client,
  isRequest,
  outcome,
  refuse,
  registeredClient,
  writer,
} from './scripted.fixture.js'

const key = bytes('key')
const value = bytes('value')

test('a put carries its stamp, its quorum and its deadline', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<Version>()
  core.put(key, value, { w: 3, timeoutMs: 2_000 }, done)
  const { to, message } = world.takeOne()
  const now = world.hostMicros()
  t.is(to, 'n1.1')
  t.like(message, { kind: 'put', key, value, w: 3, deadline: now + 2_000_000 })
  t.is(seen.settled, 0)
  answer(core, { to, message })
  t.deepEqual(seen, {
    settled: 1,
    error: undefined,
    result: { boot: 1, micros: now, writer },
  })
  t.is(core.pending, 0)
})

test('a get returns value, version and coordinator, or nothing', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<GetResult>()
  core.get(key, {}, done)
  const { message } = world.takeOne()
  t.like(message, { kind: 'get', r: 0, born: world.hostMicros() })
  const version = { boot: 1, micros: 5, writer }
  core.received('n1.1', { kind: 'get.ok', id: message.id, value, version, node: 'n2' })
  t.deepEqual(seen.result, { value, version, node: 'n2' })
  const [missing, seenMissing] = outcome<GetResult>()
  core.get(key, {}, missing)
  answer(core, world.takeOne())
  t.deepEqual(seenMissing, { settled: 1, error: undefined, result: undefined })
})

test('a writer never stamps twice, and nothing is sent before its stamp', (t) => {
  const { world, core } = registeredClient()
  for (let i = 0; i < 5; i++) core.put(key, value, {}, () => {})
  const first = world.take().filter(isRequest)
  t.is(first.length, 1, 'the others are stamped ahead of the clock')
  world.pass(5)
  const later = world.take().filter(isRequest)
  const stamps = [...first, ...later].map(({ message }) => (message as Put).version.micros)
  t.deepEqual(
    stamps,
    [0, 1, 2, 3, 4].map((i) => (stamps[0] ?? 0) + i),
  )
})

test('a retry carries the same stamp to another node', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  const first = world.takeOne()
  core.opened('n1.1')
  world.pass(10)
  core.closed('n1.1')
  const second = world.takeOne()
  t.is(second.to, 'n2.1')
  t.not(second.message.id, first.message.id)
  t.deepEqual({ ...second.message, id: 0 }, { ...first.message, id: 0 })
  answer(core, first)
  t.is(seen.settled, 0, 'an answer to a lost attempt is nobody’s')
  answer(core, second)
  t.is(seen.settled, 1)
  t.is(seen.error, undefined)
})

for (const code of ['OVERLOADED', 'STOPPING', 'QUORUM_UNAVAILABLE', 'STORAGE_FAILED'] as const) {
  test(`${code} is tried again, at the next node`, (t) => {
    const { world, core } = registeredClient()
    const [done, seen] = outcome<Version>()
    core.put(key, value, {}, done)
    const first = world.takeOne()
    refuse(core, first, code)
    world.pass(10)
    const second = world.takeOne()
    t.is(second.to, 'n2.1')
    t.deepEqual((second.message as Put).version, (first.message as Put).version)
    answer(core, second)
    t.is(seen.error, undefined)
    t.is(seen.settled, 1)
  })
}

test('a node that is stopping gets no new call', (t) => {
  const { world, core } = registeredClient()
  core.get(key, {}, () => {})
  refuse(core, world.takeOne(), 'STOPPING')
  world.take()
  core.get(key, {}, () => {})
  t.is(world.takeOne().to, 'n2.1')
})

for (const code of ['FORMING', 'INVALID_ARGUMENT', 'EXPIRED'] as const) {
  test(`${code} is final at once`, (t) => {
    const { world, core } = registeredClient()
    const [done, seen] = outcome<Version>()
    core.put(key, value, {}, done)
    refuse(core, world.takeOne(), code)
    t.like(seen, { settled: 1, error: { code, definite: true } })
    world.pass(10_000)
    t.deepEqual(world.take(), [])
  })
}

test('too few owners: tried for a while, then reported', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  let attempts = 0
  for (let ms = 0; seen.settled === 0 && ms < 10_000; ms += 10) {
    for (const sent of world.take().filter(isRequest)) {
      attempts++
      refuse(core, sent, 'QUORUM_UNAVAILABLE')
    }
    world.pass(10)
  }
  t.like(seen.error, { code: 'QUORUM_UNAVAILABLE', definite: true })
  t.true(attempts > 10 && attempts < 40, `${attempts} attempts`)
  t.true(world.now() - 1_000 < unavailableRetryMs + 300)
})

test('one attempt that may have happened makes the failure indefinite', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  refuse(core, world.takeOne(), 'QUORUM_UNAVAILABLE', false)
  world.pass(10)
  refuse(core, world.takeOne(), 'INVALID_ARGUMENT', true)
  t.like(seen.error, { code: 'INVALID_ARGUMENT', definite: false })
})

test('a put whose node died after it was reached is indefinite', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  core.opened('n1.1')
  core.closed('n1.1')
  world.pass(5_100)
  t.like(seen, { settled: 1, error: { code: 'TIMEOUT', definite: false } })
})

test('a put that reached no node is definite', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  core.closed('n1.1')
  world.pass(5_100)
  t.like(seen, { settled: 1, error: { code: 'CANNOT_CONNECT', definite: true } })
})

test('no answer by the deadline: a put is indefinite, a get changed nothing', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  const [putDone, put] = outcome<Version>()
  const [getDone, get] = outcome<GetResult>()
  core.put(key, value, { timeoutMs: 300 }, putDone)
  core.get(key, { timeoutMs: 300 }, getDone)
  world.pass(299 + clientLastWordMs)
  t.is(put.settled + get.settled, 0)
  world.pass(25)
  t.like(put, { settled: 1, error: { code: 'TIMEOUT', definite: false } })
  t.like(get, { settled: 1, error: { code: 'TIMEOUT', definite: true } })
})

test('whoever was asked may say a moment after the deadline what was missing', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  const [done, seen] = outcome<GetResult>()
  core.get(key, { timeoutMs: 300 }, done)
  const { id } = world.takeOne().message
  world.pass(300 + clientLastWordMs - 20)
  t.is(seen.settled, 0)
  const message = 'nothing from n2'
  core.received('n1.1', { kind: 'error', id, code: 'TIMEOUT', definite: true, message })
  t.like(seen, { settled: 1, error: { code: 'TIMEOUT', message } })
})

test('no call takes longer than a message may be on its way', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  core.put(key, value, { timeoutMs: maxFlightMs }, () => {})
  t.is(world.takeOne().message.deadline, world.hostMicros() + maxFlightMs * 1000)
  const [done, seen] = outcome<Version>()
  core.put(key, value, { timeoutMs: maxFlightMs + 1 }, done)
  world.pass(1)
  t.like(seen, { settled: 1, error: { code: 'INVALID_ARGUMENT', definite: true } })
})

test('a silent node: another is asked too, and the first answer counts once', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<Version>()
  core.put(key, value, { timeoutMs: 3_000 }, done)
  const first = world.takeOne()
  world.pass(230)
  t.deepEqual(world.take(), [])
  world.pass(50)
  const second = world.takeOne()
  t.is(second.to, 'n2.1')
  core.get(key, {}, () => {})
  t.is(world.takeOne().to, 'n2.1', 'new calls go there as well')
  answer(core, first)
  t.like(seen, { settled: 1, error: undefined })
  answer(core, second)
  t.is(seen.settled, 1)
})

test('a slow call of a node that answers others: another is asked after a third of the time', (t) => {
  const { world, core } = registeredClient()
  core.put(key, value, { timeoutMs: 3_000 }, () => {})
  world.takeOne()
  for (let ms = 0; ms < 950; ms += 50) {
    core.get(key, {}, () => {})
    answer(core, world.takeOne())
    world.pass(50)
  }
  t.deepEqual(world.take(), [])
  world.pass(100)
  t.is(world.takeOne().to, 'n2.1')
})

test('all nodes silent: a call is sent a few times, not over and over', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<Version>()
  core.put(key, value, { timeoutMs: 6_000 }, done)
  world.pass(6_100)
  t.like(seen, { settled: 1, error: { code: 'TIMEOUT', definite: false } })
  const asked = world.take().filter(isRequest)
  t.deepEqual(
    asked.map(({ to }) => to),
    ['n1.1', 'n2.1', 'n3.1', 'n1.1', 'n2.1'],
  )
})

test('an error of a node that was given up on decides nothing', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<Version>()
  core.put(key, value, { timeoutMs: 3_000 }, done)
  const first = world.takeOne()
  world.pass(280)
  const second = world.takeOne()
  refuse(core, first, 'FORMING')
  t.is(seen.settled, 0)
  answer(core, second)
  t.is(seen.error, undefined)
})

test('abort: definite only while nothing was sent', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  world.full.add('n1.1')
  const [done, unsent] = outcome<Version>()
  core.put(key, value, {}, done)('because')
  t.like(unsent.error, { code: 'ABORTED', definite: true, cause: 'because' })
  world.full.clear()
  world.pass(1)
  const [sentDone, sent] = outcome<Version>()
  const cancel = core.put(key, value, {}, sentDone)
  const request = world.takeOne()
  cancel()
  t.like(sent, { settled: 1, error: { code: 'ABORTED', definite: false } })
  answer(core, request)
  cancel()
  t.is(sent.settled, 1)
  t.is(core.pending, 0)
})

test('a full queue holds calls back, nothing is lost', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  world.full.add('n1.1')
  const [done, seen] = outcome<GetResult>()
  core.get(key, {}, done)
  world.pass(500)
  t.deepEqual(world.take(), [])
  world.full.clear()
  world.pass(250)
  answer(core, world.takeOne())
  t.like(seen, { settled: 1, error: undefined })
})

test('calls beyond the limit wait their turn, with their deadline', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  for (let i = 0; i < clientInFlightMax; i++) core.get(key, {}, () => {})
  const sent = world.take().filter(isRequest)
  t.is(sent.length, clientInFlightMax)
  const [firstDone, first] = outcome<GetResult>()
  const [shortDone, short] = outcome<Version>()
  const [lastDone, last] = outcome<GetResult>()
  core.put(bytes('short'), value, { timeoutMs: 100 }, shortDone)
  core.get(bytes('first'), {}, firstDone)
  core.get(bytes('last'), {}, lastDone)
  t.deepEqual(world.take(), [])
  world.pass(130)
  t.like(short, { settled: 1, error: { code: 'OVERLOADED', definite: true } })
  for (const one of sent.slice(0, 2)) answer(core, one)
  const next = world.take().filter(isRequest)
  t.deepEqual(
    next.map(({ message }) => message.key),
    [bytes('first'), bytes('last')],
  )
  for (const one of next) answer(core, one)
  t.is(first.settled + last.settled, 2)
})

test('the line of waiting calls is bounded', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  for (let i = 0; i < clientInFlightMax + clientWaitingMax; i++) core.get(key, {}, () => {})
  const [done, seen] = outcome<GetResult>()
  const cancel = core.get(key, {}, done)
  t.is(core.pending, clientInFlightMax + clientWaitingMax)
  cancel()
  world.pass(1)
  t.like(seen, { settled: 1, error: { code: 'OVERLOADED', definite: true } })
})

test('delete: a read, then a tombstone stamped after it; retries keep the stamp', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<{ existed: boolean }>()
  core.delete(key, { w: 2, timeoutMs: 4_000 }, done)
  const read = world.takeOne()
  const readAt = world.hostMicros()
  t.is(read.message.kind, 'get')
  world.pass(20)
  core.received(read.to, {
    kind: 'get.ok',
    id: read.message.id,
    value,
    version: { boot: 1, micros: 1, writer },
    node: 'n1',
  })
  const write = world.takeOne()
  t.like(write.message, { kind: 'put', value: null, w: 2, deadline: readAt + 4_000_000 })
  t.is((write.message as Put).version.micros, readAt + 20_000)
  refuse(core, write, 'OVERLOADED')
  world.pass(10)
  const again = world.takeOne()
  t.deepEqual((again.message as Put).version, (write.message as Put).version)
  answer(core, again)
  t.deepEqual(seen, { settled: 1, error: undefined, result: { existed: true } })
})

test('delete of a missing key says so; one that could not read did nothing', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  const [missingDone, missing] = outcome<{ existed: boolean }>()
  core.delete(key, {}, missingDone)
  answer(core, world.takeOne())
  answer(core, world.takeOne())
  t.deepEqual(missing.result, { existed: false })
  const [failedDone, failed] = outcome<{ existed: boolean }>()
  core.delete(key, { timeoutMs: 100 }, failedDone)
  world.pass(130 + clientLastWordMs)
  t.like(failed, { settled: 1, error: { code: 'TIMEOUT', definite: true } })
  const [abortedDone, aborted] = outcome<{ existed: boolean }>()
  world.take()
  const cancel = core.delete(key, {}, abortedDone)
  answer(core, world.takeOne())
  cancel()
  t.like(aborted, { settled: 1, error: { code: 'ABORTED', definite: false } })
})

test('what is wrong with a call is said before anything is sent', (t) => {
  const { world, core } = registeredClient()
  const wrong: [string, (done: (error: unknown) => void) => void][] = [
    ['INVALID_ARGUMENT', (done) => core.put(bytes(''), value, {}, done)],
    ['TOO_LARGE', (done) => core.put(new Uint8Array(1025), value, {}, done)],
    ['TOO_LARGE', (done) => core.get(new Uint8Array(1025), {}, done)],
    ['TOO_LARGE', (done) => core.put(key, new Uint8Array(1001), {}, done)],
    ['INVALID_ARGUMENT', (done) => core.put(key, value, { w: 0 }, done)],
    ['INVALID_ARGUMENT', (done) => core.put(key, value, { w: 4 }, done)],
    ['INVALID_ARGUMENT', (done) => core.delete(key, { w: 1.5 }, done)],
    ['INVALID_ARGUMENT', (done) => core.get(key, { r: -1 }, done)],
    ['INVALID_ARGUMENT', (done) => core.get(key, { timeoutMs: 0 }, done)],
    ['INVALID_ARGUMENT', (done) => core.get(key, { timeoutMs: Number.NaN }, done)],
  ]
  for (const [code, call] of wrong) {
    const [done, seen] = outcome<unknown>()
    call(done as (error: unknown) => void)
    t.is(seen.settled, 0, 'never before the call returned')
    world.pass(1)
    t.like(seen, { settled: 1, error: { code, definite: true } })
  }
  t.deepEqual(world.take(), [])
  core.put(new Uint8Array(1024), new Uint8Array(1000), { w: 3 }, () => {})
  t.is(world.take().length, 1)
})

test('before it registered a client takes no call', (t) => {
  const { world, core } = client()
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  world.pass(1)
  t.like(seen.error, { code: 'CANNOT_CONNECT', definite: true })
})
