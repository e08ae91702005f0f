import test from 'ava'
import type { Mode } from '../shared/data/mode.js'
import type { Version } from '../shared/data/version.js'
import type { Put } from '../shared/protocol/messages.js'
import { managerAnswerMs, nodeAnswerMs } from '../shared/runtime/limits.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { ClientCore, GetResult } from './core.js'
import { nodeRegistrationId } from './registration.js'
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

/** A client that has found the manager gone; of the ring's members n1 is dead. */
function clientWithoutManager(pids: readonly number[]) {
  const { world, core } = client()
  world.ring = ringOf(pids, 6)
  world.dead.add(1)
  const [done, seen] = outcome<never>()
  core.register(5_000, done)
  core.closed('manager')
  return { world, core, seen }
}

function registeredBy(node: Address, core: ClientCore, nodes: readonly Address[]): void {
  core.received(node, {
    kind: 'client.register.ok',
    mode: 'latest',
    id: nodeRegistrationId,
    client: 31,
    boot: 6,
    nodes,
    valueBytesMax: 1_000,
    replicas: 3,
  })
}

function refuseRegistration(node: Address, core: ClientCore): void {
  const code = 'OVERLOADED'
  core.received(node, {
    kind: 'error',
    id: nodeRegistrationId,
    code,
    definite: true,
    message: 'no',
  })
}

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

test('without a manager a member that the ring file names and that lives registers the client', (t) => {
  const { world, core } = clientWithoutManager([1, 2, 3])
  t.like(world.take().slice(1), [{ to: 'n2.1', message: { id: nodeRegistrationId, client: 0 } }])
  registeredBy('n2.1', core, ['n3.1', 'n2.1'])
  t.is(core.id, 31)
  core.put(key, value, { w: 3 }, () => {})
  const { to, message } = world.takeOne()
  t.is(to, 'n3.1')
  t.is((message as Put).version.boot, 6)
})

test('a member that refuses, goes away or is silent is passed over for the next', (t) => {
  const { world, core, seen } = clientWithoutManager([1, 2, 3, 4, 5])
  const asked = () => world.take().map(({ to }) => to)
  t.deepEqual(asked(), ['manager', 'n2.1'])
  refuseRegistration('n2.1', core)
  t.deepEqual(asked(), ['n3.1'])
  core.closed('n3.1')
  t.deepEqual(asked(), ['n4.1'])
  world.pass(nodeAnswerMs)
  t.deepEqual(asked(), ['n5.1'])
  t.is(seen.settled, 0)
  registeredBy('n4.1', core, ['n5.1'])
  t.like(seen, { settled: 1, error: undefined })
  t.is(core.id, 31, 'the answer of the slow one counts')
  world.pass(2_000)
  t.deepEqual(asked(), [])
})

/** A member answers for its status, which names the mode. */
function statusBy(node: Address, core: ClientCore, mode: Mode): void {
  const status = {
    swarm: 's',
    state: 'serving',
    epoch: 4,
    replicas: 3,
    readQuorum: 2,
    writeQuorum: 2,
    durability: 'sync',
    mode,
    manager: null,
    nodes: [],
    changes: [],
    notices: [],
  } as const
  core.received(node, { kind: 'swarm.status.ok', id: nodeRegistrationId, status })
}

test('no member has an id to give: the members alone will do, once one has said the mode', (t) => {
  const { world, core, seen } = clientWithoutManager([1, 2, 3])
  refuseRegistration('n2.1', core)
  world.take()
  refuseRegistration('n3.1', core)
  t.is(seen.settled, 0, 'a write of another mode would be refused, a read misunderstood')
  t.like(world.take(), [{ to: 'n2.1', message: { kind: 'swarm.status' } }])
  refuseRegistration('n2.1', core)
  t.like(world.take(), [{ to: 'n3.1', message: { kind: 'swarm.status' } }])
  statusBy('n3.1', core, 'siblings')
  t.like(seen, { settled: 1, error: undefined })
  t.is(core.id, 0)
  t.is(core.mode, 'siblings')
  core.put(key, value, { w: 3 }, () => {})
  const { to, message } = world.takeOne()
  t.is(to, 'n2.1')
  t.like(message, { kind: 'write', stamp: { boot: 6 } })
})

test('a ring with chains shows the mode, and nobody is asked for it', (t) => {
  const { world, core } = client()
  const chain = { from: 0, to: 0, members: ['n2', 'n1'], full: 2, reader: 'n1' }
  world.ring = { ...ringOf([1, 2], 6), chains: [chain] }
  const [done, seen] = outcome<never>()
  core.register(5_000, done)
  core.closed('manager')
  refuseRegistration('n1.1', core)
  refuseRegistration('n2.1', core)
  t.like(seen, { settled: 1, error: undefined })
  t.is(core.mode, 'chain')
})

