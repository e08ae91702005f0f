/** Nodes that die and stay dead: what goes on at once, what waits, and what is restored. */
import test from 'ava'
import type { Client } from '../client/index.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { Ring } from '../shared/ring/ring.js'
import { tokenOf } from '../shared/ring/token.js'
import { connect, each, startSwarm } from './swarm.fixture.js'
import type { Swarm } from './swarm.js'
import { until } from './until.js'

function ringOf(swarm: Swarm): Ring {
  const newest = openRingFiles(swarm.run).newest()
  if (newest === undefined) throw new Error('no ring is published')
  return new Ring(newest)
}

function ownersOf(swarm: Swarm, key: string): readonly string[] {
  return ringOf(swarm).arcOf(tokenOf(Buffer.from(key))).owners
}

/** How many nodes store each key. */
async function copies(swarm: Swarm): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const { id } of (await swarm.status()).nodes) {
    for (const key of (await swarm.contents(id)).keys()) {
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }
  return counts
}

async function read(client: Client, key: string): Promise<string | undefined> {
  return (await client.get(key))?.value
}

/** Reads until there is an answer: the quorum may wait for an eviction. */
function readInTheEnd(client: Client, key: string): Promise<string | undefined> {
  return until(`an answer for ${key}`, 60_000, async () => [await read(client, key)]).then(
    ([value]) => value,
  )
}

test.serial('two copies of three nodes: a dead server loses no key and no version', async (t) => {
  t.timeout(120_000)
  const setup = { nodes: 3, replicas: 2, readQuorum: 1, writeQuorum: 2, evictAfterMs: 1_500 }
  const swarm = await startSwarm(t, setup)
  const client = await connect(t, swarm)
  await client.put('key1', 'old')
  await client.put('key1', 'new')
  const expected = new Map([['key1', 'new']])
  const counts = new Map<string, number>()
  for (let i = 2; Math.max(0, ...counts.values()) < 3; i++) {
    const key = `key${i}`
    await client.put(key, `value${i}`)
    expected.set(key, `value${i}`)
    const [primary] = ownersOf(swarm, key)
    counts.set(primary as string, (counts.get(primary as string) ?? 0) + 1)
  }
  const [victim] = [...counts].find(([, count]) => count === 3) as [string, number]
  await swarm.signal(victim, 'SIGKILL')
  for (const [key, value] of expected) t.is(await readInTheEnd(client, key), value)
  await swarm.settled(2)
  for (const [key, value] of expected) t.is(await read(client, key), value)
  t.deepEqual([...new Set((await copies(swarm)).values())], [2])
})

test.serial(
  'three of seven killed one after another: copies and shares are restored',
  async (t) => {
    t.timeout(180_000)
    const swarm = await startSwarm(t, { nodes: 7, evictAfterMs: 1_500 })
    const client = await connect(t, swarm)
    const keys = 600
    await each(keys, async (index) => {
      await client.put(`key${index}`, `value${index}`)
    })
    for (let left = 6; left >= 4; left--) {
      const [victim] = (await swarm.status()).nodes
      await swarm.signal(victim?.id as string, 'SIGKILL')
      const { nodes } = await swarm.settled(left)
      const restored = await copies(swarm)
      t.is(restored.size, keys)
      t.deepEqual([...new Set(restored.values())], [3])
      const shares = nodes.map(({ ownership }) => ownership * left)
      t.true(Math.max(...shares) < 1.5, `shares of the mean: ${shares}`)
    }
    await each(keys, async (index) => {
      t.is(await read(client, `key${index}`), `value${index}`)
    })
  },
)
