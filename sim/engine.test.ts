import test from 'ava'
import { mergeOf } from '../shared/data/merge.js'
import { engineConformance } from '../shared/runtime/engine.test-suite.js'
import type { Entry } from '../shared/runtime/ports.js'
import { newStore, type StoredNode } from './disk.js'
import { SimEngine } from './engine.js'
import { World } from './world.js'

let seed = 0

/** An engine on a world of its own, with the means to let that world's time pass. */
function openEngine(store: StoredNode = newStore(), world = new World(++seed)) {
  const engine = new SimEngine({
    merge: mergeOf('latest'),
    store,
    random: world.random('engine'),
    later: (delay, fire) => {
      world.at(delay, fire)
    },
    syncMicrosMax: 1_000,
  })
  const pump = () => {
    while (world.step());
  }
  return { engine, world, pump }
}

engineConformance(test, 'simulated', async () => {
  const store = newStore()
  const { engine, pump, world } = openEngine(store)
  const reopen = async () => {
    engine.close(() => {})
    pump()
    return openEngine(store, world).engine
  }
  return { engine, pump, reopen }
})

function entryOf(key: string, micros: number): Entry {
  const version = { boot: 1, micros, writer: '0000000000000001' }
  return { token: 7, key: Buffer.from(key), record: { version, value: Buffer.from('value') } }
}

function valuesIn(store: StoredNode): string[] {
  return [...store.entries.values()].map(
    ({ key, record }) => `${Buffer.from(key)}@${record.version.micros}`,
  )
}

test('a crash before the sync loses what was written', (t) => {
  const store = newStore()
  const { engine, pump } = openEngine(store)
  engine.apply(entryOf('a', 1), () => t.fail('it was never synced'))
  engine.crash()
  pump()
  t.deepEqual(valuesIn(store), [])
})

test('a crash during the sync leaves all of it, nothing or a part, and acknowledges nothing', (t) => {
  const seen = new Set<string>()
  for (let round = 0; round < 40; round++) {
    const store = newStore()
    const { engine, world, pump } = openEngine(store)
    engine.apply(entryOf('a', 1), () => t.fail('it was never acknowledged'))
    engine.applyBatch([entryOf('b', 2)], { plan: '1' }, () => t.fail('nor was this'))
    world.step()
    engine.crash()
    pump()
    seen.add(`${valuesIn(store)} ${store.meta.get('plan')}`)
  }
  t.deepEqual([...seen].sort(), [' undefined', 'a@1 undefined', 'a@1,b@2 1'])
})

test('what was acknowledged survives the crash', (t) => {
  const store = newStore()
  const { engine, pump } = openEngine(store)
  let acknowledged = 0
  engine.apply(entryOf('a', 1), () => acknowledged++)
  pump()
  engine.apply(entryOf('a', 2), () => acknowledged++)
  engine.crash()
  pump()
  t.is(acknowledged, 1)
  t.deepEqual(valuesIn(store), ['a@1'])
})

test('writes of one turn share a sync', (t) => {
  const { engine, world, pump } = openEngine()
  const before = world.eventsFired
  for (let i = 0; i < 100; i++) engine.apply(entryOf(`k${i}`, 1), () => {})
  pump()
  t.is(world.eventsFired - before, 2)
})

test('a failed disk fails what waits and all that follows', (t) => {
  const { engine, pump } = openEngine()
  const errors: (string | undefined)[] = []
  engine.apply(entryOf('a', 1), (error) => errors.push(error?.message))
  engine.fail(new Error('EIO'))
  engine.apply(entryOf('b', 1), (error) => errors.push(error?.message))
  engine.read(7, Buffer.from('a'), (error) => errors.push(error?.message))
  pump()
  t.deepEqual(errors, ['EIO', 'EIO', 'EIO'])
})

test('a store has one process at a time', (t) => {
  const store = newStore()
  const { engine, pump } = openEngine(store)
  t.throws(() => openEngine(store), { message: /held by another process/ })
  engine.close(() => {})
  pump()
  t.notThrows(() => openEngine(store))
})
