/** What members of a chain leave behind when they die, pause or come back, at every hop of a write. */
import test from 'ava'
import { requestsOf, withRequests } from '../../shared/data/chain-record.js'
import type { MessageOf } from '../../shared/protocol/messages.js'
import { tokenOf } from '../../shared/ring/token.js'
import { chainResendKeysMax } from '../../shared/runtime/limits.js'
import type { Entry } from '../../shared/runtime/ports.js'
import { ChainCluster, chained } from './chains.fixture.js'

const three = ['n1', 'n2', 'n3'] as const
const addresses = three.map((id) => `${id}.1`)

class Stepped extends ChainCluster {
  isStepped = false
  override run(): void {
    if (!this.isStepped) super.run()
  }
}

function founded(): Stepped {
  const cluster = new Stepped(...three, 'n4')
  cluster.publish(chained({ epoch: 1, members: three, placed: [...three, 'n4'] }))
  return cluster
}

/** One hop: a delivery, or, where none is left, everybody syncs. False when nothing was left to do. */
function hop(cluster: Stepped): boolean {
  if (cluster.step()) return true
  for (const address of addresses) cluster.seat(address).engine.sync()
  cluster.endTurn()
  return !cluster.isQuiet
}

for (const victim of three) {
  test(`${victim} dies at any hop: nothing acknowledged is lost, one effect, one result`, (t) => {
    let died = 0
    for (let hops = 0; hops < 60; hops++) {
      const cluster = founded()
      cluster.write('c0', 'n4.1', 'a', 'before')
      cluster.run()
      const { version } = cluster.ok('c0')
      for (const address of addresses) cluster.seat(address).engine.isHeld = true
      cluster.isStepped = true
      const condition = { is: 'version', version } as const
      const stamp = cluster.write('c1', 'n4.1', 'a', 'after', { condition })
      let done = 0
      while (done < hops && hop(cluster)) done++
      if (done < hops) break
      died++
      const wasAnswered = cluster.answer('c1')?.kind === 'write.ok'
      cluster.crash(`${victim}.1`)
      cluster.isStepped = false
      const members = three.filter((id) => id !== victim)
      const ring = { members, placed: [...three, 'n4'] }
      if (wasAnswered) t.is(readAll(cluster, chained({ epoch: 2, ...ring })), 'after')
      else cluster.publish(chained({ epoch: 2, ...ring }))
      cluster.settle(...members.map((id) => `${id}.1`))
      // The forwarder has asked again by itself; the client asks elsewhere.
      cluster.write('c1', `${members[0]}.1`, 'a', 'after', { id: 2, stamp, condition })
      cluster.settle(...members.map((id) => `${id}.1`))
      const answers = cluster.answersOf('c1')
      t.true(answers.length >= 2, `after ${hops} hops`)
      const versions = answers.map((each) => (each.kind === 'write.ok' ? each.version : each))
      for (const each of versions) t.deepEqual(each, versions[0], `after ${hops} hops`)
      for (const id of members) t.is(cluster.stored(`${id}.1`, 'a'), 'after')
      t.is(cluster.seat(`${members[0]}.1`).node.uncommitted, 0)
    }
    t.true(died > 10, `only ${died} hops`)
  })
}

/** What a get gives under this ring. */
function readAll(cluster: Stepped, ring: ReturnType<typeof chained>): string | null | undefined {
  cluster.publish(ring)
  cluster.get('after', 'n4.1', 'a')
  cluster.settle(...(ring.chains?.[0]?.members ?? []).map((id) => `${id}.1`))
  return cluster.readBy('after')
}

test('a reader before its mark does not serve; it does after it', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'a', '1')
  cluster.run()
  cluster.pause('n1.1')
  cluster.publish(chained({ epoch: 2, members: ['n1', 'n2'], placed: [...three, 'n4'] }))
  cluster.get('g', 'n4.1', 'a')
  cluster.run()
  t.is(cluster.answer('g'), undefined)
  cluster.wake('n1.1')
  cluster.run()
  t.is(cluster.readBy('g'), '1')
})

