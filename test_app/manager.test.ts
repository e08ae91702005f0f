/** The manager dies, hangs, and is taken over from: requests, new clients and `status` go on. */
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { journalHeldExitCode } from '../shared/os/exit-codes.js'
import { standbyPatienceMs } from '../shared/runtime/limits.js'
import { RingWatch } from './ring-watch.js'
import { connect, startSwarm } from './swarm.fixture.js'
import type { Swarm } from './swarm.js'
import { until } from './until.js'
import { VerifiedLoad } from './verified-load.js'

const nothingWrong = { failed: 0, wrong: 0, missing: 0, examples: [] }
const waitMs = 60_000

/** Traffic that runs until the test ends, and what it came to. */
async function startLoad(t: ExecutionContext, swarm: Swarm): Promise<VerifiedLoad> {
  const writer = await connect(t, swarm)
  const reader = await connect(t, swarm)
  const load = new VerifiedLoad({ writer, reader, keys: 2_000, inFlight: 8, restMs: 5 })
  // Before the clients end: it would go on for ever without them.
  t.teardown(() => load.stop())
  await load.preload()
  load.start()
  return load
}

async function verdict(load: VerifiedLoad) {
  await load.stop()
  await load.verify()
  const { failed, wrong, missing, examples } = load.verdict
  return { failed, wrong, missing, examples }
}

/** Ends the swarm and compares every ring that was seen with the journal. */
async function judgeRings(swarm: Swarm, watch: RingWatch): Promise<string[]> {
  await swarm.killAll()
  watch.close()
  return watch.judge(swarm.data)
}

for (const { signal, how } of [
  { signal: 'SIGKILL', how: 'dead' },
  { signal: 'SIGSTOP', how: 'stopped' },
] as const) {
  test.serial(`new clients, reads, writes and status while the manager is ${how}`, async (t) => {
    t.timeout(120_000)
    const swarm = await startSwarm(t, { nodes: 4 })
    const before = await connect(t, swarm)
    await before.put('key', 'value')
    await swarm.signalManager(signal)
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(t, swarm)))
    const ids = clients.map(({ id }) => id)
    t.is(new Set([before.id, ...ids]).size, 9, `ids ${before.id}, ${ids}`)
    t.false(ids.includes(0))
    for (const [index, client] of clients.entries()) {
      t.is((await client.get('key'))?.value, 'value')
      await client.put(`key${index}`, 'new')
      t.is((await before.get(`key${index}`))?.value, 'new')
    }
    const report = await swarm.status()
    t.is(report.manager, null)
    t.is(report.swarm, 'test')
    t.regex(report.notices.join(), /the manager is down/)
    t.deepEqual(
      report.nodes.map(({ state }) => state),
      Array.from({ length: 4 }, () => 'active' as const),
    )
    if (signal === 'SIGSTOP') await swarm.signalManager('SIGCONT')
    else await swarm.startManager()
    await swarm.settled(4)
    const after = await connect(t, swarm)
    t.false([before.id, ...ids].includes(after.id))
  })
}

test.serial(
  'a node that dies while the manager is dead is shown, and seen when it is back',
  async (t) => {
    t.timeout(120_000)
    const swarm = await startSwarm(t, { nodes: 4, durability: 'write' })
    const victim = (await swarm.status()).nodes[1]?.id ?? ''
    await swarm.killManager()
    await swarm.signal(victim, 'SIGKILL')
    const { state, reason } = await swarm.node(victim)
    t.deepEqual({ state, reason }, { state: 'down', reason: 'exited' })
    swarm.spawnNode(victim)
    await swarm.startManager()
    await swarm.settled(4)
    t.is((await swarm.node(victim)).state, 'active')
  },
)

test.serial('a standby takes over from a manager that is killed in a join', async (t) => {
  t.timeout(180_000)
  const swarm = await startSwarm(t, { nodes: 4 })
  const watch = new RingWatch(swarm.run)
  t.teardown(() => watch.close())
  const load = await startLoad(t, swarm)
  await swarm.startStandby()
  const first = swarm.managerPid
  const { epoch } = await swarm.status()
  swarm.spawnNode()
  await until('the first ring of the join', waitMs, async () => (watch.epochs.at(-1) ?? 0) > epoch)
  await swarm.killManager()
  t.not(await swarm.nextManager(), first)
  const client = await connect(t, swarm)
  await client.put('another', 'client')
  await swarm.settled(5)
  t.deepEqual(await verdict(load), nothingWrong)
  t.deepEqual(await judgeRings(swarm, watch), [])
})

test.serial('a standby kills a manager that hangs, and takes over', async (t) => {
  t.timeout(180_000)
  const swarm = await startSwarm(t, { nodes: 4 })
  const watch = new RingWatch(swarm.run)
  t.teardown(() => watch.close())
  const load = await startLoad(t, swarm)
  await swarm.startStandby()
  const first = swarm.managerPid
  await swarm.signalManager('SIGSTOP')
  const began = performance.now()
  await swarm.nextManager()
  const tookMs = performance.now() - began
  t.true(tookMs >= standbyPatienceMs - 1_000, `it took over after ${tookMs} ms`)
  t.log(`it took over after ${Math.round(tookMs)} ms`)
  t.false(swarm.pids.includes(first), 'the one that hung is gone')
  await swarm.addNode()
  t.deepEqual(await verdict(load), nothingWrong)
  t.deepEqual(await judgeRings(swarm, watch), [])
})

test.serial('of several standbys one takes over, and the others go on standing by', async (t) => {
  t.timeout(180_000)
  const swarm = await startSwarm(t, { nodes: 3 })
  const watch = new RingWatch(swarm.run)
  t.teardown(() => watch.close())
  const load = await startLoad(t, swarm)
  const standbys = [
    await swarm.startStandby(),
    await swarm.startStandby(),
    await swarm.startStandby(),
  ]
  const pids = standbys.map(({ pid }) => pid ?? 0)
  const winners = new Set<number>()
  while (winners.size < pids.length) {
    await swarm.killManager()
    winners.add(await swarm.nextManager())
    await swarm.settled(3)
    const running = pids.filter((pid) => swarm.pids.includes(pid))
    t.is(running.length, pids.length - winners.size + 1, 'no standby ended by itself')
  }
  t.deepEqual([...winners].sort(), [...pids].sort(), 'each had its turn')
  t.deepEqual(await verdict(load), nothingWrong)
  t.deepEqual(await judgeRings(swarm, watch), [])
})

test.serial('a second manager ends at once, and says why', async (t) => {
  t.timeout(60_000)
  const swarm = await startSwarm(t, { nodes: 3 })
  const second = swarm.spawnManager()
  const [code] = await once(second, 'exit')
  t.is(code, journalHeldExitCode)
  t.regex(swarm.printed, new RegExp(`journal.*in use by process ${swarm.managerPid}`))
  await swarm.settled(3)
})

test.serial(
  'a swarm that is stopped takes its standby along; a standby can be told to go',
  async (t) => {
    t.timeout(60_000)
    const swarm = await startSwarm(t, { nodes: 3 })
    const [standby, other] = [await swarm.startStandby(), await swarm.startStandby()]
    const gone = once(other, 'exit')
    other.kill('SIGTERM')
    t.deepEqual(await gone, [0, null])
    await swarm.settled(3)
    const ended = once(standby, 'exit')
    await swarm.down()
    t.deepEqual(await ended, [0, null])
    t.deepEqual(swarm.pids, [])
  },
)
