/** What was acknowledged survives the end of every process, gentle or not; clients survive it too. */
import { mkdirSync, rmSync } from 'node:fs'
import test from 'ava'
import { connect, differing, each, startSwarm } from './swarm.fixture.js'

const keys = 1_000

for (const durability of ['sync', 'write'] as const) {
  test.serial(
    `kill -9 of every process at once loses no acknowledged write (${durability})`,
    async (t) => {
      t.timeout(90_000)
      const swarm = await startSwarm(t, { nodes: 4, durability })
      const client = await connect(t, swarm, { timeoutMs: 500 })
      const { nodes } = await swarm.status()
      const acknowledged = new Map<number, string>()
      let next = 0
      const traffic = each(keys, async (index) => {
        const value = `value${next++}`
        await client.put(keyOf(index), value)
        acknowledged.set(index, value)
        if (acknowledged.size === keys / 2) await swarm.killAll()
      })
      await t.throwsAsync(traffic)
      t.true(acknowledged.size >= keys / 2 && acknowledged.size < keys)
      await swarm.up(nodes.map(({ id }) => id))
      const reader = await connect(t, swarm)
      const lost: string[] = []
      for (const [index, value] of acknowledged) {
        const found = await reader.get(keyOf(index))
        if (found?.value !== value)
          lost.push(`${keyOf(index)}: ${found?.value} instead of ${value}`)
      }
      t.deepEqual(lost, [])
    },
  )
}

test.serial('down and up keep all data, and an open client works on', async (t) => {
  t.timeout(90_000)
  const swarm = await startSwarm(t, { nodes: 4, durability: 'write' })
  const client = await connect(t, swarm)
  await each(keys, async (index) => {
    await client.put(keyOf(index), `value${index}`)
  })
  await client.delete(keyOf(0))
  const before = await swarm.status()
  await swarm.down()
  t.deepEqual(swarm.pids, [])
  const early = client.get(keyOf(1))
  await swarm.up(before.nodes.map(({ id }) => id))
  t.is((await early)?.value, 'value1', 'a call made while the swarm was down waited for it')
  const expected = (index: number) => (index === 0 ? undefined : `value${index}`)
  t.deepEqual(await differing(client, keys, keyOf, expected), [])
  const after = await swarm.status()
  t.true(after.epoch > before.epoch)
  t.deepEqual(
    after.nodes.map(({ id, vnodes }) => ({ id, vnodes })),
    before.nodes.map(({ id, vnodes }) => ({ id, vnodes })),
  )
})

test.serial(
  'another swarm in the same directories is not the one a client was begun with',
  async (t) => {
    t.timeout(90_000)
    const nodes = 3
    const swarm = await startSwarm(t, { nodes })
    const [used, idle] = [await connect(t, swarm), await connect(t, swarm)]
    await used.put('key', 'value')
    await swarm.down()
    rmSync(swarm.data, { recursive: true })
    mkdirSync(swarm.data, { mode: 0o700 })
    await swarm.startManager()
    for (let node = 0; node < nodes; node++) swarm.spawnNode()
    await swarm.settled(nodes)
    const refused = { code: 'VERSION_MISMATCH', message: /init another client/ }
    for (const client of [used, idle]) {
      await t.throwsAsync(client.put('key', 'late'), refused)
      await t.throwsAsync(client.get('key'), refused)
    }
    const other = await connect(t, swarm)
    t.is(await other.get('key'), undefined)
  },
)

test.serial('a client outlives the replacement of every node that it knew', async (t) => {
  t.timeout(90_000)
  const swarm = await startSwarm(t, { nodes: 3 })
  const client = await connect(t, swarm)
  await client.put('key', 'value')
  const old = (await swarm.status()).nodes.map(({ id }) => id)
  for (const id of old) {
    await swarm.addNode()
    await swarm.leave(id)
    t.is((await client.get('key'))?.value, 'value')
  }
  await client.put('key', 'after')
  t.is((await client.get('key'))?.value, 'after')
  t.false((await swarm.status()).nodes.some(({ id }) => old.includes(id)))
})

function keyOf(index: number): string {
  return `key${index}`
}
