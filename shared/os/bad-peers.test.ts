import test from 'ava'
import type { GTStoreError } from '../protocol/errors.js'
import { type Message, protocolVersion } from '../protocol/messages.js'
import { helloTimeoutMs } from '../runtime/limits.js'
import {
  framesOf,
  hello,
  RawPeer,
  rawServer,
  runDirectory,
  startProcess,
  type TestProcess,
} from './sockets.test-suite.js'

/** Someone else goes on undisturbed. */
async function stillServes(server: TestProcess, other: TestProcess): Promise<void> {
  const before = server.told.count('c-other: put.ok')
  other.runtime.send(server.runtime.self, { kind: 'put.ok', id: 1 })
  await server.told.saw('c-other: put.ok', before + 1)
}

const garbage: readonly [string, Buffer, RegExp][] = [
  ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /over the limit/],
  ['an oversized frame', Buffer.from([0x7f, 0, 0, 0, 1]), /over the limit/],
  ['an empty frame', Buffer.alloc(4), /an empty frame/],
  ['a frame that is no message', Buffer.from([0, 0, 0, 1, 0xff]), /./],
  ['an unknown message', Buffer.from([0, 0, 0, 4, 0x82, 0x18, 0xfa, 0]), /unknown message/],
]

for (const [what, bytes, reason] of garbage) {
  test(`${what} closes that connection and no other`, async (t) => {
    const run = runDirectory(t)
    const node = await startProcess(t, run, 'n1.1')
    const other = await startProcess(t, run, 'c-other')
    await stillServes(node, other)

    const stranger = await RawPeer.connected(t, run, 'n1.1')
    stranger.write(bytes)
    await stranger.ended
    t.regex(String(node.log.reasons.at(-1)), reason)

    const peer = await RawPeer.connected(t, run, 'n1.1')
    peer.write(Buffer.concat([framesOf(hello('c-bad'), { kind: 'put.ok', id: 7 }), bytes]))
    await peer.ended
    await node.told.saw('c-bad closed')
    t.is(node.told.count('c-bad: put.ok'), 1)
    t.is(node.told.count('c-bad closed'), 1)
    t.regex(String(node.log.reasons.at(-1)), reason)

    await stillServes(node, other)
    t.is(node.told.count('c-other closed'), 0)
  })
}

test('a message before the hello, and a second hello', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  const rude = await RawPeer.connected(t, run, 'n1.1')
  rude.write(framesOf({ kind: 'put.ok', id: 7 }))
  await rude.ended
  t.deepEqual(node.told.events, [])
  const twice = await RawPeer.connected(t, run, 'n1.1')
  twice.write(framesOf(hello('c-1'), hello('c-2')))
  await twice.ended
  await node.told.saw('c-1 closed')
  t.deepEqual(node.told.events, ['c-1 opened', 'c-1 closed'])
})

test('a byte at a time is slow, not wrong', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  const slow = await RawPeer.connected(t, run, 'n1.1')
  slow.socket.setNoDelay(true)
  for (const byte of framesOf(hello('c-slow'), { kind: 'put.ok', id: 7 })) {
    slow.write(Buffer.of(byte))
    await new Promise(setImmediate)
  }
  await node.told.saw('c-slow: put.ok')
  t.deepEqual(node.told.messages, [{ kind: 'put.ok', id: 7 }])
})

test('a frame that is cut off by the end of its connection is no message', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  const peer = await RawPeer.connected(t, run, 'n1.1')
  const stream = framesOf(hello('c-1'), { kind: 'forwarder.moved', nodes: ['n1.1'] })
  peer.socket.end(stream.subarray(0, stream.length - 2))
  await node.told.saw('c-1 closed')
  t.deepEqual(node.told.events, ['c-1 opened', 'c-1 closed'])
})

test('a connection that is half closed is closed', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  const peer = await RawPeer.connected(t, run, 'n1.1')
  peer.write(framesOf(hello('c-1')))
  await peer.got(1)
  peer.socket.end()
  await node.told.saw('c-1 closed')
  await peer.ended
  t.pass()
})

test('who says no hello is closed after a while, who says it is not', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  const silent = await RawPeer.connected(t, run, 'n1.1')
  const partial = await RawPeer.connected(t, run, 'n1.1')
  partial.write(framesOf(hello('c-1')).subarray(0, 5))
  const idle = await RawPeer.connected(t, run, 'n1.1')
  idle.write(framesOf(hello('c-idle')))
  const started = performance.now()
  await Promise.all([silent.ended, partial.ended])
  t.true(performance.now() - started > helloTimeoutMs * 0.8)
  t.deepEqual(node.told.events, ['c-idle opened'])
  t.false(idle.socket.destroyed)
  t.deepEqual(
    node.log.lines.map(({ message }) => message),
    Array(2).fill('connection closed: the peer is silent'),
  )
})

test('who accepts but does not answer the hello counts as gone', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  await rawServer(t, run, 'n2.1', () => {})
  node.runtime.send('n2.1', { kind: 'put.ok', id: 1 })
  await node.told.saw('n2.1 closed')
  t.deepEqual(node.told.events, ['n2.1 closed'])
  t.deepEqual(node.log.lines, [
    {
      message: 'connection closed: the peer is silent',
      fields: { peer: 'n2.1', reason: 'no answer to our hello in 5 s: it is paused or hangs' },
    },
  ])
})

