import test from 'ava'
import type { MessageKind } from '../shared/protocol/messages.js'
import { Interference } from './interference.js'
import { World } from './world.js'

const untouched = { copies: 1, held: 0, delay: 0 }
const lost = { copies: 0, held: 0, delay: 0 }
const always = () => true
const second = 1_000_000

/** A world in which time passes only where the test says so. */
function begin() {
  const world = new World(1)
  const interference = new Interference(world)
  const hits: string[] = []
  const hit = (what: string) => () => {
    hits.push(what)
  }
  const pass = (micros: number) => {
    let isOver = false
    world.at(micros, () => {
      isOver = true
    })
    while (!isOver) world.step()
  }
  return { interference, hits, hit, pass }
}

/** How often something of this kind comes, over many messages. */
function copiesOf(interference: Interference, kind: MessageKind): number[] {
  const carriages = Array.from({ length: 200 }, () => interference.carry('a', 'b', kind))
  return [...new Set(carriages.map(({ copies }) => copies))].sort()
}

test('nothing befalls messages until something is the matter', (t) => {
  const { interference } = begin()
  t.deepEqual(interference.carry('a', 'b', 'put'), untouched)
  t.is(interference.dial('a', 'b'), 0)
})

test('a cut hits what crosses it, in its direction, until it ends', (t) => {
  const { interference, hits, hit, pass } = begin()
  interference.cut((from, to) => from === 'a' && to === 'b', 'losing', second, hit('cut'))
  t.deepEqual(interference.carry('b', 'a', 'put'), untouched)
  t.deepEqual(hits, [])
  t.deepEqual(interference.carry('a', 'b', 'put'), lost)
  t.deepEqual(hits, ['cut'])
  pass(second)
  t.deepEqual(interference.carry('a', 'b', 'put'), untouched)
  t.deepEqual(hits, ['cut'])
})

test('what is cut off waits, is refused a connection, or is lost, as the cut is', (t) => {
  const holding = begin()
  holding.interference.cut(always, 'holding', second, holding.hit('held'))
  holding.pass(second / 4)
  t.deepEqual(holding.interference.carry('a', 'b', 'put'), { ...untouched, held: 0.75 * second })
  t.is(holding.interference.dial('a', 'b'), 0.75 * second)
  const closing = begin()
  closing.interference.cut(always, 'closing', second, closing.hit('closed'))
  t.is(closing.interference.dial('a', 'b'), 'refused')
  const losing = begin()
  losing.interference.cut(always, 'losing', second, losing.hit('lost'))
  t.deepEqual(losing.interference.carry('a', 'b', 'get'), lost)
  t.is(losing.interference.dial('a', 'b'), second)
})

test('what a socket never loses is held back instead', (t) => {
  const { interference, hit } = begin()
  interference.cut(always, 'losing', second, hit('cut'))
  t.deepEqual(interference.carry('a', 'b', 'node.stop'), { ...untouched, held: second })
})

test('loss and doubling hit a share, and spare what the protocol does not cover', (t) => {
  const { interference, hits, hit } = begin()
  interference.lose(0.3, second, hit('lost'))
  t.deepEqual(copiesOf(interference, 'get'), [0, 1])
  t.deepEqual(copiesOf(interference, 'node.stop'), [1])
  t.deepEqual(new Set(hits), new Set(['lost']))
  interference.heal()
  interference.duplicate(0.3, second, hit('doubled'))
  t.deepEqual(copiesOf(interference, 'get'), [1, 2])
  t.deepEqual(copiesOf(interference, 'put'), [1])
})

test('a slow process is slow in both directions, and nobody else is', (t) => {
  const { interference, hits, hit } = begin()
  interference.slow('a', second, second, hit('slow'))
  t.true(interference.carry('a', 'b', 'get').delay > 0)
  t.true(interference.carry('b', 'a', 'get').delay > 0)
  t.is(hits.length, 2)
  t.deepEqual(interference.carry('b', 'c', 'get'), untouched)
})

test('supervisors and processes that are not nodes yet are left alone', (t) => {
  const { interference, hits, hit } = begin()
  interference.cut(always, 'losing', second, hit('cut'))
  interference.lose(1, second, hit('lost'))
  for (const exempt of ['supervisor', 'enroll-1001']) {
    t.deepEqual(interference.carry(exempt, 'manager', 'swarm.status'), untouched)
    t.deepEqual(interference.carry('manager', exempt, 'node.spawn'), untouched)
    t.is(interference.dial(exempt, 'manager'), 0)
  }
  t.deepEqual(hits, [])
})

test('what is held back goes once, when its time has come or all is healed', (t) => {
  const { interference, hits, hit, pass } = begin()
  interference.hold(0, hit('at once'))
  interference.hold(second, hit('in time'))
  interference.hold(5 * second, hit('healed'))
  t.deepEqual(hits, ['at once'])
  pass(2 * second)
  t.deepEqual(hits, ['at once', 'in time'])
  interference.heal()
  t.deepEqual(hits, ['at once', 'in time', 'healed'])
  pass(10 * second)
  t.is(hits.length, 3)
})