test('a get that waits for the mark longer than its call is refused', (t) => {
  const cluster = founded()
  cluster.pause('n1.1')
  cluster.publish(chained({ epoch: 2, members: ['n1', 'n2'], placed: [...three, 'n4'] }))
  cluster.get('g', 'n2.1', 'a')
  cluster.advance(5_100)
  t.like(cluster.answer('g'), { kind: 'error', code: 'TIMEOUT' })
})

test('a paused old tail answers nothing when it wakes up', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'a', 'old')
  cluster.run()
  cluster.pause('n3.1')
  const times = { born: cluster.hostMicros, deadline: cluster.hostMicros + 5_000_000 }
  const asked = { id: 77, epoch: 1, token: tokenOf(Buffer.from('a')), key: Buffer.from('a'), r: 0 }
  cluster.send('n4.1', 'n3.1', { kind: 'coordinate.get', ...asked, ...times })
  cluster.run()
  cluster.publish(chained({ epoch: 2, members: ['n1', 'n2'], placed: [...three, 'n4'] }))
  cluster.write('c2', 'n1.1', 'a', 'new')
  cluster.run()
  cluster.ok('c2')
  cluster.trace.length = 0
  cluster.wake('n3.1')
  cluster.run()
  t.true(cluster.trace.includes('n3.1 > n4.1 stale'))
  t.false(cluster.trace.some((line) => line.startsWith('n3.1 > ') && line.endsWith('get.ok')))
})

test('a paused old head orders nothing when it wakes up', (t) => {
  const cluster = founded()
  cluster.pause('n1.1')
  const stamp = cluster.write('c1', 'n4.1', 'a', '1', { condition: { is: 'absent' } })
  cluster.run()
  cluster.publish(chained({ epoch: 2, members: ['n2', 'n3'], placed: [...three, 'n4'] }))
  cluster.run()
  const first = cluster.ok('c1').version
  cluster.wake('n1.1')
  cluster.run()
  cluster.write('c1', 'n1.1', 'a', '1', { id: 2, stamp, condition: { is: 'absent' } })
  cluster.run()
  t.deepEqual(cluster.ok('c1').version, first)
  t.is(cluster.held('n2.1', 'a')?.requests, 1)
})

test('a joiner is copied to by the reader while writes go on, then reads, then stays', (t) => {
  const cluster = founded()
  for (let i = 0; i < 40; i++) cluster.write(`c${i}`, 'n1.1', `key${i}`, 'old')
  cluster.run()
  cluster.trace.length = 0
  const members = [...three, 'n4']
  const change = { plan: 1, next: members }
  cluster.mayArrive = ({ kind }) => kind !== 'handoff.batch'
  cluster.publish(chained({ epoch: 2, members, full: 3, placed: members, change }))
  t.true(cluster.trace.includes('n4.1 > n3.1 handoff.pull'))
  for (let i = 0; i < 20; i++) cluster.write(`d${i}`, 'n1.1', `key${i}`, 'new')
  cluster.run()
  t.is(cluster.ok('d0').kind, 'write.ok')
  t.is(cluster.read('n4.1', 'key0'), 'new')
  t.is(cluster.stored('n4.1', 'key30'), undefined)
  cluster.letArrive()
  t.is(cluster.stored('n4.1', 'key30'), 'old')
  t.is(cluster.stored('n4.1', 'key0'), 'new')
  t.true(cluster.trace.includes('n4.1 > manager handoff.complete'))
  const switching = { ...change, switching: true }
  const joined = { members, full: 3, reader: 'n4', placed: members, change: switching }
  cluster.publish(chained({ epoch: 3, ...joined }))
  const ready = cluster.answersOf('manager').filter(({ kind }) => kind === 'chain.ready')
  t.deepEqual(ready, [{ kind: 'chain.ready', node: 'n4', epoch: 3 }])
  cluster.get('g', 'n1.1', 'key0')
  cluster.run()
  t.like(cluster.answer('g'), { kind: 'get.ok', node: 'n4' })
  cluster.publish(chained({ epoch: 4, members: ['n2', 'n3', 'n4'], placed: ['n2', 'n3', 'n4'] }))
  cluster.run()
  t.is(cluster.read('n2.1', 'key30'), 'old')
  t.is(cluster.seat('n4.1').node.uncommitted, 0)
  cluster.advance(7_000)
  for (const id of ['n2', 'n3', 'n4']) t.is(cluster.held(`${id}.1`, 'key1')?.requests, 0)
})

