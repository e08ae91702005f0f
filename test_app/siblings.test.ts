/**
 * Mode `siblings` on real processes: what was written concurrently is kept side by side, and goes only by
 * a write that saw it, whoever of the owners is dead, stopped or started again meanwhile.
 */
import { setTimeout as pause } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Client } from '../client/index.js'
import { verify } from '../client/verify.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { Ring } from '../shared/ring/ring.js'
import { tokenOf } from '../shared/ring/token.js'
import { RecordedLoad } from './recorded-load.js'
import { connect, startSwarm } from './swarm.fixture.js'
import type { Swarm, SwarmSetup } from './swarm.js'
import { until } from './until.js'

const waitMs = 60_000

function startSiblings(t: ExecutionContext, setup: Omit<SwarmSetup, 'mode'>): Promise<Swarm> {
  return startSwarm(t, { ...setup, mode: 'siblings' })
}

async function read(client: Client, key: string) {
  const { values = [], context = '' } = (await client.get(key)) ?? {}
  return { values, context }
}

function ownersOf(swarm: Swarm, key: string): readonly string[] {
  const newest = openRingFiles(swarm.run).newest()
  if (newest === undefined) throw new Error('no ring is published')
  return new Ring(newest).arcOf(tokenOf(Buffer.from(key))).owners
}

/** All owners hold the same, in the end. */
async function verified(t: ExecutionContext, swarm: Swarm): Promise<void> {
  const source = await swarm.admin()
  const report = await until('equal copies', waitMs, async () => {
    const seen = await verify({ source, pause })
    if (seen?.clean) return seen
    throw new Error(JSON.stringify(seen))
  })
  t.true(report.clean)
}

test.serial(
  'two who write at once leave two siblings; who saw both puts one in their place',
  async (t) => {
    t.timeout(90_000)
    const swarm = await startSiblings(t, { nodes: 4 })
    const [alice, bob] = [await connect(t, swarm), await connect(t, swarm)]
    await alice.put('cart', 'bread')
    const seen = await read(alice, 'cart')
    t.deepEqual((await read(bob, 'cart')).values, ['bread'])
    await Promise.all([
      alice.put('cart', 'bread, milk', { context: seen.context }),
      bob.put('cart', 'bread, eggs', { context: seen.context }),
    ])
    const both = await read(alice, 'cart')
    t.deepEqual([...both.values].sort(), ['bread, eggs', 'bread, milk'])
    await bob.put('cart', 'a late one', { context: seen.context })
    await alice.put('cart', 'bread, milk, eggs', { context: both.context })
    t.deepEqual((await read(bob, 'cart')).values, ['a late one', 'bread, milk, eggs'])
    const all = await read(bob, 'cart')
    t.deepEqual(await bob.delete('cart', { context: both.context }), { existed: true })
    t.deepEqual((await read(alice, 'cart')).values, all.values, 'it had seen neither')
    t.deepEqual(await bob.delete('cart', { context: all.context }), { existed: true })
    t.is(await alice.get('cart'), undefined)
    await verified(t, swarm)
  },
)

test.serial(
  'as many siblings as writers, however often they write with what they saw',
  async (t) => {
    t.timeout(90_000)
    const swarm = await startSiblings(t, { nodes: 4 })
    const writers = await Promise.all(Array.from({ length: 4 }, () => connect(t, swarm)))
    let most = 0
    await Promise.all(
      writers.map(async (client, writer) => {
        for (let round = 1; round <= 100; round++) {
          const { values, context } = await read(client, 'key')
          most = Math.max(most, values.length)
          const option = values.length === 0 ? {} : { context }
          await client.put('key', `${writer}:${round}`, option)
        }
      }),
    )
    t.true(most > 1 && most <= writers.length, `${most} siblings of ${writers.length} writers`)
    t.log(`at most ${most} siblings in 400 writes`)
    await verified(t, swarm)
  },
)

test.serial(
  'an owner that was dead meanwhile takes up the siblings, and none that is gone',
  async (t) => {
    t.timeout(120_000)
    const swarm = await startSiblings(t, { nodes: 4, durability: 'sync' })
    const client = await connect(t, swarm)
    await client.put('key', 'first')
    const before = await read(client, 'key')
    const dead = ownersOf(swarm, 'key')[2] as string
    await swarm.signal(dead, 'SIGKILL')
    await client.put('key', 'second', { context: before.context })
    await client.put('key', 'third', { context: before.context })
    t.deepEqual((await read(client, 'key')).values, ['second', 'third'])
    swarm.spawnNode(dead)
    await swarm.settled(4)
    await verified(t, swarm)
    const other = ownersOf(swarm, 'key')[0] as string
    await swarm.signal(other, 'SIGKILL')
    const late = await read(client, 'key')
    t.deepEqual(late.values, ['second', 'third'])
    await client.put('key', 'merged', { context: late.context })
    t.deepEqual((await read(client, 'key')).values, ['merged'])
  },
)

test.serial('siblings and contexts survive kill -9 of every process', async (t) => {
  t.timeout(120_000)
  const swarm = await startSiblings(t, { nodes: 4, durability: 'sync' })
  const client = await connect(t, swarm)
  const ids = (await swarm.status()).nodes.map(({ id }) => id)
  for (const value of ['one', 'two']) await client.put('key', value)
  const { context } = await read(client, 'key')
  await client.put('key', 'three')
  await swarm.killAll()
  await swarm.up(ids)
  t.deepEqual((await read(client, 'key')).values, ['one', 'two', 'three'])
  await client.put('key', 'four', { context })
  t.deepEqual((await read(client, 'key')).values, ['three', 'four'])
  await verified(t, swarm)
})

test.serial(
  'kills, pauses and changes under load: only what was seen is ever superseded',
  async (t) => {
    t.timeout(240_000)
    const swarm = await startSiblings(t, { nodes: 5, durability: 'write' })
    const clients = [await connect(t, swarm), await connect(t, swarm), await connect(t, swarm)]
    const keys = Array.from({ length: 6 }, (_, index) => `k${index}`)
    const load = new RecordedLoad({ clients, keys, inFlight: 3 })
    t.teardown(() => load.stop())
    load.start()
    const more = async () => {
      const before = load.answered()
      await until('answers', waitMs, async () => load.answered() > before + 300)
    }
    await more()
    const [first, second, third] = ownersOf(swarm, 'k0') as [string, string, string]
    await swarm.signal(first, 'SIGKILL')
    await more()
    swarm.spawnNode(first)
    await swarm.signal(second, 'SIGSTOP')
    await more()
    await swarm.signal(second, 'SIGCONT')
    await swarm.settled(5)
    await swarm.addNode()
    await swarm.leave(third)
    await swarm.settled(5)
    await more()
    await load.stop()
    // Nobody sends a write again that may have happened; everything else succeeds.
    const surprising = load.failures.filter((text) => !/ (put|delete) k\d: indefinite /.test(text))
    t.deepEqual(surprising, [])
    t.deepEqual(load.judge(), [])
    t.true(load.several > 0)
    t.log(`${load.answered()} calls answered, ${load.several} gets of several siblings`)
    t.log(`${load.failures.length} writes of unknown outcome`)
    await verified(t, swarm)
  },
)
