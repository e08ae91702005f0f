import test from 'ava'
import type { Condition, Mode } from '../shared/data/mode.js'
import { type Context, encodeContext, encodeSiblings } from '../shared/data/siblings.js'
import { formatVersion, type Version } from '../shared/data/version.js'
import type { Get, Put, Write } from '../shared/protocol/messages.js'
import { clientLastWordMs, silentNodeMs } from '../shared/runtime/limits.js'
import type { ClientCore, GetResult } from './core.js'
import {
  answer,
  bytes,
  drawn,
  isRequest,
  outcome,
  refuse,
  registeredClient,
  type Sent,
  writer,
} from './scripted.fixture.js'

const key = bytes('key')
const value = bytes('value')
const context: Context = new Map([['n1.1', 7]])
const nodes = ['n1.1', 'n2.1', 'n3.1']

function clientOf(mode: Mode) {
  return registeredClient(nodes, {}, mode)
}

/** The node answers a get with these values, all under one context. */
function tell(core: ClientCore, { to, message }: Sent, values: readonly string[]): void {
  const siblings = values.map((text, at) => ({ actor: 'n1.1', micros: at, value: bytes(text) }))
  core.received(to, {
    kind: 'get.ok',
    id: (message as Get).id,
    value: encodeSiblings({ values: siblings, context }),
    version: values.length === 0 ? null : drawn,
    node: 'n2',
  })
}

/** The node answers a get in a mode without siblings. */
function tellOne(core: ClientCore, { to, message }: Sent): void {
  const id = (message as Get).id
  core.received(to, { kind: 'get.ok', id, value, version: drawn, node: 'n2' })
}

const version: Version = { boot: 1, micros: 3, writer }

for (const mode of ['siblings', 'chain'] as const) {
  test(`${mode}: a put goes as a write, and resolves with the version that it was given`, (t) => {
    const { world, core } = clientOf(mode)
    const [done, seen] = outcome<Version>()
    core.put(key, value, { timeoutMs: 2_000 }, done)
    const sent = world.takeOne()
    const micros = world.hostMicros()
    t.like(sent.message, {
      kind: 'write',
      key,
      value,
      stamp: { boot: 1, micros, writer },
      condition: null,
      context: null,
      w: 0,
      deadline: micros + 2_000_000,
    })
    answer(core, sent)
    t.deepEqual(seen, { settled: 1, error: undefined, result: drawn })
  })
}

test('an answer of another kind is nobody’s', (t) => {
  const { world, core } = clientOf('chain')
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  const { to, message } = world.takeOne()
  core.received(to, { kind: 'put.ok', id: message.id })
  t.is(seen.settled, 0)
})

test('chain: conditions are sent as they are, also of create, update and delete', (t) => {
  const { world, core } = clientOf('chain')
  const is: Condition = { is: 'version', version }
  core.put(key, value, { condition: is }, () => {})
  t.deepEqual((world.takeOne().message as Write).condition, is)
  world.pass(1)
  core.create(key, value, {}, () => {})
  t.deepEqual((world.takeOne().message as Write).condition, { is: 'absent' })
  world.pass(1)
  core.delete(key, { condition: is }, () => {})
  t.like(world.takeOne().message, { kind: 'write', value: null, condition: is })
})

test('chain: a delete is one step, whose condition tells whether the key existed', (t) => {
  const { world, core } = clientOf('chain')
  const [existedDone, existed] = outcome<{ existed: boolean }>()
  core.delete(key, {}, existedDone)
  const first = world.takeOne()
  t.like(first.message, { kind: 'write', value: null, condition: { is: 'present' } })
  answer(core, first)
  t.deepEqual(existed.result, { existed: true })
  world.pass(1)
  const [missingDone, missing] = outcome<{ existed: boolean }>()
  core.delete(key, {}, missingDone)
  refuse(core, world.takeOne(), 'CONDITION_FAILED')
  t.deepEqual(missing, { settled: 1, error: undefined, result: { existed: false } })
  world.pass(1)
  const [askedDone, asked] = outcome<{ existed: boolean }>()
  core.delete(key, { condition: { is: 'present' } }, askedDone)
  refuse(core, world.takeOne(), 'CONDITION_FAILED')
  t.like(asked.error, { code: 'CONDITION_FAILED', definite: true })
})

test('chain: a retry carries the same stamp and condition; its first result counts, and is sure', (t) => {
  const { world, core } = clientOf('chain')
  const [done, seen] = outcome<Version>()
  core.put(key, value, { condition: { is: 'absent' } }, done)
  const first = world.takeOne()
  core.opened('n1.1')
  core.closed('n1.1')
  const second = world.takeOne()
  t.is(second.to, 'n2.1')
  t.deepEqual({ ...second.message, id: 0 }, { ...first.message, id: 0 })
  refuse(core, second, 'CONDITION_FAILED', false, version)
  t.like(seen.error, {
    code: 'CONDITION_FAILED',
    definite: true,
    version: formatVersion(version),
  })
  const [missingDone, missing] = outcome<Version>()
  core.put(key, value, { condition: { is: 'present' } }, missingDone)
  world.pass(1)
  refuse(core, world.takeOne(), 'CONDITION_FAILED')
  t.is(missing.error?.version, undefined)
})