test('another plan: the joiner wipes, and copies anew from who reads then', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'a', '1')
  cluster.run()
  const members = [...three, 'n4']
  cluster.mayArrive = ({ kind }) => kind !== 'handoff.batch'
  const change = { plan: 1, next: members }
  cluster.publish(chained({ epoch: 2, members, full: 3, placed: members, change }))
  cluster.kill('n3.1')
  const left = ['n1', 'n2', 'n4']
  cluster.mayArrive = () => true
  const again = { plan: 2, next: left }
  cluster.publish(chained({ epoch: 3, members: left, full: 2, placed: members, change: again }))
  cluster.run()
  t.is(cluster.stored('n4.1', 'a'), '1')
  const complete = cluster.answersOf('manager').filter(({ kind }) => kind === 'handoff.complete')
  t.deepEqual(complete, [{ kind: 'handoff.complete', plan: 2, node: 'n4' }])
})

test('what is taken while the wipe of a newer ring is under way is refused', (t) => {
  const cluster = founded()
  const { engine } = cluster.seat('n2.1')
  engine.isHeld = true
  const placed = [...three, 'n4']
  const change = { plan: 1, next: three }
  // It slept through the ring in which it was dropped: now it joins again, and its wipe is under way.
  cluster.publish(chained({ epoch: 3, members: ['n1', 'n3', 'n2'], full: 2, placed, change }))
  cluster.trace.length = 0
  const empty = {
    value: Buffer.from('x'),
    attached: null,
    origin: '',
    request: 0,
    stamp: null,
  } as const
  const version = { boot: 1, micros: cluster.hostMicros, writer: '0000000000000001' }
  const about = { id: 2 ** 31 + 9, epoch: 1, token: 7, key: Buffer.from('late') }
  cluster.send('n1.1', 'n2.1', { kind: 'chain.put', ...about, ...empty, version })
  cluster.run()
  t.true(cluster.trace.includes('n2.1 > n1.1 stale'))
  t.is(cluster.held('n2.1', 'late'), undefined)
  cluster.settle('n2.1')
  t.is(cluster.held('n2.1', 'late'), undefined)
})

test('a batch of an earlier plan that comes while a wipe is under way is not kept', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n1.1', 'a', 'deleted', { timeoutMs: 20 })
  cluster.run()
  const placed = [...three, 'n4']
  const joining = (epoch: number, plan: number) =>
    chained({ epoch, members: placed, full: 3, placed, change: { plan, next: placed } })
  cluster.mayArrive = (_, __, to) => to !== 'n4.1'
  cluster.publish(joining(2, 1))
  // Given up, the key deleted and its tombstone forgotten, and begun anew: n4 hears of the last alone.
  const givenUp = chained({ epoch: 3, members: three, placed })
  cluster.writeRing(givenUp)
  for (const to of addresses) cluster.send('manager', to, { kind: 'ring.publish', ring: givenUp })
  cluster.run()
  cluster.advance(10)
  cluster.write('c2', 'n1.1', 'a', null, { timeoutMs: 20 })
  cluster.run()
  cluster.ok('c2')
  cluster.advance(1_500)
  for (const address of addresses) t.is(cluster.held(address, 'a'), undefined)
  cluster.seat('n4.1').engine.isHeld = true
  cluster.publish(joining(4, 2))
  cluster.letArrive()
  cluster.settle('n4.1')
  t.true(cluster.answersOf('manager').some((it) => it.kind === 'handoff.complete' && it.plan === 2))
  t.is(cluster.held('n4.1', 'a'), undefined)
})

