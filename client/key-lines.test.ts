import test from 'ava'
import type { Version } from '../shared/data/version.js'
import type { Write } from '../shared/protocol/messages.js'
import {
  clientInFlightMax,
  clientKeyWritesMax,
  clientLastWordMs,
} from '../shared/runtime/limits.js'
import type { ClientCore } from './core.js'
import {
  answer,
  bytes,
  isRequest,
  type Outcome,
  outcome,
  registeredClient,
  type Sent,
  type World,
} from './scripted.fixture.js'

const key = bytes('key')
const value = bytes('value')

function chainClient() {
  return registeredClient(['n1.1', 'n2.1'], {}, 'chain')
}

function put(core: ClientCore, name = key, timeoutMs?: number): Outcome<Version> {
  const [done, seen] = outcome<Version>()
  core.put(name, value, { timeoutMs }, done)
  return seen
}

/** The writes sent since the last look. */
function writes(world: World): Sent<Write>[] {
  const isWrite = (sent: Sent): sent is Sent<Write> =>
    isRequest(sent) && sent.message.kind === 'write'
  return world.take().filter(isWrite)
}

test('so many writes of a key are in flight, the others follow in their order', (t) => {
  const { world, core } = chainClient()
  const total = 3 * clientKeyWritesMax
  const seen = Array.from({ length: total }, () => put(core))
  world.pass(1)
  const sent = writes(world)
  t.is(sent.length, clientKeyWritesMax)
  t.is(core.pending, total)
  for (let answered = 0; answered < total; answered++) {
    answer(core, sent[answered] as Sent<Write>)
    t.is(seen[answered]?.settled, 1)
    world.pass(1)
    sent.push(...writes(world))
    t.is(sent.length, Math.min(total, answered + 1 + clientKeyWritesMax))
  }
  const stamps = sent.map(({ message }) => message.stamp.micros)
  t.deepEqual(
    stamps,
    [...new Set(stamps)].sort((a, b) => a - b),
  )
  t.is(core.pending, 0)
})

test('a write is stamped when it is sent first; a retry keeps the stamp, and all their deadline', (t) => {
  const { world, core } = chainClient()
  const called = world.hostMicros()
  for (let i = 0; i <= clientKeyWritesMax; i++) put(core, key, 4_000)
  world.pass(30)
  const sent = writes(world)
  world.pass(70)
  answer(core, sent[0] as Sent<Write>)
  const [late] = writes(world)
  t.is(late?.message.stamp.micros, called + 100_000)
  t.is(late?.message.deadline, called + 4_000_000)
  core.opened('n1.1')
  core.closed('n1.1')
  const again = writes(world)
  t.is(again.length, clientKeyWritesMax)
  t.deepEqual(again.at(-1)?.message.stamp, late?.message.stamp)
})

test('who waits until the deadline was surely not sent', (t) => {
  const { world, core } = chainClient()
  const first = Array.from({ length: clientKeyWritesMax }, () => put(core, key, 10_000))
  const late = put(core, key, 1_000)
  world.pass(1_020 + clientLastWordMs)
  t.like(late, { settled: 1, error: { code: 'TIMEOUT', definite: true } })
  t.regex(late.error?.message ?? '', /not sent within 1000 ms/)
  t.true(first.every(({ settled }) => settled === 0))
})

test('of those whose time ends together the ones that wait are definite', (t) => {
  const { world, core } = chainClient()
  const seen = Array.from({ length: 2 * clientKeyWritesMax }, () => put(core, key, 1_000))
  world.pass(1_020 + clientLastWordMs)
  t.deepEqual(
    seen.map(({ error }) => error?.definite),
    seen.map((_, index) => index >= clientKeyWritesMax),
  )
  t.is(core.pending, 0)
})

test('a write that waits can be given up, and another takes its turn', (t) => {
  const { world, core } = chainClient()
  for (let i = 0; i < clientKeyWritesMax; i++) put(core)
  const [done, seen] = outcome<Version>()
  const cancel = core.put(key, value, {}, done)
  const behind = put(core)
  world.pass(1)
  const [first] = writes(world)
  cancel('enough')
  t.like(seen, { settled: 1, error: { code: 'ABORTED', definite: true } })
  answer(core, first as Sent<Write>)
  const [next, ...others] = writes(world)
  t.deepEqual(others, [])
  answer(core, next as Sent<Write>)
  t.is(behind.settled, 1)
})

test('other keys, and reads, go past; in the other modes nobody waits', (t) => {
  const { world, core } = chainClient()
  for (let i = 0; i < 2 * clientKeyWritesMax; i++) put(core)
  world.pass(1)
  world.take()
  put(core, bytes('other'))
  t.is(writes(world).length, 1)
  core.get(key, {}, () => {})
  t.is(world.takeOne().message.kind, 'get')
  const siblings = registeredClient(['n1.1'], {}, 'siblings')
  for (let i = 0; i < 2 * clientKeyWritesMax; i++) put(siblings.core)
  siblings.world.pass(1)
  t.is(writes(siblings.world).length, 2 * clientKeyWritesMax)
})

test('a write that passed still waits for a place among all, and is stamped after that', (t) => {
  const { world, core } = chainClient()
  for (let i = 0; i < clientInFlightMax; i++) core.get(bytes(`k${i}`), {}, () => {})
  const seen = Array.from({ length: 2 * clientKeyWritesMax }, () => put(core))
  const gets = world.take().filter(isRequest)
  world.pass(40)
  for (const get of gets.slice(0, 3)) answer(core, get)
  const since = world.hostMicros()
  world.pass(1)
  const sent = writes(world)
  t.is(sent.length, 3)
  t.true(sent.every(({ message }) => message.stamp.micros >= since))
  for (const get of gets.slice(3)) answer(core, get)
  world.pass(1)
  for (let next = sent.concat(writes(world)); next.length > 0; next = writes(world)) {
    for (const write of next) answer(core, write)
    world.pass(1)
  }
  t.true(seen.every(({ settled, error }) => settled === 1 && error === undefined))
  t.is(core.pending, 0)
})

test('finalize waits for those that wait', (t) => {
  const { world, core } = chainClient()
  const seen = Array.from({ length: 2 * clientKeyWritesMax }, () => put(core))
  let ended = false
  core.finalize(() => {
    ended = true
  })
  world.pass(1)
  for (let next = writes(world); next.length > 0; next = writes(world)) {
    t.false(ended)
    for (const write of next) answer(core, write)
    world.pass(1)
  }
  t.true(ended)
  t.true(seen.every(({ error }) => error === undefined))
})