test('chain: a condition that failed counts, whichever attempt is told it', (t) => {
  const { world, core } = clientOf('chain')
  const [done, seen] = outcome<Version>()
  core.put(key, value, { condition: { is: 'absent' } }, done)
  const first = world.takeOne()
  world.pass(silentNodeMs + 50)
  world.takeOne()
  refuse(core, first, 'OVERLOADED')
  t.is(seen.settled, 0)
  refuse(core, first, 'CONDITION_FAILED', false, version)
  t.like(seen.error, { code: 'CONDITION_FAILED', definite: true })
})

test('siblings: a put that may have begun is not sent again', (t) => {
  const { world, core } = clientOf('siblings')
  const [lostDone, lost] = outcome<Version>()
  core.put(key, value, {}, lostDone)
  world.take()
  core.opened('n1.1')
  core.closed('n1.1')
  t.like(lost, { settled: 1, error: { code: 'TIMEOUT', definite: false } })
  world.pass(1)
  const [refusedDone, refused] = outcome<Version>()
  core.put(key, value, {}, refusedDone)
  refuse(core, world.takeOne(), 'QUORUM_UNAVAILABLE', false)
  t.like(refused, { settled: 1, error: { code: 'QUORUM_UNAVAILABLE', definite: false } })
  world.pass(10_000)
  t.deepEqual(world.take().filter(isRequest), [])
})

test('siblings: a put to a silent node waits for it, while later calls go elsewhere', (t) => {
  const { world, core } = clientOf('siblings')
  const [done, seen] = outcome<Version>()
  core.put(key, value, { timeoutMs: 9_000 }, done)
  const first = world.takeOne()
  world.pass(silentNodeMs + 1_000)
  t.deepEqual(world.take().filter(isRequest), [])
  core.get(key, {}, () => {})
  t.is(world.takeOne().to, 'n2.1')
  answer(core, first)
  t.deepEqual(seen, { settled: 1, error: undefined, result: drawn })
  const [lateDone, late] = outcome<Version>()
  core.put(key, value, { timeoutMs: 3_000 }, lateDone)
  world.pass(3_100 + clientLastWordMs)
  t.like(late, { settled: 1, error: { code: 'TIMEOUT', definite: false } })
})

test('siblings: a put that surely did not happen is sent again', (t) => {
  const { world, core } = clientOf('siblings')
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  const first = world.takeOne()
  core.closed('n1.1')
  const second = world.takeOne()
  t.deepEqual({ ...second.message, id: 0 }, { ...first.message, id: 0 })
  refuse(core, second, 'OVERLOADED')
  world.pass(10)
  answer(core, world.takeOne())
  t.deepEqual(seen, { settled: 1, error: undefined, result: drawn })
})

test('siblings: a get gives all of them, and the context that supersedes them', (t) => {
  const { world, core } = clientOf('siblings')
  const [done, seen] = outcome<GetResult>()
  core.get(key, {}, done)
  tell(core, world.takeOne(), ['one', 'two'])
  const encoded = encodeContext(context)
  t.like(seen.result, { version: drawn, node: 'n2', siblings: { context: encoded } })
  t.is(String(seen.result?.value), 'two')
  t.deepEqual(seen.result?.siblings?.values.map(String), ['one', 'two'])
  core.put(key, value, { w: 2, context: encoded }, () => {})
  t.like(world.takeOne().message, { kind: 'write', context: encoded, w: 2 })
  const [goneDone, gone] = outcome<GetResult>()
  core.get(key, {}, goneDone)
  tell(core, world.takeOne(), [])
  t.deepEqual(gone, { settled: 1, error: undefined, result: undefined })
  const [brokenDone, broken] = outcome<GetResult>()
  core.get(key, {}, brokenDone)
  tellOne(core, world.takeOne())
  t.like(broken, { settled: 1, error: { code: 'VERSION_MISMATCH' } })
})

