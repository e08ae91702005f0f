import { execFile } from 'node:child_process'
import { renameSync } from 'node:fs'
import { createServer, Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { anyMessage } from '../protocol/message-arbitraries.test-suite.js'
import type { Message } from '../protocol/messages.js'
import { openSocketRuntime } from './sockets.js'
import { MemoryLog, Recorder, runDirectory, startProcess } from './sockets.test-suite.js'

const version = { boot: 1, micros: 2, writer: '0123456789abcdef' }

function replicaPut(id: number, value: Uint8Array): Message {
  return {
    kind: 'replica.put',
    attached: null,
    id,
    epoch: 1,
    token: 1,
    key: Buffer.from('k'),
    value,
    version,
    born: 1,
  }
}

test('two processes talk, and each is told once that the other is there and gone', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const b = await startProcess(t, run, 'n2.1')
  b.told.onMessage = (from, message) => {
    if (message.kind === 'replica.get') {
      b.runtime.send(from, { kind: 'stale', id: message.id, epoch: 3 })
    }
  }
  t.true(
    a.runtime.send('n2.1', {
      kind: 'replica.get',
      id: 5,
      epoch: 1,
      token: 1,
      key: Buffer.from('k'),
    }),
  )
  t.true(a.runtime.send('n2.1', { kind: 'node.stop' }))
  await a.told.saw('n2.1: stale')
  await b.told.saw('n1.1: node.stop')
  t.deepEqual(a.told.messages, [{ kind: 'stale', id: 5, epoch: 3 }])
  t.is(a.told.count('n2.1 opened'), 1)
  t.is(b.told.count('n1.1 opened'), 1)
  await b.runtime.close()
  await a.told.saw('n2.1 closed')
  t.is(a.told.count('n2.1 closed'), 1)
  t.is(b.told.count('n1.1 closed'), 0)
})

test('any sequence of messages arrives as it was sent, lane by lane', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const b = await startProcess(t, run, 'c-1')
  await fc.assert(
    fc.asyncProperty(fc.array(anyMessage, { minLength: 1, maxLength: 20 }), async (messages) => {
      const sent = messages.filter((message) => !message.kind.startsWith('hello'))
      a.told.messages.length = 0
      for (const message of sent) b.runtime.send('n1.1', message)
      await a.told.until(() => a.told.messages.length === sent.length)
      for (const kind of new Set(sent.map((message) => message.kind))) {
        t.deepEqual(
          a.told.messages.filter((message) => message.kind === kind),
          sent.filter((message) => message.kind === kind),
        )
      }
    }),
    { numRuns: 50 },
  )
})

test('large values arrive whole, among small ones', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const b = await startProcess(t, run, 'n2.1')
  const values = [0, 1, 4095, 4096, 70_000, 8 << 20].map((size) => Buffer.alloc(size, size % 251))
  for (const [id, value] of values.entries()) a.runtime.send('n2.1', replicaPut(id, value))
  await b.told.until(() => b.told.messages.length === values.length)
  t.true(
    b.told.messages.every(
      (message, id) =>
        message.kind === 'replica.put' &&
        message.id === id &&
        Buffer.compare(message.value as Buffer, values[id] as Buffer) === 0,
    ),
  )
})

test.serial('what is queued in one turn leaves in one write', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const b = await startProcess(t, run, 'n2.1')
  a.runtime.send('n2.1', { kind: 'put.ok', id: 0 })
  await b.told.saw('n1.1: put.ok')
  const write = Socket.prototype.write
  let writes = 0
  Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
    writes += 1
    return Reflect.apply(write, this, args)
  } as typeof write
  t.teardown(() => {
    Socket.prototype.write = write
  })
  for (let id = 1; id <= 100; id++) a.runtime.send('n2.1', { kind: 'put.ok', id })
  await b.told.saw('n1.1: put.ok', 101)
  t.is(writes, 1)
})

test('the end of a turn comes after its callbacks and before its messages', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const order: string[] = []
  a.runtime.after(0, 'first', () => {
    order.push('first')
    a.runtime.after(0, 'nested', () => order.push('nested'))
  })
  const cancel = a.runtime.after(0, 'cancelled', () => order.push('cancelled'))
  a.runtime.after(0, 'second', () => order.push('second'))
  order.push('turn')
  cancel()
  await new Promise(setImmediate)
  t.deepEqual(order, ['turn', 'first', 'second', 'nested'])
})

