/** Requests that wait for a ring to be adopted are in flight: they are bounded, and answered. */
import test from 'ava'
import type { Mode } from '../shared/data/mode.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import { nodeInFlightMax } from '../shared/runtime/limits.js'
import { Cluster, evenRing, keyOf } from './cluster.fixture.js'
import type { Exchange } from './desk.js'

const idle: Exchange = { received() {}, closed() {}, ringChanged() {}, sweep() {} }

function outcome(message: Message): string {
  return message.kind === 'error' ? `${message.code} definite=${message.definite}` : message.kind
}

/** n1 holds the ring of these nodes, and wipes for the one that was published after it. */
function wiping(mode: Mode, before: readonly NodeId[], after: readonly NodeId[]): Cluster {
  const cluster = new Cluster()
  cluster.mode = mode
  cluster.writeRing(evenRing(1, [...before]))
  for (const id of after) cluster.add(id)
  cluster.run()
  const ring: RingDescription = evenRing(2, [...after])
  const { placement } = ring
  const [from = 0, to = 0] = placement.tokens
  const wiped = { from, to, gainer: 'n1', sources: ['n2'], needed: 1, wipe: true }
  cluster.seat('n1.1').engine.isHeld = true
  cluster.publish({ ...ring, change: { plan: 7, next: placement, transfers: [wiped] } })
  cluster.run()
  return cluster
}

/** So that only so many more fit. */
function leaveRoom(cluster: Cluster, requests: number): void {
  const { inFlight } = cluster.seat('n1.1').node
  while (inFlight.size < nodeInFlightMax - requests) inFlight.add(idle)
}

function write(cluster: Cluster, key: string, id: number): void {
  const stamp = { boot: 1, micros: cluster.hostMicros, writer: 'c-1' }
  const deadline = cluster.hostMicros + 5_000_000
  const about = { key: Buffer.from(key), value: Buffer.from(`${id}`), stamp, deadline }
  const plain = { context: null, condition: null, w: 0 }
  cluster.send('c-1', 'n1.1', { kind: 'write', id, ...about, ...plain })
}

function answers(cluster: Cluster): Record<string, string> {
  const messages = cluster.inbox.get('c-1') ?? []
  return Object.fromEntries(messages.map((it) => ['id' in it ? it.id : it.kind, outcome(it)]))
}

function finishWipe(cluster: Cluster): void {
  const { engine } = cluster.seat('n1.1')
  engine.isHeld = false
  engine.sync()
  cluster.advance(50)
}

const five = ['n1', 'n2', 'n3', 'n4', 'n5']

test('writes that wait for a wipe are bounded, the others refused', (t) => {
  const cluster = wiping('siblings', five, five)
  leaveRoom(cluster, 2)
  for (const id of [1, 2, 3]) write(cluster, keyOf(0, 5), id)
  cluster.advance(20)
  t.deepEqual(answers(cluster), { 3: 'OVERLOADED definite=true' })
  finishWipe(cluster)
  t.deepEqual(answers(cluster), { 1: 'write.ok', 2: 'write.ok', 3: 'OVERLOADED definite=true' })
})

test('requests that wait for a swarm to be complete are bounded, the others refused', (t) => {
  const cluster = wiping('latest', ['n1', 'n2'], ['n1', 'n2', 'n3'])
  leaveRoom(cluster, 2)
  for (const id of [1, 2, 3]) cluster.put('c-1', 'n1.1', keyOf(0, 3), `${id}`, id)
  cluster.advance(20)
  t.deepEqual(answers(cluster), { 3: 'OVERLOADED definite=true' })
  finishWipe(cluster)
  t.deepEqual(answers(cluster), { 1: 'put.ok', 2: 'put.ok', 3: 'OVERLOADED definite=true' })
})
