import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { Entry } from '../shared/runtime/ports.js'
import { openAdmin } from './admin.js'
import { type FakeProcess, fakeSwarm } from './fake-swarm.fixture.js'

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
  swarm.handler = (from, message, { runtime }) => {
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
