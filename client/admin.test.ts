import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ownProcessId } from '../shared/os/linux.js'
import { writeProcessFile } from '../shared/os/process-files.js'
import type { Message, StatusReport } from '../shared/protocol/messages.js'
import { managerAnswerMs } from '../shared/runtime/limits.js'
import type { Entry } from '../shared/runtime/ports.js'
import { openAdmin } from './admin.js'
import { type FakeProcess, type FakeSwarm, fakeSwarm } from './fake-swarm.fixture.js'

test.beforeEach((t) => t.timeout(20_000))

test('asks the manager, and reports what it refuses', async (t) => {
  const swarm = await fakeSwarm(t)
  const progress = { rangesDone: 0, rangesTotal: 1, keys: 0, bytes: 0 }
  const report = {
    ticket: 9,
    change: 'remove',
    node: 'n2',
    state: 'copying',
    reason: '',
    progress,
  } as const
  const submitted: Message[] = []
  swarm.handler = (from, message, { runtime }) => {
    if (message.kind === 'change.submit') submitted.push(message)
    if (message.kind === 'change.submit' && message.change === 'remove')
      runtime.send(from, {
        kind: 'change.submit.ok',
        id: message.id,
        ticket: 9,
        node: message.node,
      })
    else if (message.kind === 'change.submit')
      runtime.send(from, {
        kind: 'error',
        id: message.id,
        code: 'CHANGE_REFUSED',
        definite: true,
        message: 'no supervisor',
      })
    else if (message.kind === 'change.query')
      runtime.send(from, { kind: 'change.query.ok', id: message.id, report })
    else if (message.kind === 'swarm.stop')
      runtime.send(from, { kind: 'swarm.stop.ok', id: message.id })
    return false
  }
  const admin = await openAdmin({ run: swarm.run })
  t.teardown(() => admin.close())
  t.deepEqual(await admin.submit('remove', 'n2'), { ticket: 9, node: 'n2' })
  t.like(submitted.at(-1), { force: false, acceptLoss: false })
  await admin.submit('remove', 'n2', { force: true })
  t.like(submitted.at(-1), { force: true, acceptLoss: false })
  t.deepEqual(await admin.query(9), report)
  await t.throwsAsync(admin.submit('add', ''), { code: 'CHANGE_REFUSED', message: 'no supervisor' })
  await t.notThrowsAsync(admin.stop())
})

test('dumps a node page by page', async (t) => {
  const swarm = await fakeSwarm(t)
  const version = { boot: 1, micros: 1, writer: '00000000000000aa' }
  const entries: Entry[] = Array.from({ length: 5 }, (_, i) => ({
    token: i,
    key: Buffer.from(`k${i}`),
    record: { version, value: i === 3 ? null : Buffer.from(`v${i}`) },
  }))
  swarm.handler = (from, message, { runtime }) => {
    if (message.kind !== 'node.dump') return true
    const start = (message.cursor?.token ?? -1) + 1
    const page = entries.slice(start, start + 2)
    const last = start + 2 < entries.length ? page.at(-1) : undefined
    const next = last === undefined ? null : { token: last.token, key: last.key }
    runtime.send(from, { kind: 'node.dump.ok', id: message.id, entries: page, next })
    return false
  }
  const admin = await openAdmin({ run: swarm.run })
  t.teardown(() => admin.close())
  const seen: string[] = []
  for await (const { token, key, record } of admin.dump('n1.1')) {
    const value = record.value === null ? 'deleted' : Buffer.from(record.value).toString()
    seen.push(`${token} ${Buffer.from(key)} ${value}`)
  }
  t.deepEqual(seen, ['0 k0 v0', '1 k1 v1', '2 k2 v2', '3 k3 deleted', '4 k4 v4'])
  const missing = await t.throwsAsync(admin.dump('n7.1').next(), { code: 'CANNOT_CONNECT' })
  t.regex(missing.message, /n7\.1 does not run/)
})

const noCounts = {
  puts: 1,
  putsFailed: 2,
  deletes: 3,
  deletesFailed: 4,
  gets: 5,
  getsMissed: 6,
  getsFailed: 7,
}

const noRepair = {
  pass: 4,
  running: true,
  rangesDone: 1,
  rangesTotal: 9,
  received: 0,
  given: 0,
  skipped: 0,
}

test('asks a node for its counts, for versions only, and to repair', async (t) => {
  const swarm = await fakeSwarm(t)
  const stats = {
    state: 'active',
    epoch: 3,
    keys: 1,
    bytes: 2,
    handoff: { rangesDone: 0, rangesTotal: 0, keys: 0, bytes: 0 },
    hints: { keys: 5, bytes: 6 },
    repair: noRepair,
    readOnly: false,
    operations: { coordinated: noCounts, replicated: noCounts },
  } as const
  const asked: Message[] = []
  swarm.handler = (from, message, { runtime, address }) => {
    if (address !== 'n1.1') return false
    asked.push(message)
    if (message.kind === 'node.stats')
      runtime.send(from, { kind: 'node.stats.ok', id: message.id, ...stats })
    else if (message.kind === 'repair.start')
      runtime.send(from, { kind: 'repair.start.ok', id: message.id, pass: 4 })
    else if (message.kind === 'node.dump')
      runtime.send(from, { kind: 'node.dump.ok', id: message.id, entries: [], next: null })
    return false
  }
  const admin = await openAdmin({ run: swarm.run })
  t.teardown(() => admin.close())
  t.like(await admin.stats('n1.1'), stats)
  t.is(await admin.repair('n1.1'), 4)
  const cursor = { token: 3, key: Buffer.from('k') }
  await admin.page('n1.1', { keysOnly: true, cursor, limitBytes: 10 })
  t.like(asked.at(-1), { kind: 'node.dump', keysOnly: true, limitBytes: 10 })
})

