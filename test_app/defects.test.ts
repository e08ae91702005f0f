/** Defects of the original implementation, held as tests against them. */
import test from 'ava'
import { connect, differing, each, startSwarm } from './swarm.fixture.js'
import { until } from './until.js'

test.serial('of two puts within one second the second wins', async (t) => {
  t.timeout(60_000)
  const swarm = await startSwarm(t, { nodes: 3 })
  const [one, other] = [await connect(t, swarm), await connect(t, swarm)]
  for (let round = 0; round < 100; round++) {
    await one.put('key', `first ${round}`)
    await other.put('key', `second ${round}`)
    t.is((await one.get('key'))?.value, `second ${round}`)
  }
})

test("a get returns the newest of what R owners hold, not its coordinator's own", async (t) => {
  t.timeout(60_000)
  const swarm = await startSwarm(t, { nodes: 3, durability: 'write' })
  const client = await connect(t, swarm)
  const keys = 50
  await each(keys, async (index) => {
    await client.put(`key${index}`, 'old')
  })
  const [absent] = (await swarm.status()).nodes
  if (absent === undefined) return t.fail()
  await swarm.signal(absent.id, 'SIGKILL')
  await each(keys, async (index) => {
    await client.put(`key${index}`, 'new')
  })
  swarm.spawnNode(absent.id)
  await swarm.settled(3)
  const stale = [...(await swarm.contents(absent.id)).values()].filter((value) => value === 'old')
  t.true(stale.length > 0, 'the returned node missed no write: the test shows nothing')
  for (const { id } of (await swarm.status()).nodes) {
    const reader = await connect(t, swarm, { via: id })
    t.deepEqual(await differing(reader, keys, keyOf, () => 'new'), [])
  }
})

test.serial('a donor erases nothing before the receiver has it', async (t) => {
  t.timeout(90_000)
  const swarm = await startSwarm(t, { nodes: 3, replicas: 1 })
  const client = await connect(t, swarm, { valueEncoding: 'utf8' })
  const keys = 3_000
  const value = (index: number): string => `${index} `.repeat(200)
  await each(keys, async (index) => {
    await client.put(keyOf(index), value(index))
  })
  const donors = (await swarm.status()).nodes.map((node) => node.id)
  const joiner = swarm.spawnNode()
  await until('the change', 20_000, async () => (await swarm.status()).state === 'changing')
  joiner.kill('SIGSTOP')
  const isCopying = (await swarm.status()).state === 'changing'
  const held = await Promise.all(donors.map((id) => swarm.contents(id)))
  joiner.kill('SIGCONT')
  t.log(isCopying ? 'the receiver was stopped while it copied' : 'the change was over already')
  if (isCopying) t.is(new Set(held.flatMap((stored) => [...stored.keys()])).size, keys)
  const { nodes } = await swarm.settled(4)
  const stored = await Promise.all(nodes.map(({ id }) => swarm.contents(id)))
  t.is(
    stored.reduce((sum, { size }) => sum + size, 0),
    keys,
    'with one copy a key, the donors erased what they gave away',
  )
  t.deepEqual(await differing(client, keys, keyOf, value), [])
})

test.serial(
  'what was overwritten during a transfer is not overwritten by the transfer',
  async (t) => {
    t.timeout(90_000)
    const swarm = await startSwarm(t, { nodes: 4 })
    const client = await connect(t, swarm)
    const keys = 4_000
    await each(keys, async (index) => {
      await client.put(keyOf(index), 'old')
    })
    const joined = swarm.addNode()
    await each(keys, async (index) => {
      await client.put(keyOf(index), 'new')
    })
    await joined
    const owners = await Promise.all(
      (await swarm.status()).nodes.map(({ id }) => swarm.contents(id)),
    )
    t.deepEqual(await differing(client, keys, keyOf, () => 'new'), [])
    const copies = owners.flatMap((stored) => [...stored.values()])
    t.true(
      copies.length >= 2 * keys && copies.filter((value) => value === 'new').length >= 2 * keys,
    )
  },
)

test.serial('five joins and three leaves asked for at once all complete', async (t) => {
  t.timeout(120_000)
  const swarm = await startSwarm(t, { nodes: 4 })
  const client = await connect(t, swarm)
  const keys = 1_000
  await each(keys, async (index) => {
    await client.put(keyOf(index), `value${index}`)
  })
  const [one, two, three] = (await swarm.status()).nodes.map((node) => node.id)
  for (let joiner = 0; joiner < 5; joiner++) swarm.spawnNode()
  await Promise.all([one, two, three].map((leaver) => swarm.leave(leaver ?? '')))
  const { nodes } = await swarm.settled(6)
  t.false(nodes.some(({ id }) => id === one || id === two || id === three))
  t.deepEqual(await differing(client, keys, keyOf, (index) => `value${index}`), [])
})

test.serial('a peer that cannot be reached ends nobody else', async (t) => {
  t.timeout(60_000)
  const swarm = await startSwarm(t, { nodes: 4 })
  const client = await connect(t, swarm)
  const before = swarm.pids.length
  const [killed] = (await swarm.status()).nodes
  await swarm.signal(killed?.id ?? '', 'SIGKILL')
  await each(500, async (index) => {
    await client.put(keyOf(index), `value${index}`)
  })
  t.deepEqual(await differing(client, 500, keyOf, (index) => `value${index}`), [])
  t.is(swarm.pids.length, before - 1)
})

function keyOf(index: number): string {
  return `key${index}`
}
