import test from 'ava'
import type { Version } from '../shared/data/version.js'
import type { Put } from '../shared/protocol/messages.js'
import type { GetResult } from './core.js'
import {
  answer,
  bytes,
  client,
  grant,
  isRequest,
  outcome,
  registeredClient,
  ringOf,
} from './scripted.fixture.js'

const key = bytes('key')
const value = bytes('value')

test('the manager gives an id and a forwarder', (t) => {
  const { world, core } = client()
  const [done, seen] = outcome<never>()
  core.register(5_000, done)
  t.like(world.sent, [{ to: 'manager', message: { kind: 'client.register', client: 0 } }])
  t.is(core.id, 0)
  grant(world, core, ['n2.1', 'n3.1', 'n1.1'], { client: 12 })
  t.like(seen, { settled: 1, error: undefined })
  t.is(core.id, 12)
  core.get(key, {}, () => {})
  t.is(world.takeOne().to, 'n2.1')
})

test('without a manager the ring file names members, those that live are asked', (t) => {
  const { world, core } = client()
  world.ring = ringOf([1, 2, 3], 6)
  world.dead.add(1)
  const [done, seen] = outcome<never>()
  core.register(5_000, done)
  core.closed('manager')
  t.like(seen, { settled: 1, error: undefined })
  t.is(core.id, 0)
  core.put(key, value, { w: 3 }, () => {})
  const { to, message } = world.takeOne()
  t.is(to, 'n2.1')
  t.is((message as Put).version.boot, 6)
})

test('the limit of values: the default until the manager has told it, then its own', (t) => {
  const { world, core } = client()
  world.ring = ringOf([1, 2, 3], 6)
  core.register(5_000, () => {})
  core.closed('manager')
  const refused = (bytesCount: number) => {
    const [done, seen] = outcome<Version>()
    core.put(key, new Uint8Array(bytesCount), { timeoutMs: 100 }, done)
    world.pass(1)
    return seen.error
  }
  t.is(refused(8 * 1024 * 1024), undefined)
  t.like(refused(8 * 1024 * 1024 + 1), { code: 'TOO_LARGE', definite: true })
  grant(world, core, ['n1.1'])
  t.like(refused(1_001), { code: 'TOO_LARGE', definite: true })
  core.closed('n1.1')
  core.closed('manager')
  t.like(refused(1_001), { code: 'TOO_LARGE' }, 'it is remembered')
})

test('a manager that does not answer is passed over', (t) => {
  const { world, core } = client()
  world.ring = ringOf([1], 1)
  const [done, seen] = outcome<never>()
  core.register(5_000, done)
  world.pass(1_100)
  t.like(seen, { settled: 1, error: undefined })
  grant(world, core, ['n9.1'])
  t.is(core.id, 7, 'its late answer is taken')
})

test('nobody there: tried until the time is over', (t) => {
  const { world, core } = client()
  world.ring = ringOf([1, 2], 1)
  world.dead.add(1).add(2)
  const [done, seen] = outcome<never>()
  core.register(1_000, done)
  let asked = 0
  for (let ms = 0; ms < 990; ms += 10) {
    asked += world.take().length
    core.closed('manager')
    world.pass(10)
  }
  t.is(seen.settled, 0)
  world.pass(20)
  t.like(seen, { settled: 1, error: { code: 'CANNOT_CONNECT', definite: true } })
  t.is(asked, 5)
  t.is(world.timerCount, 0)
})

test('a manager of another version is reported at once', (t) => {
  const { core } = client()
  const [done, seen] = outcome<never>()
  core.register(5_000, done)
  core.refused({ name: 'GTStoreError', code: 'VERSION_MISMATCH', definite: true, message: 'v' })
  t.like(seen, { settled: 1, error: { code: 'VERSION_MISMATCH' } })
})

test('via: that node is the forwarder, one that is not up is refused', (t) => {
  const { world, core } = registeredClient(['n1.1', 'n11.4', 'n3.2'], { via: 'n3' })
  core.get(key, {}, () => {})
  t.is(world.takeOne().to, 'n3.2')
  const other = client({ via: 'n5' })
  const [done, seen] = outcome<never>()
  other.core.register(5_000, done)
  grant(other.world, other.core, ['n1.1'])
  t.like(seen.error, { code: 'NOT_FOUND' })
})