function report(manager: StatusReport['manager']): StatusReport {
  return {
    swarm: 's',
    state: 'serving',
    epoch: 1,
    replicas: 3,
    readQuorum: 2,
    writeQuorum: 2,
    durability: 'sync',
    mode: 'latest',
    manager,
    nodes: [],
    changes: [],
    notices: [],
  }
}

/** Nodes are found by their process files; these are all of this process. */
function register(run: string, address: string): void {
  writeProcessFile(run, { role: 'node', address, ...ownProcessId() })
}

/** Those who answer `swarm.status`; the others are silent. */
function answerStatus(swarm: FakeSwarm, ...addresses: readonly string[]): void {
  swarm.handler = (from, message, { runtime, address }) => {
    if (message.kind !== 'swarm.status' || !addresses.includes(address)) return false
    const status = report(address === 'manager' ? { pid: 7 } : null)
    runtime.send(from, { kind: 'swarm.status.ok', id: message.id, status })
    return false
  }
}

test('status is that of the manager where it answers, else of the first node that does', async (t) => {
  const swarm = await fakeSwarm(t, ['n1.1', 'n2.1'])
  for (const address of swarm.nodes) register(swarm.run, address)
  const admin = await openAdmin({ run: swarm.run })
  t.teardown(() => admin.close())
  answerStatus(swarm, 'manager', 'n1.1', 'n2.1')
  t.deepEqual((await admin.status()).manager, { pid: 7 })
  answerStatus(swarm, 'n2.1')
  const began = performance.now()
  t.is((await admin.status()).manager, null, 'manager and n1 are silent')
  t.true(performance.now() - began >= 2 * managerAnswerMs - 50, 'a second each')
  await swarm.stop('manager')
  answerStatus(swarm, 'n1.1')
  const again = performance.now()
  t.is((await admin.status()).manager, null)
  t.true(performance.now() - again < managerAnswerMs, 'a manager that is gone is not waited for')
})

test('a manager that is slow, but faster than any node, is the one that is heard', async (t) => {
  const swarm = await fakeSwarm(t)
  register(swarm.run, 'n1.1')
  swarm.handler = (from, message, { runtime, address }) => {
    if (address === 'manager' && message.kind === 'swarm.status') {
      const status = report({ pid: 7 })
      const { id } = message
      setTimeout(() => runtime.send(from, { kind: 'swarm.status.ok', id, status }), 1_200)
    }
    return false
  }
  const admin = await openAdmin({ run: swarm.run })
  t.teardown(() => admin.close())
  t.deepEqual((await admin.status()).manager, { pid: 7 })
})

test('tells the supervisor to start a node; one that is not there is an error', async (t) => {
  const swarm = await fakeSwarm(t)
  const asked: string[] = []
  const arrived = new Promise<void>((resolve) => {
    swarm.handler = (_from, message) => {
      if (message.kind === 'node.spawn') asked.push(message.node)
      if (asked.length === 2) resolve()
      return false
    }
  })
  const admin = await openAdmin({ run: swarm.run })
  t.teardown(() => admin.close())
  await t.throwsAsync(admin.spawn('n3'), { code: 'CANNOT_CONNECT', message: /no supervisor/ })
  await swarm.start('supervisor')
  await admin.spawn('n3')
  await admin.spawn('n4')
  await arrived
  t.deepEqual(asked, ['n3', 'n4'])
})

test('stops a node, and sees that it went', async (t) => {
  const swarm = await fakeSwarm(t)
  let stopped: FakeProcess | undefined
  swarm.handler = (_from, message, node) => {
    if (message.kind !== 'node.stop') return true
    stopped = node
    void node.runtime.close()
    return false
  }
  const admin = await openAdmin({ run: swarm.run })
  t.teardown(() => admin.close())
  await admin.stopNode('n1.1')
  t.is(stopped?.address, 'n1.1')
  await t.notThrowsAsync(admin.stopNode('n1.1'), 'one that is gone counts as stopped')
})

test('nobody there, or nobody who answers', async (t) => {
  const run = mkdtempSync(join(tmpdir(), 'gts-client-'))
  t.teardown(() => rmSync(run, { recursive: true }))
  const nobody = await openAdmin({ run })
  t.teardown(() => nobody.close())
  await t.throwsAsync(nobody.status(), { code: 'CANNOT_CONNECT', message: /gtstore up/ })

  const swarm = await fakeSwarm(t)
  swarm.handler = () => false
  const admin = await openAdmin({ run: swarm.run, timeoutMs: 100 })
  await t.throwsAsync(admin.status(), { code: 'TIMEOUT', message: /swarm\.status/ })
  const pending = t.throwsAsync(admin.status(), { code: 'CLOSED' })
  await admin.close()
  await pending
})

test('a manager that goes while it is asked', async (t) => {
  const swarm = await fakeSwarm(t)
  swarm.handler = (_from, _message, { runtime }) => {
    void runtime.close()
    return false
  }
  const admin = await openAdmin({ run: swarm.run })
  t.teardown(() => admin.close())
  const error = await t.throwsAsync(admin.stop(), { code: 'CANNOT_CONNECT' })
  t.like(error, { definite: false })
})