test('a whole chain that comes back from its disks sends down what was under way', (t) => {
  const cluster = founded()
  cluster.mayArrive = ({ kind }) => kind !== 'chain.put'
  const stamp = cluster.write('c1', 'n4.1', 'a', '1')
  const count = 3 * chainResendKeysMax
  for (let i = 0; i < count; i++) cluster.write(`d${i}`, 'n4.1', `key${i}`, 'x')
  cluster.run()
  t.is(cluster.answer('c1'), undefined)
  const engines = three.map((id) => cluster.seat(`${id}.1`).engine)
  cluster.kill(...addresses)
  cluster.mayArrive = () => true
  for (const [i, id] of three.entries()) cluster.add(id, engines[i], 2)
  const incarnations = { n1: 2, n2: 2, n3: 2 }
  const placed = [...three, 'n4']
  cluster.publish(chained({ epoch: 2, members: three, placed, incarnations }))
  for (const id of three) {
    t.is(cluster.stored(`${id}.2`, 'a'), '1')
    t.is(cluster.stored(`${id}.2`, `key${count - 1}`), 'x')
    t.is(cluster.seat(`${id}.2`).node.uncommitted, 0)
  }
  cluster.write('c1', 'n2.2', 'a', '1', { id: 2, stamp })
  cluster.run()
  t.is(cluster.held('n1.2', 'a')?.requests, 1)
  t.deepEqual(cluster.ok('c1').version, cluster.held('n1.2', 'a')?.version)
})

test('a head that comes back forgets nothing over a ring that names its life before', (t) => {
  const cluster = founded()
  cluster.mayArrive = ({ kind }) => kind !== 'chain.put'
  cluster.write('c1', 'n4.1', 'a', '1')
  cluster.advance(6_000)
  cluster.mayArrive = () => true
  const { engine } = cluster.seat('n1.1')
  cluster.kill('n1.1')
  cluster.add('n1', engine, 2)
  cluster.advance(10)
  const placed = [...three, 'n4']
  cluster.publish(chained({ epoch: 2, members: three, placed }))
  cluster.publish(chained({ epoch: 3, members: three, placed, incarnations: { n1: 2 } }))
  for (const address of ['n1.2', 'n2.1', 'n3.1']) t.is(cluster.stored(address, 'a'), '1')
  t.is(cluster.seat('n1.2').node.uncommitted, 0)
})

test('what a node finds late, and is not its own, it does not follow', (t) => {
  const cluster = founded()
  cluster.write('c1', 'n4.1', 'a', '1')
  cluster.run()
  const left = cluster.seat('n1.1').engine.entries.get('a') as Entry
  const { engine } = cluster.seat('n4.1')
  cluster.kill('n4.1')
  const found: (() => void)[] = []
  engine.scan = (_range, _after, _limitBytes, done) => {
    found.push(() => done(undefined, { entries: [left], next: undefined }))
  }
  cluster.add('n4', engine, 2)
  const placed = [...three, 'n4']
  cluster.publish(chained({ epoch: 2, members: three, placed, incarnations: { n4: 2 } }))
  t.is(found.length, 1)
  for (const find of found) find()
  cluster.run()
  t.is(cluster.seat('n4.2').node.uncommitted, 0)
})

test('a link that broke is taken up again, and nothing is missing behind it', (t) => {
  const cluster = founded()
  cluster.mayArrive = ({ kind }, from) => !(kind === 'chain.put' && from === 'n2.1')
  cluster.write('c1', 'n4.1', 'a', '1')
  cluster.run()
  cluster.mayArrive = () => true
  cluster.seat('n2.1').node.closed('n3.1')
  cluster.seat('n3.1').node.closed('n2.1')
  cluster.run()
  t.is(cluster.stored('n3.1', 'a'), undefined)
  cluster.advance(150)
  t.is(cluster.stored('n3.1', 'a'), '1')
  t.is(cluster.seat('n1.1').node.uncommitted, 0)
  cluster.advance(1_000)
  cluster.ok('c1')
})

