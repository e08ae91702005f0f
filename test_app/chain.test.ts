/**
 * Mode `chain` on real processes: whoever dies, hangs, comes or goes, wherever it stands in a key's chain,
 * no call fails within its deadline, no answer is wrong, and in the end every chain is whole again.
 */
import test from 'ava'
import { type Client, GTStoreError } from '../client/index.js'
import { scan } from '../client/scan.js'
import {
  allIsWell,
  chainOf,
  memberAt,
  moreOf,
  places,
  startChains,
  startTraffic,
  verifiedClean,
  waitMs,
  whole,
} from './chains.fixture.js'
import { RecordedLoad } from './recorded-load.js'
import { connect, differing, each } from './swarm.fixture.js'
import type { Swarm } from './swarm.js'
import { until } from './until.js'

test.serial('kill -9 of head, middle and tail of a key under load, and their return', async (t) => {
  t.timeout(180_000)
  const swarm = await startChains(t, { nodes: 5, durability: 'write' })
  const load = await startTraffic(t, swarm)
  for (const place of places) {
    const id = memberAt(swarm, 'k0', place)
    await swarm.signal(id, 'SIGKILL')
    await moreOf(load, 'k0')
    swarm.spawnNode(id)
    await whole(swarm, 5)
    await moreOf(load, 'k0')
  }
  await allIsWell(t, swarm, load)
})

for (const place of places) {
  test(`SIGSTOP of the ${place} of a key under load, until it is dropped`, async (t) => {
    t.timeout(180_000)
    const swarm = await startChains(t, { nodes: 4, durability: 'write' })
    const load = await startTraffic(t, swarm)
    const id = memberAt(swarm, 'k0', place)
    await swarm.signal(id, 'SIGSTOP')
    await until('the drop', waitMs, async () => !chainOf(swarm, 'k0').members.includes(id))
    await moreOf(load, 'k0')
    await swarm.signal(id, 'SIGCONT')
    await whole(swarm, 4)
    t.is(chainOf(swarm, 'k0').members.at(-1), id, 'it stands at the end now')
    await moreOf(load, 'k0')
    await allIsWell(t, swarm, load)
  })
}

test.serial('a join, a leave and a replacement under load', async (t) => {
  t.timeout(180_000)
  const swarm = await startChains(t, { nodes: 4, durability: 'write' })
  const load = await startTraffic(t, swarm)
  await swarm.addNode()
  await moreOf(load, 'k0')
  await swarm.leave(memberAt(swarm, 'k0', 'head'))
  await swarm.settled(4)
  await moreOf(load, 'k0')
  swarm.spawnNode()
  await swarm.leave(memberAt(swarm, 'k0', 'tail'))
  await whole(swarm, 4)
  await moreOf(load, 'k0')
  await allIsWell(t, swarm, load)
})

test.serial(
  'the manager is killed as a join copies, and as its last member takes over',
  async (t) => {
    t.timeout(240_000)
    const swarm = await startChains(t, { nodes: 3, durability: 'write' })
    const load = await startTraffic(t, swarm)
    for (const [nodes, rings] of [
      [4, 1],
      [5, 2],
    ] as const) {
      const { epoch } = await swarm.status()
      swarm.spawnNode()
      await until('the ring', waitMs, async () => (await swarm.status()).epoch >= epoch + rings)
      await swarm.killManager()
      await moreOf(load, 'k0')
      await swarm.startManager()
      await whole(swarm, nodes)
    }
    await allIsWell(t, swarm, load)
  },
)