test('a callback that always adds another lets messages through', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const b = await startProcess(t, run, 'n2.1')
  let stop = false
  const again = () => {
    if (!stop) a.runtime.after(0, 'again', again)
  }
  again()
  a.runtime.send('n2.1', { kind: 'put.ok', id: 1 })
  await b.told.saw('n1.1: put.ok')
  stop = true
  t.pass()
})

test('timers fire in time, once, and not when cancelled', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const fired: string[] = []
  a.runtime.after(5, 'b', () => fired.push('b'))
  a.runtime.after(1, 'a', () => fired.push('a'))
  a.runtime.after(2, 'no', () => fired.push('no'))()
  await new Promise<void>((resolve) => a.runtime.after(30, 'end', resolve))
  t.deepEqual(fired, ['a', 'b'])
})

test('a client is answered on what it opened, whatever the lane', async (t) => {
  const run = runDirectory(t)
  const manager = await startProcess(t, run, 'manager')
  const client = await startProcess(t, run, 'c-1')
  t.false(manager.runtime.send('c-1', { kind: 'put.ok', id: 1 }))
  client.runtime.send('manager', { kind: 'client.register', id: 1, client: 0 })
  await manager.told.saw('c-1: client.register')
  t.true(manager.runtime.send('c-1', { kind: 'put.ok', id: 1 }))
  t.true(manager.runtime.send('c-1', { kind: 'swarm.stop.ok', id: 2 }))
  await client.told.saw('manager: swarm.stop.ok')
  t.is(client.told.messages.length, 2)
  await client.runtime.close()
  await manager.told.saw('c-1 closed')
  t.false(manager.runtime.send('c-1', { kind: 'put.ok', id: 1 }))
})

test('who cannot be dialled is reported once, and not within send', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  t.true(a.runtime.send('n9.1', { kind: 'put.ok', id: 1 }))
  t.true(a.runtime.send('n9.1', { kind: 'node.stop' }))
  t.deepEqual(a.told.events, [])
  await a.told.saw('n9.1 closed')
  t.true(a.runtime.send('n9.1', { kind: 'put.ok', id: 1 }))
  await a.told.saw('n9.1 closed', 2)
  t.deepEqual(a.told.events, ['n9.1 closed', 'n9.1 closed'])
})

test('a peer that comes back is dialled again, without what was lost', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const first = await startProcess(t, run, 'manager')
  a.runtime.send('manager', { kind: 'handoff.complete', plan: 1, node: 'n1' })
  await first.told.saw('n1.1: handoff.complete')
  await first.runtime.close()
  await a.told.saw('manager closed')
  const second = await startProcess(t, run, 'manager')
  a.runtime.send('manager', { kind: 'handoff.complete', plan: 2, node: 'n1' })
  await second.told.saw('n1.1: handoff.complete')
  t.deepEqual(second.told.messages, [{ kind: 'handoff.complete', plan: 2, node: 'n1' }])
  t.is(a.told.count('manager opened'), 2)
  t.is(a.told.count('manager closed'), 1)
})

test('a peer says of which swarm it is, and gets nothing where that is another', async (t) => {
  const run = runDirectory(t)
  const ours = await startProcess(t, run, 'n1.1', { swarm: 'ours' })
  const silent = await startProcess(t, run, 'n2.1')
  const other = await startProcess(t, run, 'n3.1', { swarm: 'other' })
  const asked: string[] = []
  const isOurs = (swarm: string) => {
    asked.push(swarm)
    return swarm !== 'other'
  }
  const client = await startProcess(t, run, 'c-1', { isOurs })
  for (const [id, node] of ['n1.1', 'n2.1', 'n3.1'].entries()) {
    client.runtime.send(node, { kind: 'put.ok', id })
  }
  await Promise.all([ours.told.saw('c-1: put.ok'), silent.told.saw('c-1: put.ok')])
  await client.told.saw('n3.1 closed')
  t.deepEqual(asked.toSorted(), ['', 'other', 'ours'])
  t.is(client.told.count('n3.1 opened'), 0)
  await other.told.saw('c-1 closed')
  t.deepEqual(other.told.messages, [])
})

