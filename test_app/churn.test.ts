/**
 * Joins, leaves and replacements under full traffic: no request fails, no answer is wrong, no key is
 * missing. One round here; many, and all nodes of a full swarm, with `npm run test:long`.
 */
import test from 'ava'
import { connect, startSwarm } from './swarm.fixture.js'
import type { Swarm } from './swarm.js'
import { VerifiedLoad } from './verified-load.js'

const rounds = Number(process.env.GTSTORE_TEST_ROUNDS ?? 1)
const keys = 20_000
const keysMoved = Number(process.env.GTSTORE_TEST_KEYS ?? 0)
const inFlight = 64

test.serial(
  `${rounds} rounds of a join, a leave and a replacement under ${inFlight} requests in flight`,
  async (t) => {
    t.timeout(60_000 + rounds * 60_000)
    const swarm = await startSwarm(t, { nodes: 4 })
    const writer = await connect(t, swarm)
    const reader = await connect(t, swarm)
    const load = new VerifiedLoad({ writer, reader, keys, inFlight })
    t.teardown(() => load.stop())
    await load.preload()
    for (let round = 1; round <= rounds; round++) {
      load.start()
      await swarm.addNode()
      const [first, second] = (await swarm.status()).nodes
      await swarm.leave(first?.id ?? '')
      await swarm.settled(4)
      swarm.spawnNode()
      await swarm.leave(second?.id ?? '')
      await swarm.settled(4)
      await load.stop()
      await load.verify()
      const { operations, failed, wrong, missing, examples } = load.verdict
      t.log(
        `round ${round}: ${operations} operations so far, epoch ${(await swarm.status()).epoch}`,
      )
      t.deepEqual({ failed, wrong, missing, examples }, nothingWrong)
      t.is(await copies(swarm), 3 * keys)
    }
  },
)

const run = keysMoved > 0 ? test.serial : test.serial.skip
run(
  `all six nodes of a full swarm are replaced one by one (GTSTORE_TEST_KEYS: ${keysMoved})`,
  async (t) => {
    t.timeout(240_000)
    const swarm = await startSwarm(t, { nodes: 6 })
    const writer = await connect(t, swarm)
    const reader = await connect(t, swarm)
    const load = new VerifiedLoad({ writer, reader, keys: keysMoved, inFlight })
    t.teardown(() => load.stop())
    await load.preload()
    const old = (await swarm.status()).nodes.map(({ id }) => id)
    load.start()
    for (const id of old) {
      swarm.spawnNode()
      await swarm.leave(id)
      await swarm.settled(6)
    }
    await load.stop()
    await load.verify()
    const { operations, failed, wrong, missing, examples } = load.verdict
    t.log(`${operations} operations`)
    t.deepEqual({ failed, wrong, missing, examples }, nothingWrong)
    const { nodes } = await swarm.status()
    t.false(nodes.some(({ id }) => old.includes(id)))
    t.is(await copies(swarm), 3 * keysMoved)
  },
)

async function copies(swarm: Swarm): Promise<number> {
  const { nodes } = await swarm.status()
  return nodes.reduce((sum, { keys }) => sum + (keys ?? 0), 0)
}

const nothingWrong = { failed: 0, wrong: 0, missing: 0, examples: [] }