test('while the queue to the next member is full, the head refuses; later all goes on', (t) => {
  const cluster = founded()
  cluster.fullQueues.add('n1.1>n2.1')
  cluster.write('c1', 'n4.1', 'a', '1')
  cluster.run()
  cluster.write('c2', 'n4.1', 'b', '2')
  cluster.run()
  t.like(cluster.answer('c2'), { kind: 'error', code: 'OVERLOADED', definite: true })
  cluster.fullQueues.clear()
  cluster.advance(1_100)
  cluster.ok('c1')
  t.is(cluster.held('n1.1', 'b'), undefined)
  t.is(cluster.seat('n1.1').node.uncommitted, 0)
})

test('an acknowledgement that was lost is made up for', (t) => {
  const cluster = founded()
  cluster.mayArrive = ({ kind }) => kind !== 'chain.ack'
  cluster.write('c1', 'n4.1', 'a', '1')
  cluster.run()
  cluster.ok('c1')
  t.is(cluster.seat('n1.1').node.uncommitted, 1)
  cluster.mayArrive = () => true
  cluster.advance(5_500)
  t.is(cluster.seat('n1.1').node.uncommitted, 0)
})

test('a request that a wipe took is not waited for', (t) => {
  const cluster = founded()
  cluster.mayArrive = ({ kind }) => kind !== 'chain.ack'
  cluster.write('c1', 'n4.1', 'a', '1')
  cluster.run()
  t.is(cluster.seat('n1.1').node.uncommitted, 1)
  for (const address of addresses) {
    const { entries } = cluster.seat(address).engine
    const copied = entries.get('a') as Entry
    entries.set('a', { ...copied, record: withRequests(copied.record, []) })
  }
  cluster.mayArrive = () => true
  cluster.advance(5_500)
  t.is(cluster.seat('n1.1').node.uncommitted, 0)
  t.is(cluster.read('n4.1', 'a'), '1')
})

test('what the last one holds by a copy is not acknowledged for one before it that lacks it', (t) => {
  const cluster = founded()
  const long = { timeoutMs: 30_000 }
  cluster.mayArrive = ({ kind }, from) => !(kind === 'chain.put' && from === 'n2.1')
  cluster.write('c1', 'n4.1', 'a', '1', long)
  cluster.run()
  cluster.mayArrive = ({ kind }) => kind !== 'chain.put'
  cluster.write('c2', 'n4.1', 'a', '2', long)
  cluster.run()
  t.is(cluster.seat('n1.1').node.uncommitted, 2)
  const copied = cluster.seat('n1.1').engine.entries.get('a') as Entry
  cluster.seat('n3.1').engine.entries.set('a', copied)
  cluster.mayArrive = ({ kind }, from) => !(kind === 'chain.put' && from === 'n1.1')
  cluster.seat('n2.1').node.closed('n3.1')
  cluster.seat('n3.1').node.closed('n2.1')
  cluster.advance(150)
  t.is(cluster.held('n2.1', 'a')?.requests, 1)
  t.is(cluster.seat('n1.1').node.uncommitted, 1)
  cluster.mayArrive = () => true
  cluster.advance(6_000)
  t.is(cluster.held('n2.1', 'a')?.requests, 2)
  for (const address of addresses) t.is(cluster.seat(address).node.uncommitted, 0)
})