test.serial(
  'without a manager all goes on; who waits for a dead member is answered later',
  async (t) => {
    t.timeout(180_000)
    const swarm = await startChains(t, { nodes: 4, durability: 'write' })
    const load = await startTraffic(t, swarm)
    await swarm.killManager()
    await moreOf(load, 'k0')
    const client = await connect(t, swarm)
    await client.put('from a new client', 'value', { ifAbsent: true })
    const dead = memberAt(swarm, 'k0', 'tail')
    const { pid } = await swarm.node(dead)
    swarm.childOf(pid).kill('SIGKILL')
    await t.throwsAsync(client.get('k0', { timeoutMs: 300 }), { instanceOf: GTStoreError })
    await swarm.startManager()
    await moreOf(load, 'k0')
    swarm.spawnNode(dead)
    await whole(swarm, 4)
    await allIsWell(t, swarm, load)
  },
)

/** One writer a key, each write on the condition that the one before is still there. */
class Counters {
  readonly acknowledged: number[]
  readonly problems: string[] = []
  inFlight = 0
  #isOver = false
  readonly #client: Client
  #workers: Promise<unknown> = Promise.resolve()

  constructor(client: Client, count: number) {
    this.#client = client
    this.acknowledged = Array.from({ length: count }, () => 0)
  }

  start(): void {
    this.#workers = Promise.all(this.acknowledged.map((_, index) => this.#count(index)))
  }

  get total(): number {
    return this.acknowledged.reduce((sum, count) => sum + count, 0)
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#workers
  }

  async #count(index: number): Promise<void> {
    let before: string | undefined
    while (!this.#isOver) {
      const count = (this.acknowledged[index] ?? 0) + 1
      const condition = before === undefined ? { ifAbsent: true } : { ifVersion: before }
      this.inFlight++
      try {
        const { version } = await this.#client.put(`counter${index}`, `${count}`, condition)
        before = version
        this.acknowledged[index] = count
      } catch (error) {
        this.problems.push(`counter${index}=${count}: ${error}`)
        return
      } finally {
        this.inFlight--
      }
    }
  }
}

test.serial(
  'the reply is lost with forwarder or head: one effect, and the first result',
  async (t) => {
    t.timeout(240_000)
    const swarm = await startChains(t, { nodes: 5, durability: 'write' })
    const head = memberAt(swarm, 'counter0', 'head')
    const { nodes } = await swarm.status()
    const outside = nodes
      .map(({ id }) => id)
      .find((id) => !chainOf(swarm, 'counter0').members.includes(id))
    const forwarder = outside as string
    const counters = new Counters(await connect(t, swarm, { via: forwarder }), 32)
    counters.start()
    t.teardown(() => counters.stop())
    const more = async () => {
      const { total } = counters
      await until(
        'writes',
        waitMs,
        async () => counters.problems.length > 0 || counters.total > total + 500,
      )
    }
    await more()
    for (const [id, signal] of [
      [forwarder, 'SIGKILL'],
      [head, 'SIGKILL'],
      [memberAt(swarm, 'counter1', 'head'), 'SIGSTOP'],
    ] as const) {
      t.true(counters.inFlight > 0)
      await swarm.signal(id, signal)
      await more()
      if (signal === 'SIGSTOP') await swarm.signal(id, 'SIGCONT')
      else swarm.spawnNode(id)
      await whole(swarm, 5)
    }
    await counters.stop()
    t.deepEqual(counters.problems, [])
    const reader = await connect(t, swarm)
    const expected = (index: number) => `${counters.acknowledged[index]}`
    t.deepEqual(await differing(reader, 32, (index) => `counter${index}`, expected), [])
    t.log(`${counters.total} conditional writes, each with one effect`)
    await verifiedClean(t, swarm)
  },
)

test.serial('of clients that count in one key on condition none loses a count', async (t) => {
  t.timeout(120_000)
  const swarm = await startChains(t, { nodes: 4, durability: 'write' })
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(t, swarm)))
  let counted = 0
  let refused = 0
  const count = async (client: Client) => {
    for (let left = 25; left > 0; ) {
      const found = await client.get('count')
      const value = `${Number(found?.value ?? 0) + 1}`
      const condition = found === undefined ? { ifAbsent: true } : { ifVersion: found.version }
      try {
        await client.put('count', value, condition)
        counted++
        left--
      } catch (error) {
        if (!(error instanceof GTStoreError) || error.code !== 'CONDITION_FAILED') throw error
        refused++
      }
    }
  }
  const counting = Promise.all(clients.map(count))
  await until('counts', waitMs, async () => counted > 20)
  const tail = memberAt(swarm, 'count', 'tail')
  await swarm.signal(tail, 'SIGKILL')
  swarm.spawnNode(tail)
  await counting
  t.is((await clients[0]?.get('count'))?.value, '100')
  t.is(counted, 100)
  t.log(`${refused} times another was faster`)
})

