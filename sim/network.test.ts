import test from 'ava'
import { runDown, Toy, toyHost } from './toy.fixture.js'

const ping = (id: number) => ({ kind: 'put.ok', id }) as const

test('sending connects: both sides are told before anything is received', (t) => {
  const host = toyHost(1)
  const a = new Toy(host, 'a', false)
  const b = new Toy(host, 'b')
  b.onMessage = (from) => b.runtime.send(from, ping(2))
  a.runtime.send('b', ping(1))
  runDown(host)
  t.deepEqual(b.events, ['a opened', 'a put.ok 1'])
  t.deepEqual(a.events, ['b opened', 'b put.ok 2'])
})

test('nobody listens there: closed, and the next send tries anew', (t) => {
  const host = toyHost(1)
  const a = new Toy(host, 'a')
  a.runtime.send('b', ping(1))
  runDown(host)
  t.deepEqual(a.events, ['b closed'])
  const b = new Toy(host, 'b')
  a.runtime.send('b', ping(2))
  runDown(host)
  t.deepEqual(b.events, ['a opened', 'a put.ok 2'])
})

test('two that connect to each other at once share one connection', (t) => {
  const host = toyHost(3)
  const a = new Toy(host, 'a')
  const b = new Toy(host, 'b')
  a.runtime.send('b', ping(1))
  b.runtime.send('a', ping(2))
  runDown(host)
  t.deepEqual(a.events, ['b opened', 'b put.ok 2'])
  t.deepEqual(b.events, ['a opened', 'a put.ok 1'])
})

test('who ends is heard to the last message, then closed', (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const host = toyHost(seed, { reorder: true })
    const a = new Toy(host, 'a')
    const b = new Toy(host, 'b')
    a.runtime.send('b', ping(0))
    runDown(host)
    for (let id = 1; id <= 5; id++) a.runtime.send('b', ping(id))
    a.runtime.arrive(() => host.world.at(0, () => a.runtime.close()))
    runDown(host)
    t.is(b.events.length, 8, `seed ${seed}`)
    t.is(b.events.at(-1), 'a closed')
  }
})

test('messages overtake one another where the run asks for it, and only there', (t) => {
  const orders = (reorder: boolean) => {
    const host = toyHost(5, { reorder })
    const a = new Toy(host, 'a')
    const b = new Toy(host, 'b')
    for (let id = 1; id <= 50; id++) a.runtime.send('b', ping(id))
    runDown(host)
    return b.events.slice(1)
  }
  const inOrder = Array.from({ length: 50 }, (_, i) => `a put.ok ${i + 1}`)
  t.deepEqual(orders(false), inOrder)
  t.notDeepEqual(orders(true), inOrder)
  t.deepEqual(orders(true).sort(), inOrder.sort())
})

test('a cut loses what is on its way, and both sides hear of it', (t) => {
  const host = toyHost(1)
  const a = new Toy(host, 'a')
  const b = new Toy(host, 'b')
  a.runtime.send('b', ping(1))
  runDown(host)
  a.runtime.send('b', ping(2))
  a.runtime.arrive(() => host.network.cut(a.runtime, b.runtime))
  runDown(host)
  t.deepEqual(a.events, ['b opened', 'b closed'])
  t.deepEqual(b.events, ['a opened', 'a put.ok 1', 'a closed'])
})

test('a peer that reads nothing has a bounded queue', (t) => {
  const host = toyHost(1)
  const a = new Toy(host, 'a')
  new Toy(host, 'b')
  let sent = 0
  while (a.runtime.send('b', ping(sent))) sent++
  t.is(sent, 5_000)
  runDown(host)
  t.true(a.runtime.send('b', ping(0)))
})

test('the codec stands between processes where the run asks for it', (t) => {
  const host = toyHost(1, { throughCodec: true })
  const a = new Toy(host, 'a')
  const b = new Toy(host, 'b')
  const seen: unknown[] = []
  b.onMessage = (_, message) => seen.push(message)
  const key = Buffer.from('key')
  const message = { kind: 'replica.get', id: 1, epoch: 2, token: 3, key } as const
  a.runtime.send('b', message)
  runDown(host)
  t.deepEqual(seen, [{ ...message, key: Buffer.from(key) }])
  t.not(seen[0], message)
})

test('a queue is judged by what clients did not ask for while the peer did not read', (t) => {
  const host = toyHost(1)
  const a = new Toy(host, 'a')
  new Toy(host, 'b')
  const client = new Toy(host, 'c-1', false)
  host.interference.cut(
    (from) => from === 'a',
    'holding',
    60_000_000,
    () => {},
  )
  const get = (id: number) =>
    ({ kind: 'get', id, key: Buffer.from('k'), r: 0, born: 0, deadline: 0 }) as const
  for (let id = 1; id <= 30; id++) {
    host.world.at(id * 10_000, () => {
      client.runtime.send('b', get(id))
      a.runtime.send('b', ping(id))
    })
  }
  runDown(host)
  t.true(host.network.longestQueue <= 1)
  host.interference.cut(
    (from) => from === 'a',
    'holding',
    60_000_000,
    () => {},
  )
  for (let id = 1; id <= 30; id++) host.world.at(id * 10_000, () => a.runtime.send('b', ping(id)))
  runDown(host)
  t.true(host.network.longestQueue >= 30)
})
