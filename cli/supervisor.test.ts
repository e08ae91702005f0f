import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { openAdmin } from '../client/admin.js'
import type { ProcessEntry } from '../shared/os/process-files.js'
import type { NodeReport } from '../shared/protocol/messages.js'
import { makeSwarm, type SwarmFixture } from './swarm.fixture.js'

const small = ['-n', '3', '--durability', 'write'] as const

async function start(t: ExecutionContext, ...args: readonly string[]): Promise<SwarmFixture> {
  t.timeout(60_000, 'a swarm starts and stops within seconds')
  const swarm = makeSwarm(t)
  const { exitCode, stderr } = await swarm.gtstore('up', '-d', ...small, ...args)
  t.is(exitCode, 0, stderr)
  t.is((await swarm.gtstore('put', 'city', 'Bochum')).exitCode, 0)
  return swarm
}

/** Asks until the nodes are as expected; the test's timeout is the limit. */
async function nodesWhen(
  { status }: SwarmFixture,
  expected: (nodes: readonly NodeReport[]) => boolean,
): Promise<readonly NodeReport[]> {
  for (;;) {
    const { nodes } = await status()
    if (expected(nodes)) return nodes
    await delay(20)
  }
}

function pidOf({ processes }: SwarmFixture, name: RegExp): number {
  const found = processes().find(({ address }) => name.test(address))
  if (found === undefined) throw new Error(`no process ${name}`)
  return found.pid
}

test.serial('a node and a manager that were killed are started again', async (t) => {
  const swarm = await start(t)
  const node = pidOf(swarm, /^n2\./)
  process.kill(node, 'SIGKILL')
  const nodes = await nodesWhen(swarm, (all) =>
    all.every(({ state, pid }) => state === 'active' && pid !== node),
  )
  t.deepEqual(
    nodes.map(({ id }) => id),
    ['n1', 'n2', 'n3'],
  )
  const manager = pidOf(swarm, /^manager$/)
  process.kill(manager, 'SIGKILL')
  const isNew = ({ role, pid }: ProcessEntry) => role === 'manager' && pid !== manager
  while (!swarm.processes().some(isNew)) await delay(20)
  t.is((await swarm.gtstore('get', 'city')).stdout, 'Bochum')
  t.is((await swarm.gtstore('node', 'add')).exitCode, 0, 'the new manager has its supervisor')
  const { stdout } = await swarm.gtstore('logs', 'supervisor')
  t.regex(stdout, /n4 is started \(pid \d+\): the manager asked for it/)
})

test.serial('with --restart never what was killed stays down', async (t) => {
  const swarm = await start(t, '--restart', 'never')
  process.kill(pidOf(swarm, /^n2\./), 'SIGKILL')
  const nodes = await nodesWhen(swarm, (all) => all.some(({ state }) => state === 'down'))
  t.deepEqual(
    nodes.map(({ state }) => state),
    ['active', 'down', 'active'],
  )
  t.regex((await swarm.gtstore('logs', 'supervisor')).stdout, /n2 .*--restart never/)
  t.is((await swarm.gtstore('get', 'city')).stdout, 'Bochum')
  const doctor = await swarm.gtstore('doctor')
  t.is(doctor.exitCode, 1)
  t.regex(doctor.stdout, /WRONG +manager .*down: n2/)
})

test.serial('the swarm outlives its supervisor; a new up adopts it', async (t) => {
  const swarm = await start(t)
  const before = swarm.processes().filter(({ role }) => role !== 'supervisor')
  process.kill(pidOf(swarm, /^supervisor$/), 'SIGKILL')
  while (swarm.processes().length > before.length) await delay(5)
  t.is((await swarm.gtstore('get', 'city')).stdout, 'Bochum')
  t.is((await swarm.gtstore('up', '-d')).exitCode, 0)
  t.deepEqual(
    swarm.processes().filter(({ role }) => role !== 'supervisor'),
    before,
  )
  t.is((await swarm.gtstore('node', 'add')).exitCode, 0)
})