test('what is not durable yet is not acknowledged for the one before it', (t) => {
  const cluster = founded()
  const long = { timeoutMs: 30_000 }
  cluster.mayArrive = ({ kind }) => kind !== 'chain.ack'
  cluster.write('c1', 'n4.1', 'a', '1', long)
  cluster.run()
  // What the end holds by a copy it acknowledges whenever anything of the key comes down to it.
  cluster.seat('n2.1').engine.isHeld = true
  cluster.write('c2', 'n4.1', 'a', '2', long)
  cluster.run()
  const { token, key, record } = cluster.seat('n1.1').engine.entries.get('a') as Entry
  const stamps = requestsOf(record).map(({ stamp }) => stamp)
  t.is(stamps.length, 2)
  cluster.mayArrive = () => true
  const { node, engine } = cluster.seat('n2.1')
  const { epoch } = node.ring
  node.received('n3.1', { kind: 'chain.ack', id: 0, epoch, token, key, stamps })
  cluster.run()
  t.is(cluster.seat('n1.1').node.uncommitted, 1)
  engine.isHeld = false
  engine.sync()
  cluster.endTurn()
  cluster.advance(6_000)
  for (const address of addresses) t.is(cluster.seat(address).node.uncommitted, 0)
})

test('a value never travels without the request that wrote it', (t) => {
  const cluster = founded()
  cluster.mayArrive = ({ kind }, from) => !(kind === 'chain.put' && from === 'n2.1')
  cluster.write('c1', 'n4.1', 'a', '1')
  cluster.run()
  cluster.mayArrive = () => true
  cluster.write('c2', 'n4.1', 'a', 'x', { condition: { is: 'absent' } })
  cluster.run()
  t.like(cluster.answer('c2'), { code: 'CONDITION_FAILED' })
  t.is(cluster.held('n3.1', 'a')?.requests, 2)
})

test('a new reader is ready once all before the mark is durable', (t) => {
  const cluster = founded()
  const members = [...three, 'n4']
  const change = { plan: 1, next: members }
  cluster.publish(chained({ epoch: 2, members, full: 3, placed: members, change }))
  const { engine } = cluster.seat('n4.1')
  engine.isHeld = true
  cluster.write('c1', 'n1.1', 'a', '1')
  cluster.run()
  const switching = { ...change, switching: true }
  const joined = { members, full: 3, reader: 'n4', placed: members, change: switching }
  cluster.publish(chained({ epoch: 3, ...joined }))
  const isReady = () => cluster.answersOf('manager').some(({ kind }) => kind === 'chain.ready')
  t.false(isReady())
  cluster.settle('n4.1')
  t.true(isReady())
})

test('a session of which a message was lost here says nothing by its mark', (t) => {
  const cluster = founded()
  const { chain } = cluster.seat('n3.1').node
  cluster.mayArrive = ({ kind }) => kind !== 'chain.mark'
  cluster.publish(chained({ epoch: 2, members: three, placed: [...three, 'n4'] }))
  cluster.get('g', 'n4.1', 'a')
  cluster.run()
  const put = { kind: 'chain.put', id: 2 ** 31 + 50, epoch: 2 } as MessageOf<'chain.put'>
  chain?.lost('n2.1', put)
  cluster.letArrive()
  t.is(cluster.answer('g'), undefined)
  t.true(cluster.trace.includes('n3.1 > n2.1 stale'))
  // The sender begins anew, in sessions that come after the lost one.
  for (let i = 0; i < 60 && cluster.answer('g') === undefined; i++) cluster.advance(100)
  t.is(cluster.readBy('g'), null)
})

test('what no member of the chain can have sent is ignored', (t) => {
  const cluster = founded()
  const about = { id: 2 ** 31, epoch: 1, token: 7, key: Buffer.from('a'), value: Buffer.from('x') }
  const version = { boot: 1, micros: 5, writer: '0000000000000001' }
  const nobody = { origin: '', request: 0, stamp: null }
  const put = { kind: 'chain.put', ...about, version, ...nobody } as const
  cluster.send('n1.1', 'n3.1', { ...put, attached: null })
  cluster.send('n1.1', 'n2.1', { ...put, attached: Buffer.from('garbage') })
  cluster.send('n1.1', 'n2.1', { ...put, attached: null, stamp: version })
  cluster.send('n3.1', 'n1.1', {
    kind: 'chain.ack',
    id: 0,
    epoch: 1,
    token: 7,
    key: about.key,
    stamps: [],
  })
  cluster.run()
  for (const id of three) t.is(cluster.held(`${id}.1`, 'a'), undefined)
})