test('both sides may dial at once', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const b = await startProcess(t, run, 'n2.1')
  for (let id = 0; id < 50; id++) {
    a.runtime.send('n2.1', { kind: 'put.ok', id })
    b.runtime.send('n1.1', { kind: 'put.ok', id })
  }
  await a.told.saw('n2.1: put.ok', 50)
  await b.told.saw('n1.1: put.ok', 50)
  const ids = Array.from({ length: 50 }, (_, id) => ({ kind: 'put.ok', id }))
  t.deepEqual(a.told.messages, ids as Message[])
  t.deepEqual(b.told.messages, ids as Message[])
  t.is(a.told.count('n2.1 opened'), 1)
})

test('who connects before there is a process to tell waits for it', async (t) => {
  const run = runDirectory(t)
  const runtime = await openSocketRuntime({ run, self: 'n1.1', listen: true, log: new MemoryLog() })
  t.teardown(() => runtime.close())
  const b = await startProcess(t, run, 'n2.1')
  b.runtime.send('n1.1', { kind: 'put.ok', id: 1 })
  await new Promise<void>((resolve) => b.runtime.after(50, 'wait', resolve))
  const told = new Recorder()
  runtime.attach(told)
  await told.saw('n2.1: put.ok')
  t.deepEqual(told.events, ['n2.1 opened', 'n2.1: put.ok'])
})

test('closing sends what is queued', async (t) => {
  const run = runDirectory(t)
  const a = await startProcess(t, run, 'n1.1')
  const b = await startProcess(t, run, 'n2.1')
  a.runtime.send('n2.1', { kind: 'put.ok', id: 0 })
  await b.told.saw('n1.1: put.ok')
  for (let id = 1; id < 50; id++) a.runtime.send('n2.1', replicaPut(id, Buffer.alloc(10_000)))
  await a.runtime.close()
  t.false(a.runtime.send('n2.1', { kind: 'put.ok', id: 1 }))
  await b.told.saw('n1.1 closed')
  t.is(b.told.messages.length, 50)
})

test('a socket that a killed process left is taken over', async (t) => {
  const run = runDirectory(t)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(run, 'old'), resolve))
  renameSync(join(run, 'old'), join(run, 'manager.sock'))
  await new Promise((resolve) => server.close(resolve))
  const manager = await startProcess(t, run, 'manager')
  const client = await startProcess(t, run, 'c-1')
  client.runtime.send('manager', { kind: 'client.register', id: 1, client: 0 })
  await manager.told.saw('c-1: client.register')
  t.pass()
})

test('a socket that is in use is not', async (t) => {
  const run = runDirectory(t)
  await startProcess(t, run, 'manager')
  const error = await t.throwsAsync(startProcess(t, run, 'manager'))
  t.regex(error.message, /another process listens on .*manager\.sock/)
  await startProcess(t, run, 'n1.1')
  await t.throwsAsync(startProcess(t, run, 'n1.1'), { message: /another process listens/ })
})

test('a client lets its process end, unless it holds it', async (t) => {
  const run = runDirectory(t)
  const manager = await startProcess(t, run, 'manager')
  const program = `
    import { openSocketRuntime } from ${JSON.stringify(import.meta.resolve('./sockets.js'))}
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const [run, hold] = process.argv.slice(1)
    const runtime = await openSocketRuntime({ run, self: 'c-' + process.pid, listen: false, log, unref: true })
    runtime.attach({
      opened() { runtime.send('manager', { kind: 'swarm.stop', id: 1 }) },
      closed() {},
      received(from, message) { console.log(message.kind); runtime.unref() },
    })
    runtime.after(60_000, 'long', () => {})
    runtime.send('manager', { kind: 'client.register', id: 1, client: 0 })
    if (hold === 'hold') runtime.ref()
  `
  manager.told.onMessage = (from, message) => {
    if (message.kind === 'swarm.stop') manager.runtime.send(from, { kind: 'swarm.stop.ok', id: 1 })
  }
  const start = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, run, ...args], {
      timeout: 20_000,
    })
  t.is((await start('hold')).stdout, 'swarm.stop.ok\n')
  t.is((await start()).stdout, '')
})