test.serial('a standby takes over; the supervisor looks after it from then on', async (t) => {
  const swarm = await start(t)
  const { begin, gtstore, processes } = swarm
  const first = pidOf(swarm, /^manager$/)
  begin('run', 'manager', '--standby')
  while (!processes().some(({ role }) => role === 'standby')) await delay(20)
  const { pid: standby } = processes().find(({ role }) => role === 'standby') as ProcessEntry
  const second = await gtstore('run', 'manager')
  t.is(second.exitCode, 8, second.stderr)
  // Held up, so that it does not start the manager again first.
  const supervisor = pidOf(swarm, /^supervisor$/)
  process.kill(supervisor, 'SIGSTOP')
  process.kill(first, 'SIGKILL')
  while (pidOf(swarm, /^(manager|supervisor)$/) !== standby) await delay(20)
  t.is((await gtstore('put', 'city', 'Essen')).exitCode, 0)
  process.kill(supervisor, 'SIGCONT')
  const log = async () => (await gtstore('logs', 'supervisor')).stdout
  while (!(await log()).includes(`manager runs already (pid ${standby})`)) await delay(50)
  t.is((await swarm.status()).manager?.pid, standby)
  t.is((await gtstore('node', 'add')).exitCode, 0, 'the new manager has its supervisor')
  process.kill(standby, 'SIGKILL')
  const isThird = ({ role, pid }: ProcessEntry) => role === 'manager' && pid !== standby
  while (!processes().some(isThird)) await delay(20)
  t.is((await gtstore('get', 'city')).stdout, 'Essen')
})

test.serial('with --restart never a manager started by hand is looked after, too', async (t) => {
  const swarm = await start(t, '--restart', 'never')
  const { begin, gtstore, processes } = swarm
  process.kill(pidOf(swarm, /^manager$/), 'SIGKILL')
  const isManager = ({ role }: ProcessEntry) => role === 'manager'
  while (processes().some(isManager)) await delay(5)
  begin('run', 'manager')
  while (!(await gtstore('logs', 'supervisor')).stdout.includes('the manager runs again')) {
    await delay(50)
  }
  t.is((await gtstore('node', 'add')).exitCode, 0)
  process.kill(pidOf(swarm, /^manager$/), 'SIGTERM')
  while (processes().length > 0) await delay(20)
  t.regex((await gtstore('logs', 'supervisor')).stdout, /stopped; the data stays/)
})

test.serial('a supervisor ends with the last of its processes', async (t) => {
  const swarm = await start(t, '--restart', 'never')
  process.kill(pidOf(swarm, /^manager$/), 'SIGKILL')
  const nodes = swarm.processes().filter(({ role }) => role === 'node')
  await using admin = await openAdmin({ run: swarm.run })
  await Promise.all(nodes.map(({ address }) => admin.stopNode(address)))
  while (swarm.processes().length > 0) await delay(20)
  t.regex((await swarm.gtstore('logs', 'supervisor')).stdout, /stopped; the data stays/)
})

test.serial('down works without a supervisor and without a manager', async (t) => {
  const swarm = await start(t)
  process.kill(pidOf(swarm, /^supervisor$/), 'SIGKILL')
  process.kill(pidOf(swarm, /^manager$/), 'SIGKILL')
  const { exitCode, stdout } = await swarm.gtstore('down', '--json')
  t.is(exitCode, 0)
  t.deepEqual(JSON.parse(stdout).killed, [])
  t.deepEqual(swarm.processes(), [])
})

test.serial(
  'everything killed at once: up brings the same nodes and their data back',
  async (t) => {
    const swarm = await start(t)
    for (const { pid } of swarm.processes()) process.kill(pid, 'SIGKILL')
    while (swarm.processes().length > 0) await delay(5)
    t.is((await swarm.gtstore('status')).exitCode, 6)
    t.is((await swarm.gtstore('up', '-d')).exitCode, 0)
    t.is((await swarm.gtstore('get', 'city')).stdout, 'Bochum')
    t.deepEqual(
      (await swarm.status()).nodes.map(({ id }) => id),
      ['n1', 'n2', 'n3'],
    )
  },
)