test('another protocol version is refused with both named', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  const later = await RawPeer.connected(t, run, 'n1.1')
  later.write(framesOf(hello('c-1', 'data', 9), hello('c-1'), { kind: 'put.ok', id: 1 }))
  await later.ended
  t.deepEqual(later.received, [
    {
      kind: 'hello.refused',
      protocol: protocolVersion,
      reason: `c-1 speaks protocol version 9, n1.1 speaks ${protocolVersion}`,
    },
  ])
  t.is(node.log.reasons.at(-1), `c-1 speaks protocol version 9, n1.1 speaks ${protocolVersion}`)
  t.deepEqual(node.told.events, [])
})

test('who is refused learns why, and then that the peer is gone', async (t) => {
  const run = runDirectory(t)
  const refusals: GTStoreError[] = []
  const client = await startProcess(t, run, 'c-1', {
    onRefused: (_peer, error) => refusals.push(error),
  })
  await rawServer(t, run, 'manager', (peer) => {
    peer.socket.end(framesOf({ kind: 'hello.refused', protocol: 9, reason: 'too old' }))
  })
  client.runtime.send('manager', { kind: 'client.register', id: 1, client: 0 })
  await client.told.saw('manager closed')
  t.deepEqual(client.told.events, ['manager closed'])
  t.is(refusals[0]?.code, 'VERSION_MISMATCH')
  const versions = `manager speaks protocol version 9, this program speaks ${protocolVersion}:`
  t.true(refusals[0]?.message.startsWith(versions), refusals[0]?.message)
})

test('an address that is none is refused', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  for (const address of ['', '../manager', 'a b', 'x'.repeat(81)]) {
    const peer = await RawPeer.connected(t, run, 'n1.1')
    peer.write(framesOf(hello(address)))
    await peer.ended
    t.deepEqual(
      peer.received.map((message) => (message as Message).kind),
      ['hello.refused'],
    )
  }
  t.deepEqual(node.told.events, [])
})

test('a client that never reads is cut off, others go on', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  const other = await startProcess(t, run, 'c-other')
  const deaf = await RawPeer.connected(t, run, 'n1.1')
  deaf.socket.pause()
  deaf.write(framesOf(hello('c-deaf')))
  await node.told.saw('c-deaf opened')
  const value = Buffer.alloc(1 << 20)
  let sent = 0
  while (node.runtime.send('c-deaf', { kind: 'get.ok', id: 1, value, version: null, node: 'n1' })) {
    sent += 1
    if (sent % 8 === 0) await new Promise(setImmediate)
  }
  t.true(sent >= 64 && sent <= 70)
  await node.told.saw('c-deaf closed')
  t.is(node.told.count('c-deaf closed'), 1)
  t.false(node.runtime.send('c-deaf', { kind: 'put.ok', id: 1 }))
  await stillServes(node, other)
})

test('a node that does not read is refused more, and may catch up', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  const accepted = new Promise<RawPeer>((resolve) => {
    void rawServer(t, run, 'n2.1', (peer) => {
      peer.socket.pause()
      peer.write(framesOf({ kind: 'hello.ok', protocol: protocolVersion, swarm: '' }))
      resolve(peer)
    })
  })
  const value = Buffer.alloc(1 << 20)
  const message: Message = { kind: 'get.ok', id: 1, value, version: null, node: 'n1' }
  let sent = 0
  while (node.runtime.send('n2.1', message)) sent += 1
  const peer = await accepted
  t.true(sent >= 64)
  t.false(node.runtime.send('n2.1', message))
  t.is(node.told.count('n2.1 closed'), 0)
  peer.socket.resume()
  await peer.got(sent + 1)
  t.true(node.runtime.send('n2.1', message))
  await peer.got(sent + 2)
})

test('a thousand idle connections are no burden', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1')
  const other = await startProcess(t, run, 'c-other')
  const idle = await Promise.all(
    Array.from({ length: 1000 }, async (_, i) => {
      const peer = await RawPeer.connected(t, run, 'n1.1')
      if (i % 2 === 0) peer.write(framesOf(hello(`c-${i}`)))
      return peer
    }),
  )
  await stillServes(node, other)
  t.true(idle.every((peer) => !peer.socket.destroyed))
})

test('connections over the limit are refused, and room is made by those that end', async (t) => {
  const run = runDirectory(t)
  const node = await startProcess(t, run, 'n1.1', { connectionsMax: 2 })
  const join = async (name: string) => {
    const peer = await RawPeer.connected(t, run, 'n1.1')
    peer.write(framesOf(hello(name)))
    await peer.got(1)
    return peer
  }
  const first = await join('c-1')
  await join('c-2')
  const third = await join('c-3')
  t.like(third.received[0], { kind: 'hello.refused', reason: 'too many connections' })
  await third.ended
  first.socket.end()
  await node.told.saw('c-1 closed')
  t.like((await join('c-4')).received[0], { kind: 'hello.ok' })
  t.deepEqual(node.told.events, ['c-1 opened', 'c-2 opened', 'c-1 closed', 'c-4 opened'])
})