test('siblings: a delete and an update supersede what they read; nothing read, nothing deleted', (t) => {
  const { world, core } = clientOf('siblings')
  const [done, seen] = outcome<{ existed: boolean }>()
  core.delete(key, {}, done)
  tell(core, world.takeOne(), ['one', 'two'])
  const write = world.takeOne()
  t.like(write.message, { kind: 'write', value: null, context: encodeContext(context) })
  answer(core, write)
  t.deepEqual(seen.result, { existed: true })
  const [missingDone, missing] = outcome<{ existed: boolean }>()
  core.delete(key, {}, missingDone)
  answer(core, world.takeOne())
  t.deepEqual(missing, { settled: 1, error: undefined, result: { existed: false } })
  t.deepEqual(world.take(), [])
  world.pass(1)
  const present = { is: 'present' } as const
  core.put(key, value, { condition: present, supersedesRead: true }, () => {})
  tell(core, world.takeOne(), ['one'])
  t.like(world.takeOne().message, { value, condition: null, context: encodeContext(context) })
  world.pass(1)
  core.put(key, value, { condition: present }, () => {})
  tell(core, world.takeOne(), ['one'])
  t.like(world.takeOne().message, { value, context: null }, 'nobody has seen what was read')
  world.pass(1)
  const own = encodeContext(new Map([['n2.1', 3]]))
  core.put(key, value, { condition: present, context: own, supersedesRead: true }, () => {})
  tell(core, world.takeOne(), ['one'])
  t.like(world.takeOne().message, { context: own }, 'the one that is given counts')
})

test('latest: create and ifPresent read, then write with one stamp and deadline', (t) => {
  const { world, core } = clientOf('latest')
  const [createdDone, created] = outcome<Version>()
  core.create(key, value, { timeoutMs: 4_000, w: 3 }, createdDone)
  const born = world.hostMicros()
  const read = world.takeOne()
  world.pass(5)
  answer(core, read)
  const put = world.takeOne()
  t.like(put.message, { kind: 'put', value, w: 3, deadline: born + 4_000_000 })
  t.is((put.message as Put).version.micros, world.hostMicros())
  answer(core, put)
  t.deepEqual(created.result, (put.message as Put).version)
  const [existsDone, exists] = outcome<Version>()
  core.create(key, value, {}, existsDone)
  tellOne(core, world.takeOne())
  t.like(exists.error, {
    code: 'CONDITION_FAILED',
    definite: true,
    version: formatVersion(drawn),
  })
  for (const call of ['put', 'delete'] as const) {
    const [done, seen] = outcome<unknown>()
    const options = { condition: { is: 'present' } } as const
    if (call === 'put') core.put(key, value, options, done)
    else core.delete(key, options, done)
    answer(core, world.takeOne())
    t.like(seen.error, { code: 'CONDITION_FAILED', definite: true }, call)
    t.is(seen.error?.version, undefined)
  }
  t.deepEqual(world.take(), [])
})

test('what a mode does not have is refused before anything is sent, and says who has it', (t) => {
  const absent = { condition: { is: 'absent' } } as const
  const byVersion = { condition: { is: 'version', version } } as const
  const seen = { context: encodeContext(context) }
  for (const [mode, options, message] of [
    ['latest', absent, /ifAbsent .*up --replication chain/],
    ['latest', byVersion, /ifVersion .*up --replication chain/],
    ['latest', seen, /up --conflicts siblings/],
    ['siblings', absent, /up --replication chain/],
    ['siblings', byVersion, /up --replication chain/],
    ['chain', seen, /up --conflicts siblings/],
    ['chain', { w: 2 }, /every member/],
  ] as const) {
    const { world, core } = clientOf(mode)
    const calls = [
      (done: (error: unknown) => void) => core.put(key, value, options, done),
      (done: (error: unknown) => void) => core.delete(key, options, done),
    ]
    for (const call of calls) {
      const [done, refused] = outcome<unknown>()
      call(done as (error: unknown) => void)
      t.is(refused.settled, 0)
      world.pass(1)
      t.like(refused, { settled: 1, error: { code: 'UNSUPPORTED', definite: true } })
      t.regex(refused.error?.message ?? '', message)
    }
    t.deepEqual(world.take().filter(isRequest), [])
  }
  const { world, core } = clientOf('chain')
  const [done, refused] = outcome<GetResult>()
  core.get(key, { r: 1 }, done)
  world.pass(1)
  t.like(refused.error, { code: 'UNSUPPORTED', definite: true })
})

test('explain brings the report of the node that it asked, and is tried again as a get is', (t) => {
  const { world, core } = clientOf('latest')
  const [done, seen] = outcome<unknown>()
  core.explain(key, { r: 2 }, done)
  const first = world.takeOne()
  t.like(first.message, { kind: 'explain', key, r: 2, born: world.hostMicros() })
  core.opened('n1.1')
  core.closed('n1.1')
  const { to, message } = world.takeOne()
  t.is(to, 'n2.1')
  const report = {
    mode: 'latest',
    epoch: 1,
    token: 5,
    path: ['n2'],
    quorums: { n: 3, r: 2, w: 2 },
    owners: [],
    version: null,
    value: null,
    refusal: null,
    reasons: [],
  } as const
  core.received(to, { kind: 'explain.ok', id: message.id, report })
  t.deepEqual(seen, { settled: 1, error: undefined, result: report })
})