test.serial('down ends paused processes too, and says which', async (t) => {
  const swarm = await start(t)
  process.kill(pidOf(swarm, /^n1\./), 'SIGSTOP')
  const { exitCode, stdout } = await swarm.gtstore('down', '--json')
  t.is(exitCode, 0)
  t.true(JSON.parse(stdout).killed.includes('n1.1'), stdout)
  t.deepEqual(swarm.processes(), [])
})

test.serial(
  'a supervisor whose swarm is stopped by a signal to the manager ends with it',
  async (t) => {
    t.timeout(60_000)
    const swarm = makeSwarm(t)
    const up = swarm.begin('up', ...small)
    await up.said('Ctrl-C stops it')
    process.kill(pidOf(swarm, /^manager$/), 'SIGTERM')
    t.is((await up.ended).exitCode, 0)
    t.deepEqual(swarm.processes(), [])
  },
)

test.serial(
  'processes run by hand form a swarm; up adopts it, Ctrl-C on a node is a leave',
  async (t) => {
    t.timeout(60_000)
    const swarm = makeSwarm(t)
    const { begin, gtstore, processes } = swarm
    const manager = begin('run', 'manager', '--replicas', '1', '-n', '2')
    const nodes = [begin('run', 'node'), begin('run', 'node')]
    while (processes().filter(({ address }) => /^n\d/.test(address)).length < 2) await delay(20)
    await nodesWhen(swarm, (all) => all.length === 2)
    t.is((await gtstore('put', 'city', 'Bochum')).exitCode, 0)
    t.is((await gtstore('up', '-d')).exitCode, 0)
    t.is(processes().length, 4)
    nodes[0]?.kill('SIGINT')
    t.is((await nodes[0]?.ended)?.exitCode, 0)
    await nodesWhen(swarm, (all) => all.length === 1)
    t.is((await gtstore('get', 'city')).stdout, 'Bochum')
    t.is((await gtstore('down')).exitCode, 0)
    t.is((await manager.ended).exitCode, 0)
    t.is((await nodes[1]?.ended)?.exitCode, 0)
  },
)

test.serial('no answer: exit code 7, with the outcome unknown; interrupted: 130', async (t) => {
  const swarm = await start(t)
  for (const { address, pid } of swarm.processes()) {
    if (address.startsWith('n')) process.kill(pid, 'SIGSTOP')
  }
  const late = await swarm.gtstore('put', 'city', 'Essen', '--timeout', '300')
  t.is(late.exitCode, 7, late.stderr)
  t.regex(late.stderr, /outcome: unknown/)
  const unread = await swarm.gtstore('get', 'city', '--timeout', '300', '--json')
  t.is(unread.exitCode, 5, unread.stderr)
  t.like(JSON.parse(unread.stderr), { error: { code: 'TIMEOUT', definite: true } })
  const putting = swarm.begin('put', 'city', 'Essen', '--timeout', '60000')
  await delay(500)
  putting.kill('SIGINT')
  t.is((await putting.ended).exitCode, 130)
})

test.serial('two at once, or two run directories on the same data: one supervisor', async (t) => {
  t.timeout(60_000)
  const swarm = makeSwarm(t)
  const both = await Promise.all([1, 2].map(() => swarm.gtstore('up', '-d', ...small)))
  t.deepEqual(both.map(({ exitCode }) => exitCode).sort(), [0, 1])
  t.true(both.some(({ stderr }) => stderr.includes('is up already')))
  const elsewhere = await swarm.gtstore('up', '-d', '--dir', `${swarm.root}/r2`)
  t.is(elsewhere.exitCode, 1)
  t.regex(elsewhere.stderr, /another supervisor uses the data directory/)
  const removing = await swarm.gtstore('down', '--volumes', '--dir', `${swarm.root}/r2`)
  t.is(removing.exitCode, 1)
  t.regex(removing.stderr, /in use by a swarm with another run directory/)
  t.is((await swarm.status()).state, 'serving')
})
