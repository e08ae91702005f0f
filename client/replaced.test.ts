/** Another swarm takes the place of the one that a client was begun with, in the same directories. */
import test from 'ava'
import type { Version } from '../shared/data/version.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { managerAnswerMs } from '../shared/runtime/limits.js'
import type { GetResult } from './core.js'
import { fakeSwarm } from './fake-swarm.fixture.js'
import { init } from './index.js'
import {
  answer,
  bytes,
  client,
  grant,
  outcome,
  registeredClient,
  ringOf,
  type World,
} from './scripted.fixture.js'

const key = bytes('key')
const value = bytes('value')
const refused = { code: 'VERSION_MISMATCH', definite: true } as const

/** What a call that is made now ends with, having sent nothing. */
function refusalOf(world: World, core: ReturnType<typeof client>['core']) {
  const [done, seen] = outcome<GetResult>()
  core.get(key, {}, done)
  world.pass(0)
  return seen.error
}

test('the manager says another mode: what is pending fails, and every later call', (t) => {
  const { world, core } = registeredClient(['n1.1'], {}, 'chain')
  const [done, seen] = outcome<GetResult>()
  core.get(key, {}, done)
  core.closed('n1.1')
  world.pass(300)
  grant(world, core, ['n1.2'], { mode: 'siblings' })
  t.like(seen, { settled: 1, error: refused })
  t.regex(seen.error?.message ?? '', /mode siblings .* mode chain .* init another client/)
  t.like(refusalOf(world, core), refused)
  t.is(core.mode, 'chain', 'it stays what it was')
  t.deepEqual(world.take(), [])
})

test('the ring file names another swarm of the same mode', (t) => {
  const { world, core } = client()
  world.ring = ringOf([1], 1)
  core.register(5_000, () => {})
  grant(world, core, ['n1.1'])
  core.closed('n1.1')
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  world.ring = { ...ringOf([1], 1), swarm: 'another' }
  world.pass(managerAnswerMs)
  grant(world, core, ['n1.1'])
  t.like(seen, { settled: 1, error: refused })
  t.like(refusalOf(world, core), refused)
  t.deepEqual(world.take(), [])
})

test('a node says that it is of another swarm: only what was sent before may have happened', (t) => {
  const { world, core } = registeredClient(['n1.1', 'n2.1'])
  t.true(core.isOurs('swarm'))
  const [sentDone, sent] = outcome<Version>()
  core.put(key, value, {}, sentDone)
  core.opened('n1.1')
  core.closed('n1.1')
  const [laterDone, later] = outcome<Version>()
  core.put(key, value, {}, laterDone)
  world.pass(1)
  t.deepEqual(
    world.take().map(({ to }) => to),
    ['n1.1', 'n2.1', 'n2.1'],
  )
  t.true(core.isOurs(''), 'who does not say it is believed')
  t.false(core.isOurs('another'))
  t.like(sent, { settled: 1, error: { code: 'VERSION_MISMATCH', definite: false } })
  t.like(later, { settled: 1, error: refused }, 'it waited for the greeting')
  core.closed('n2.1')
  t.like(refusalOf(world, core), refused)
  world.pass(1_000)
  t.deepEqual(world.take(), [])
})

test('the same swarm again is no other', (t) => {
  const { world, core } = client()
  world.ring = ringOf([1], 1)
  core.register(5_000, () => {})
  grant(world, core, ['n1.1'])
  t.true(core.isOurs('swarm'))
  core.closed('n1.1')
  const [done, seen] = outcome<Version>()
  core.put(key, value, {}, done)
  world.pass(managerAnswerMs)
  grant(world, core, ['n1.2'])
  t.true(core.isOurs('swarm'))
  answer(core, world.takeOne())
  t.like(seen, { settled: 1, error: undefined })
})

test('finalize ends a client whose swarm was replaced', (t) => {
  const { core, world } = registeredClient(['n1.1'])
  core.isOurs('swarm')
  core.isOurs('another')
  let ended = false
  core.finalize(() => {
    ended = true
  })
  world.pass(0)
  t.true(ended)
})

test('on sockets: nothing reaches the new swarm, whose nodes are called alike', async (t) => {
  const swarm = await fakeSwarm(t, [])
  const begin = async (name: string) => {
    swarm.swarm = name
    for (const address of ['n1.1', 'n2.1']) await swarm.start(address)
    swarm.nodes = ['n1.1', 'n2.1']
  }
  await begin('first')
  openRingFiles(swarm.run).publish({ ...ringOf([1, 2], 1), swarm: 'first' })
  const busy = await init({ dir: swarm.run })
  const idle = await init({ dir: swarm.run })
  t.teardown(() => Promise.all([busy.finalize(), idle.finalize()]))
  await busy.put('k', 'old')
  for (const { address } of [...swarm.processes]) await swarm.stop(address)
  await begin('second')
  swarm.mode = 'siblings'
  const seen: string[] = []
  swarm.handler = (_from, message) => {
    seen.push(message.kind)
    return true
  }
  for (const store of [busy, idle]) {
    t.like(await t.throwsAsync(store.get('k')), refused)
    t.like(await t.throwsAsync(store.put('k', 'new')), refused)
  }
  t.deepEqual(seen, [])
})
