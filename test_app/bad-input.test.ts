/** Whatever a connection sends, it harms that connection and nobody else. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Client } from '../client/index.js'
import { closedByPeer, framed, hello, open } from './raw-connection.fixture.js'
import { connect, startSwarm } from './swarm.fixture.js'
import type { Swarm } from './swarm.js'

interface Victims {
  readonly swarm: Swarm
  readonly client: Client
  /** Sockets of a node and of the manager. */
  readonly sockets: readonly string[]
  /** Everybody still works, and nobody was started again. */
  unharmed(): Promise<void>
}

async function victims(t: ExecutionContext): Promise<Victims> {
  t.timeout(90_000)
  const swarm = await startSwarm(t, { nodes: 3 })
  const client = await connect(t, swarm)
  const pids = swarm.pids
  const { nodes } = await swarm.status()
  let count = 0
  const unharmed = async (): Promise<void> => {
    for (const { id } of nodes) {
      const witness = await connect(t, swarm, { via: id })
      const key = `witness${count++}`
      await witness.put(key, 'unharmed')
      t.is((await client.get(key))?.value, 'unharmed')
    }
    t.deepEqual(swarm.pids, pids)
    t.is((await swarm.status()).state, 'serving')
  }
  return { swarm, client, sockets: [nodes[0]?.socket ?? '', `${swarm.run}/manager.sock`], unharmed }
}

const malformed: readonly (readonly [string, Buffer])[] = [
  ['garbage', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ['a length of four gigabytes', Buffer.from('ffffffff00', 'hex')],
  ['an empty frame', Buffer.from('00000000', 'hex')],
  ['a frame that is no CBOR', Buffer.from('00000004ffffffff', 'hex')],
  [
    'a bignum of a kilobyte',
    Buffer.concat([Buffer.from('00000404c2590400', 'hex'), Buffer.alloc(1024, 1)]),
  ],
  ['a message of no known number', Buffer.from('00000004821903e8', 'hex')],
]

test.serial('malformed input closes its connection, before and after the greeting', async (t) => {
  const { sockets, unharmed } = await victims(t)
  for (const path of sockets) {
    for (const [what, bytes] of malformed) {
      const stranger = await open(t, path)
      stranger.write(bytes)
      await closedByPeer(stranger)
      const guest = await open(t, path)
      guest.write(framed(hello('c-00000000000000ff')))
      await once(guest, 'data')
      guest.write(bytes)
      await closedByPeer(guest)
      t.pass(what)
    }
  }
  await unharmed()
})

test.serial('another version of the protocol is refused by name', async (t) => {
  const { sockets, unharmed } = await victims(t)
  for (const path of sockets) {
    const socket = await open(t, path)
    socket.write(framed({ kind: 'hello', protocol: 99, from: 'c-00000000000000ff', lane: 'data' }))
    const [reply] = (await once(socket, 'data')) as [Buffer]
    t.regex(reply.toString('latin1'), /version/)
    await closedByPeer(socket)
  }
  await unharmed()
})

test.serial('truncated, half-closed and byte-by-byte connections disturb nobody', async (t) => {
  const { sockets, unharmed } = await victims(t)
  for (const path of sockets) {
    const truncated = await open(t, path)
    truncated.end(framed(hello('c-00000000000000fe')).subarray(0, 7))
    await closedByPeer(truncated)
    const halfClosed = await open(t, path)
    halfClosed.write(framed(hello('c-00000000000000fd')))
    await once(halfClosed, 'data')
    halfClosed.end()
    await closedByPeer(halfClosed)
    const slow = await open(t, path)
    const greeting = framed(hello('c-00000000000000fc'))
    for (const byte of greeting) {
      slow.write(Buffer.from([byte]))
      await pause(2)
    }
    await once(slow, 'data')
    slow.destroy()
  }
  await unharmed()
})

test.serial('a byte a second never says hello in time', async (t) => {
  const { sockets, unharmed } = await victims(t)
  const slow = await open(t, sockets[0] ?? '')
  let cut = false
  const closed = closedByPeer(slow).then(() => {
    cut = true
  })
  for (const byte of framed(hello('c-00000000000000fb'))) {
    if (cut) break
    slow.write(Buffer.from([byte]))
    await Promise.race([closed, pause(1_000, undefined, { ref: false })])
  }
  await closed
  t.true(cut)
  await unharmed()
})

test.serial('a client that never reads is cut off, and others are served meanwhile', async (t) => {
  const { sockets, client, unharmed } = await victims(t)
  await client.put('large', 'x'.repeat(1024 * 1024))
  const socket = await open(t, sockets[0] ?? '')
  socket.write(framed(hello('c-00000000000000fa')))
  await once(socket, 'data')
  socket.pause()
  const ended = new Promise((resolve) => socket.once('close', resolve))
  await flood(socket)
  await unharmed()
  socket.resume()
  await ended
  t.pass()
})

/** Asks for 200 MB of answers without reading any. */
async function flood(socket: Socket): Promise<void> {
  const key = Buffer.from('large')
  const born = Number(process.hrtime.bigint() / 1000n)
  for (let id = 1; id <= 200; id++) {
    socket.write(framed({ kind: 'get', id, key, r: 0, born, deadline: born + 60_000_000 }))
    await pause(5)
  }
}

test.serial('1,000 idle connections disturb nobody', async (t) => {
  const { sockets, unharmed } = await victims(t)
  const path = sockets[0] ?? ''
  const idle = await Promise.all(Array.from({ length: 1_000 }, () => open(t, path)))
  await unharmed()
  for (const [index, socket] of idle.entries()) {
    socket.write(framed(hello(`c-${index.toString(16).padStart(16, '0')}`)))
  }
  await Promise.all(idle.map((socket) => once(socket, 'data')))
  await unharmed()
})
