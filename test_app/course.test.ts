/** The runs of the courses from which GTStore grew, on real processes. */
import test from 'ava'
import { connect, differing, each, startSwarm } from './swarm.fixture.js'

for (const { title, nodes, replicas } of [
  { title: 'a single node', nodes: 1, replicas: 1 },
  { title: 'five nodes with three copies', nodes: 5, replicas: 3 },
]) {
  test.serial(`${title}: put, get, overwrite, more keys, get all`, async (t) => {
    t.timeout(60_000)
    const swarm = await startSwarm(t, { nodes, replicas })
    const client = await connect(t, swarm)
    await client.put('key1', 'value1')
    t.is((await client.get('key1'))?.value, 'value1')
    await client.put('key1', 'value2')
    await client.put('key2', 'value2')
    await client.put('key3', 'value3')
    const values = await Promise.all(['key1', 'key2', 'key3'].map((key) => client.get(key)))
    t.deepEqual(
      values.map((found) => found?.value),
      ['value2', 'value2', 'value3'],
    )
  })
}

test.serial(
  'five nodes with three copies: keys spread, and every key has exactly three owners',
  async (t) => {
    t.timeout(60_000)
    const swarm = await startSwarm(t, { nodes: 5, replicas: 3, readQuorum: 1, writeQuorum: 3 })
    const client = await connect(t, swarm)
    await each(200, async (index) => {
      await client.put(`key${index}`, `value${index}`)
    })
    const copies = new Map<string, number>()
    for (const { id } of (await swarm.status()).nodes) {
      const stored = await swarm.contents(id)
      t.true(stored.size > 0 && stored.size < 200, `${id} stores ${stored.size} of 200 keys`)
      for (const key of stored.keys()) copies.set(key, (copies.get(key) ?? 0) + 1)
    }
    t.is(copies.size, 200)
    t.deepEqual([...new Set(copies.values())], [3])
  },
)

test.serial('balance: 100,000 keys on seven nodes', async (t) => {
  t.timeout(120_000)
  const keys = 100_000
  const swarm = await startSwarm(t, { nodes: 7, replicas: 1 })
  const client = await connect(t, swarm)
  await each(keys, async (index) => {
    await client.put(`user${index}`, String(index))
  })
  const { nodes } = await swarm.status()
  const counts = nodes.map((node) => node.keys ?? 0)
  t.is(
    counts.reduce((sum, count) => sum + count),
    keys,
  )
  const mean = keys / nodes.length
  const ratio = mean / Math.max(...counts)
  const histogram = nodes.map((node) => `${node.id} ${node.keys}`).join(', ')
  t.log(`mean/max ${ratio.toFixed(3)}: ${histogram}`)
  // No node above 1.3 times the mean share of the ring; hashing scatters the keys a little more.
  t.true(ratio >= 1 / 1.35, `mean/max ${ratio}`)
})

test.serial('put, update, get, delete, a key never set, and a call after the end', async (t) => {
  t.timeout(60_000)
  const swarm = await startSwarm(t, { nodes: 3 })
  const client = await connect(t, swarm)
  t.is(await client.get('never set'), undefined)
  await client.put('key', 'first')
  await client.put('key', 'updated')
  t.is((await client.get('key'))?.value, 'updated')
  t.deepEqual(await client.delete('key'), { existed: true })
  t.is(await client.get('key'), undefined)
  t.deepEqual(await client.delete('key'), { existed: false })
  await client.put('key', 'again')
  t.is((await client.get('key'))?.value, 'again')
  await client.finalize()
  const refused = await t.throwsAsync(client.put('key', 'too late'))
  t.like(refused, { code: 'CLOSED', definite: true })
})

test.serial('5,000 requests of two clients, all answered as expected', async (t) => {
  t.timeout(60_000)
  const swarm = await startSwarm(t, { nodes: 4 })
  const writer = await connect(t, swarm)
  const reader = await connect(t, swarm)
  await each(2_500, async (index) => {
    await writer.put(`key${index % 500}/${index}`, `value${index}`)
  })
  const wrong = await differing(
    reader,
    2_500,
    (index) => `key${index % 500}/${index}`,
    (index) => `value${index}`,
  )
  t.deepEqual(wrong, [])
})