test('all known nodes gone: registers again, and calls in flight go on', (t) => {
  const { world, core } = registeredClient(['n1.1', 'n2.1'])
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  const first = world.takeOne()
  core.closed('n1.1')
  t.is(world.takeOne().to, 'n2.1')
  world.pass(1_000)
  core.closed('n2.1')
  world.pass(10)
  grant(world, core, ['n7.1'])
  const again = world.takeOne()
  t.is(again.to, 'n7.1')
  t.deepEqual((again.message as Put).version, (first.message as Put).version)
  answer(core, again)
  t.like(seen, { settled: 1, error: undefined })
})

test('a client outlives down and up', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  const [done, seen] = outcome<GetResult>()
  core.opened('n1.1')
  core.get(key, { timeoutMs: 10_000 }, done)
  core.closed('n1.1')
  for (let ms = 0; ms < 3_000; ms += 50) {
    world.take()
    core.closed('manager')
    world.pass(50)
  }
  world.pass(300)
  t.is(seen.settled, 0)
  grant(world, core, [])
  world.pass(300)
  grant(world, core, ['n1.2'])
  answer(core, world.takeOne())
  t.like(seen, { settled: 1, error: undefined })
})

test('a manager that names dead nodes is not asked in a tight loop', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  core.get(key, { timeoutMs: 1_000 }, () => {})
  let registrations = 0
  for (let ms = 0; ms < 1_000; ms += 5) {
    const asked = world.sent.some(({ message }) => message.kind === 'client.register')
    if (asked) {
      registrations++
      grant(world, core, ['n1.1'])
    }
    world.take()
    core.closed('n1.1')
    world.pass(5)
  }
  t.true(registrations >= 3 && registrations <= 6, `${registrations} registrations`)
})

test('no node has joined yet: a call waits for one, then says so', (t) => {
  const { world, core } = registeredClient([])
  const [done, seen] = outcome<Version>()
  core.put(key, value, { timeoutMs: 500 }, done)
  world.pass(530)
  t.like(seen, { settled: 1, error: { code: 'FORMING', definite: true } })
  world.pass(2_000)
  t.is(world.timerCount, 0, 'nobody waits: nobody is asked')
})

test('members, but none that is up: says how to see and start them', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  world.ring = ringOf([1], 1)
  world.dead.add(1)
  core.closed('n1.1')
  const [done, seen] = outcome<Version>()
  core.put(key, value, { timeoutMs: 500 }, done)
  world.pass(300)
  grant(world, core, [])
  world.pass(230)
  t.like(seen, { settled: 1, error: { code: 'QUORUM_UNAVAILABLE', definite: true } })
  t.regex(seen.error?.message ?? '', /gtstore status.*gtstore up/)
})

test('a forwarder that moves its clients: new calls go elsewhere, those in flight go on', (t) => {
  const { world, core } = registeredClient()
  const [done, seen] = outcome<GetResult>()
  core.get(key, {}, done)
  const first = world.takeOne()
  core.received('n1.1', { kind: 'forwarder.moved', nodes: ['n8.1', 'n9.1'] })
  core.get(key, {}, () => {})
  t.is(world.takeOne().to, 'n8.1')
  answer(core, first)
  t.like(seen, { settled: 1, error: undefined })
  core.received('n1.1', { kind: 'forwarder.moved', nodes: ['n9.1', 'n8.1'] })
  core.get(key, {}, () => {})
  t.is(world.takeOne().to, 'n8.1', 'whoever has a forwarder that stays keeps it')
  core.received('n8.1', { kind: 'forwarder.moved', nodes: [] })
  core.get(key, {}, () => {})
  t.deepEqual(world.take().filter(isRequest), [])
  world.pass(300)
  grant(world, core, ['n4.1'])
  t.is(world.takeOne().to, 'n4.1')
})

test('a single silent node: the manager is asked for others', (t) => {
  const { world, core } = registeredClient(['n1.1'])
  const [done, seen] = outcome<GetResult>()
  core.get(key, { timeoutMs: 3_000 }, done)
  world.takeOne()
  world.pass(1_030)
  grant(world, core, ['n1.1', 'n2.1'])
  world.pass(1_000)
  const second = world.takeOne()
  t.is(second.to, 'n2.1')
  answer(core, second)
  t.like(seen, { settled: 1, error: undefined })
})
