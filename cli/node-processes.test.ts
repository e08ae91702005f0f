import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { openAdmin } from '../client/admin.js'
import { isProcessAlive, isProcessPaused } from '../shared/os/linux.js'
import type { ProcessEntry } from '../shared/os/process-files.js'
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

function processOf({ processes }: SwarmFixture, name: RegExp): ProcessEntry {
  const found = processes().find(({ address }) => name.test(address))
  if (found === undefined) throw new Error(`no process ${name}`)
  return found
}

/** Asks until the node is as expected; the test's timeout is the limit. */
async function active({ status }: SwarmFixture, id: string): Promise<void> {
  for (;;) {
    const node = (await status()).nodes.find((candidate) => candidate.id === id)
    if (node?.state === 'active') return
    await delay(20)
  }
}

test.serial('with --restart never a killed node stays down until node restart', async (t) => {
  const swarm = await start(t, '--restart', 'never')
  const { gtstore } = swarm
  const victim = processOf(swarm, /^n2\./)
  const killed = await gtstore('node', 'kill', 'n2')
  t.is(killed.exitCode, 0, killed.stderr)
  t.regex(killed.stdout, new RegExp(`^n2 \\(pid ${victim.pid}\\) is killed: it stays down`))
  t.regex(killed.stdout, /`gtstore node restart n2` starts it/)
  t.false(isProcessAlive(victim))
  const table = await gtstore('status')
  t.regex(table.stdout, /^n2 +1 +\d+ +down .* exited$/m)
  const again = await gtstore('node', 'kill', 'n2')
  t.is(again.exitCode, 1)
  t.regex(again.stderr, /n2 is not running in .*\n {2}next: `gtstore node restart n2` starts it/)
  t.is((await gtstore('get', 'city')).stdout, 'Bochum')
  const restarted = await gtstore('node', 'restart', 'n2', '--json')
  t.is(restarted.exitCode, 0, restarted.stderr)
  const { pid } = processOf(swarm, /^n2\.2$/)
  t.deepEqual(JSON.parse(restarted.stdout), { id: 'n2', pid, killed: null, action: 'restart' })
  await active(swarm, 'n2')
})

test.serial('the manager holds a killed node down within 100 ms, and says why', async (t) => {
  const swarm = await start(t, '--restart', 'never')
  await using admin = await openAdmin({ run: swarm.run })
  t.true((await admin.status()).nodes.every(({ state, reason }) => state === 'active' && !reason))
  process.kill(processOf(swarm, /^n3\./).pid, 'SIGKILL')
  await delay(100)
  const { nodes } = await admin.status()
  t.deepEqual(
    nodes.map(({ id, state, reason }) => [id, state, reason]),
    [
      ['n1', 'active', ''],
      ['n2', 'active', ''],
      ['n3', 'down', 'exited'],
    ],
  )
})

test.serial('a node is killed and started again: by itself, or at once on demand', async (t) => {
  const swarm = await start(t)
  const { gtstore } = swarm
  const killed = await gtstore('node', 'kill', 'n1', '--json')
  t.like(JSON.parse(killed.stdout), { id: 'n1', action: 'kill', outcome: 'restarts' })
  await active(swarm, 'n1')
  const before = processOf(swarm, /^n1\.2$/)
  const restarted = await gtstore('node', 'restart', 'n1')
  t.is(restarted.exitCode, 0, restarted.stderr)
  const after = processOf(swarm, /^n1\.3$/)
  t.is(
    restarted.stdout,
    `n1 (pid ${before.pid}) was killed; the supervisor started it again: pid ${after.pid}\n`,
  )
  await active(swarm, 'n1')
  t.is((await gtstore('get', 'city')).stdout, 'Bochum')
})