/** Keys that a node stores, or all, in order. */
async function keysOf(swarm: Swarm, node?: string): Promise<string[]> {
  const keys: string[] = []
  const source = await swarm.admin()
  for await (const { key } of scan({ source, mode: 'chain', node })) {
    keys.push(Buffer.from(key).toString())
  }
  return keys.sort()
}

test.serial(
  'five nodes: one operation after another, at once, with crashes, one after another',
  async (t) => {
    t.timeout(240_000)
    const swarm = await startChains(t, { nodes: 5, durability: 'sync' })
    const ids = (await swarm.status()).nodes.map(({ id }) => id)
    const clients = await Promise.all(ids.map((id) => connect(t, swarm, { via: id })))
    const [client] = clients as [Client]
    const others = (index: number) => clients[index % clients.length] as Client

    // Insert, query, what each node has, what all have, delete.
    const keys = Array.from({ length: 30 }, (_, index) => `key${index}`).sort()
    for (const [index, key] of keys.entries()) await others(index).create(key, `${key} first`)
    for (const [index, key] of keys.entries()) {
      t.is((await others(index + 1).read(key)).value, `${key} first`)
    }
    t.deepEqual(await keysOf(swarm), keys)
    const stored = await Promise.all(ids.map((id) => keysOf(swarm, id)))
    for (const key of keys) t.is(stored.filter((held) => held.includes(key)).length, 3, key)
    t.deepEqual(await others(2).delete('key29'), { existed: true })
    t.is(await others(3).get('key29'), undefined)
    t.deepEqual(
      await keysOf(swarm),
      keys.filter((key) => key !== 'key29'),
    )

    // Different keys at once on all nodes, then the same keys.
    const name = (index: number) => `many${index}`
    await each(200, async (index) => {
      await others(index).put(name(index), `${index}`)
    })
    t.deepEqual(await differing(others(1), 200, name, String), [])
    const meeting = new RecordedLoad({ clients, keys: ['same1', 'same2'], inFlight: 2 })
    meeting.start()
    await until('answers', waitMs, async () => meeting.answered() > 400)
    await meeting.stop()
    t.deepEqual(meeting.failures, [])
    t.deepEqual(meeting.judge(), [])

    // For each operation: crash a node, operate, bring it back, check.
    const operations = {
      insert: () => client.create('fresh', 'inserted'),
      query: () => client.read('key1'),
      update: () => client.update('key2', 'updated'),
      delete: () => client.delete('key3', { ifPresent: true }),
    }
    for (const [index, operate] of Object.values(operations).entries()) {
      const id = ids[index] as string
      await swarm.signal(id, 'SIGKILL')
      await t.notThrowsAsync(operate)
      swarm.spawnNode(id)
      await whole(swarm, 5)
    }
    t.is((await client.get('fresh'))?.value, 'inserted')
    t.is((await client.get('key1'))?.value, 'key1 first')
    t.is((await client.get('key2'))?.value, 'updated')
    t.is(await client.get('key3'), undefined)

    // Under load, with short gaps.
    const load = await startTraffic(t, swarm)
    for (const id of ids) {
      await swarm.signal(id, 'SIGKILL')
      swarm.spawnNode(id)
      await swarm.settled(5)
    }
    await whole(swarm, 5)
    await allIsWell(t, swarm, load)
    t.deepEqual(await differing(client, 200, name, String), [])
  },
)
