/** Nodes that die and come back: what they missed reaches them, and nobody notices. */
import test from 'ava'
import { openRingFiles } from '../shared/os/ring-files.js'
import { Ring } from '../shared/ring/ring.js'
import { tokenOf } from '../shared/ring/token.js'
import { connect, startSwarm } from './swarm.fixture.js'
import { until } from './until.js'
import { VerifiedLoad } from './verified-load.js'

const nothingWrong = { failed: 0, wrong: 0, missing: 0, examples: [] }

test.serial('for each operation: crash a node, operate, bring it back, check', async (t) => {
  t.timeout(120_000)
  const swarm = await startSwarm(t, { nodes: 5, durability: 'sync' })
  const client = await connect(t, swarm)
  for (let i = 0; i < 20; i++) await client.put(`key${i}`, 'before')
  const operations = {
    insert: () => client.put('fresh', 'inserted'),
    query: () => client.get('key1'),
    update: () => client.put('key2', 'updated'),
    delete: () => client.delete('key3'),
  }
  const { nodes } = await swarm.status()
  for (const [index, operate] of Object.values(operations).entries()) {
    const id = nodes[index]?.id as string
    await swarm.signal(id, 'SIGKILL')
    await t.notThrowsAsync(operate)
    swarm.spawnNode(id)
    await swarm.settled(5)
  }
  t.is((await client.get('fresh'))?.value, 'inserted')
  t.is((await client.get('key1'))?.value, 'before')
  t.is((await client.get('key2'))?.value, 'updated')
  t.is(await client.get('key3'), undefined)
})

test.serial(
  'concurrent operations while nodes crash and come back, one after another',
  async (t) => {
    t.timeout(180_000)
    const swarm = await startSwarm(t, { nodes: 5, durability: 'sync' })
    const writer = await connect(t, swarm)
    const reader = await connect(t, swarm)
    const load = new VerifiedLoad({ writer, reader, keys: 2_000, inFlight: 8, restMs: 5 })
    t.teardown(() => load.stop())
    await load.preload()
    load.start()
    for (const { id } of (await swarm.status()).nodes) {
      await swarm.signal(id, 'SIGKILL')
      swarm.spawnNode(id)
      await swarm.settled(5)
    }
    await load.stop()
    await load.verify()
    const { operations, failed, wrong, missing, examples } = load.verdict
    t.log(`${operations} operations`)
    t.deepEqual({ failed, wrong, missing, examples }, nothingWrong)
  },
)

test.serial('a write during an outage reaches its owner by a hint', async (t) => {
  t.timeout(120_000)
  const swarm = await startSwarm(t, { nodes: 5, durability: 'sync' })
  const client = await connect(t, swarm)
  const newest = openRingFiles(swarm.run).newest()
  if (newest === undefined) throw new Error('no ring is published')
  const { owners } = new Ring(newest).arcOf(tokenOf(Buffer.from('missed')))
  const owner = owners[2] as string
  await client.put('missed', 'old')
  await swarm.signal(owner, 'SIGKILL')
  await client.put('missed', 'new')
  const hinted = async () => {
    const { nodes } = await swarm.status()
    return nodes.reduce((sum, { hints }) => sum + (hints?.keys ?? 0), 0)
  }
  await until('the hint', 10_000, async () => (await hinted()) === 1)
  swarm.spawnNode(owner)
  await swarm.settled(5)
  await until('the hint to arrive', 20_000, async () => (await hinted()) === 0)
  t.is((await swarm.contents(owner)).get('missed'), 'new')
})