test('members that are all silent: the last gets more time, then they will do', (t) => {
  const { world, core, seen } = clientWithoutManager([1, 2, 3])
  const asked = () => world.take().map(({ to, message }) => `${to} ${message.kind}`)
  world.pass(nodeAnswerMs)
  t.deepEqual(asked(), ['manager client.register', 'n2.1 client.register', 'n3.1 client.register'])
  world.pass(managerAnswerMs - 1)
  t.is(seen.settled, 0)
  world.pass(1 + nodeAnswerMs)
  t.deepEqual(asked(), ['n2.1 swarm.status', 'n3.1 swarm.status'])
  t.is(seen.settled, 0)
  statusBy('n2.1', core, 'latest')
  t.like(seen, { settled: 1, error: undefined })
})

test('nobody says the mode: the manager is asked again, until the time is over', (t) => {
  const { world, core, seen } = clientWithoutManager([1, 2])
  refuseRegistration('n2.1', core)
  world.take()
  world.pass(managerAnswerMs)
  t.like(world.take(), [{ to: 'manager', message: { kind: 'client.register' } }])
  t.is(seen.settled, 0)
  world.pass(5_000)
  t.like(seen, { settled: 1, error: { code: 'CANNOT_CONNECT', definite: true } })
})

test('who was told the mode of this swarm needs nobody to say it again', (t) => {
  const { world, core } = client()
  world.ring = ringOf([1, 2], 6)
  core.register(5_000, () => {})
  grant(world, core, ['n9.1'], { mode: 'siblings' })
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  world.take()
  core.closed('n9.1')
  world.pass(managerAnswerMs + 300)
  refuseRegistration('n1.1', core)
  refuseRegistration('n2.1', core)
  t.like(world.takeOne(), { to: 'n1.1', message: { kind: 'write' } })
  t.is(seen.settled, 0)
})

test("the limit of values: the default until somebody has told it, then the swarm's", (t) => {
  const { world, core } = clientWithoutManager([1, 2])
  refuseRegistration('n2.1', core)
  statusBy('n2.1', core, 'latest')
  const refused = (bytesCount: number) => {
    const [done, seen] = outcome<Version>()
    core.put(key, new Uint8Array(bytesCount), { timeoutMs: 100 }, done)
    world.pass(1)
    return seen.error
  }
  t.is(refused(8 * 1024 * 1024), undefined)
  t.like(refused(8 * 1024 * 1024 + 1), { code: 'TOO_LARGE', definite: true })
  grant(world, core, ['n2.1'])
  t.like(refused(1_001), { code: 'TOO_LARGE', definite: true })
  core.closed('n2.1')
  core.closed('manager')
  t.like(refused(1_001), { code: 'TOO_LARGE' }, 'it is remembered')
})

test('a manager that does not answer is passed over, its late answer changes no id', (t) => {
  const { world, core } = client()
  world.ring = ringOf([1], 1)
  const [done, seen] = outcome<never>()
  core.register(5_000, done)
  world.pass(managerAnswerMs)
  registeredBy('n1.1', core, ['n1.1'])
  t.like(seen, { settled: 1, error: undefined })
  grant(world, core, ['n9.1'])
  t.is(core.id, 31)
  core.get(key, {}, () => {})
  t.is(world.takeOne().to, 'n9.1', 'it knows best whom to ask')
})

test('before the last node that it knows is gone, a client asks for others', (t) => {
  const { world, core } = registeredClient(['n1.1', 'n2.1', 'n3.1'])
  core.closed('n1.1')
  t.deepEqual(world.take(), [])
  world.pass(1_000)
  core.closed('n2.1')
  t.like(world.sent, [{ to: 'manager', message: { kind: 'client.register', client: 7 } }])
  grant(world, core, ['n1.2', 'n3.1'])
  core.get(key, {}, () => {})
  t.is(world.takeOne().to, 'n3.1', 'its forwarder stays')
  core.closed('n3.1')
  core.get(key, {}, () => {})
  t.is(world.take().filter(isRequest).at(-1)?.to, 'n1.2')
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
  world.pass(280)
  grant(world, core, ['n1.1', 'n2.1'])
  world.pass(280)
  const second = world.takeOne()
  t.is(second.to, 'n2.1')
  answer(core, second)
  t.like(seen, { settled: 1, error: undefined })
})