test.serial('pause and resume a node, and the manager', async (t) => {
  const swarm = await start(t)
  const { gtstore } = swarm
  const node = processOf(swarm, /^n3\./)
  const paused = await gtstore('node', 'pause', 'n3')
  t.is(paused.exitCode, 0, paused.stderr)
  t.true(isProcessPaused(node))
  t.regex(paused.stdout, /^n3 \(pid \d+\) is paused: `gtstore node resume n3` .*after 30s/)
  t.regex((await gtstore('node', 'pause', 'n3')).stdout, /was paused already/)
  t.is((await gtstore('put', 'city', 'Essen')).exitCode, 0)
  const resumed = await gtstore('node', 'resume', 'n3', '--json')
  t.deepEqual(JSON.parse(resumed.stdout), {
    id: 'n3',
    pid: node.pid,
    action: 'resume',
    already: false,
  })
  t.false(isProcessPaused(node))
  t.regex((await gtstore('node', 'resume', 'n3')).stdout, /was not paused/)
  await active(swarm, 'n3')
  t.is((await gtstore('get', 'city')).stdout, 'Essen')
  const manager = processOf(swarm, /^manager$/)
  t.is((await gtstore('node', 'pause', 'manager')).exitCode, 0)
  t.true(isProcessPaused(manager))
  t.is((await swarm.status()).manager, null, 'a node answers in its place')
  t.regex((await gtstore('status')).stdout, /^swarm "default" is .*the manager is down/)
  t.is((await gtstore('put', 'city', 'Witten')).exitCode, 0)
  t.is((await gtstore('node', 'resume', 'manager')).exitCode, 0)
  t.is((await swarm.status()).manager?.pid, manager.pid)
})

test.serial('without a supervisor nothing is restarted, and the way by hand is told', async (t) => {
  const swarm = await start(t)
  const { gtstore, begin } = swarm
  const supervisor = processOf(swarm, /^supervisor$/)
  process.kill(supervisor.pid, 'SIGKILL')
  while (isProcessAlive(supervisor)) await delay(5)
  const node = processOf(swarm, /^n2\./)
  const restart = await gtstore('node', 'restart', 'n2')
  t.is(restart.exitCode, 1)
  t.regex(restart.stderr, /no supervisor runs in .*nothing was done/)
  t.regex(restart.stderr, /`gtstore node kill n2`, then `gtstore run node --node n2`/)
  t.true(isProcessAlive(node))
  const kill = await gtstore('node', 'kill', 'n2')
  t.regex(kill.stdout, /no supervisor starts it again; `gtstore run node --node n2` does/)
  begin('run', 'node', '--node', 'n2')
  await active(swarm, 'n2')
  t.is((await gtstore('node', 'kill', 'manager')).exitCode, 0)
  const manager = await gtstore('node', 'kill', 'manager')
  t.is(manager.exitCode, 1)
  t.regex(manager.stderr, /the manager is not running in .*\n {2}next: `gtstore run manager`/)
  t.is((await gtstore('get', 'city')).stdout, 'Bochum')
})

test.serial('a node that never was, and a name that is none', async (t) => {
  const swarm = await start(t)
  for (const action of ['kill', 'pause', 'resume', 'restart']) {
    const unknown = await swarm.gtstore('node', action, 'n99', '--json')
    t.is(unknown.exitCode, 1)
    t.is(JSON.parse(unknown.stderr).error.code, 'NOT_FOUND')
    t.is((await swarm.gtstore('node', action, '3')).exitCode, 2)
  }
  t.is((await swarm.gtstore('node', 'restart', 'manager')).exitCode, 2)
  t.true((await swarm.status()).nodes.every(({ state }) => state === 'active'))
})

test.serial('a node that was taken out by force: what happened and what to do', async (t) => {
  const swarm = await start(t, '-n', '4')
  const { gtstore, data } = swarm
  t.is((await gtstore('node', 'remove', 'n2', '--force')).exitCode, 0)
  const restart = await gtstore('node', 'restart', 'n2')
  t.is(restart.exitCode, 1)
  t.regex(restart.stderr, /n2 was started and ended: a command took n2 out of the swarm/)
  t.regex(restart.stderr, /`gtstore node add` starts a new node/)
  rmSync(join(data, 'nodes', 'n2'), { recursive: true })
  for (const action of ['kill', 'restart']) {
    const { exitCode, stderr } = await gtstore('node', action, 'n2')
    t.is(exitCode, 1)
    t.regex(stderr, /n2 has left the swarm or was taken out of it, and its id is not used again/)
  }
})

test.serial('a node that was started by hand is restarted by the supervisor too', async (t) => {
  const swarm = await start(t, '--restart', 'never')
  const { gtstore, begin } = swarm
  t.is((await gtstore('node', 'kill', 'n2')).exitCode, 0)
  const byHand = begin('run', 'node', '--node', 'n2')
  await active(swarm, 'n2')
  const { pid } = processOf(swarm, /^n2\.2$/)
  const restart = await gtstore('node', 'restart', 'n2', '--json')
  t.is(JSON.parse(restart.stdout).killed, pid)
  t.not((await byHand.ended).exitCode, 0)
  await active(swarm, 'n2')
  t.is((await gtstore('put', 'city', 'Herne', '-w', '3')).exitCode, 0)
})
