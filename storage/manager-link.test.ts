import test from 'ava'
import type { Message } from '../shared/protocol/messages.js'
import { planTransfers } from '../shared/ring/transfers.js'
import { managerRepeatMaxMs, managerRepeatMs, managerRetryMs } from '../shared/runtime/limits.js'
import type { Log, Millis, Runtime } from '../shared/runtime/runtime.js'
import { evenRing } from './cluster.fixture.js'
import { ManagerLink } from './manager-link.js'

const log: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** A link on a clock of its own; what it says stands in `said`, with the second. */
class Line {
  readonly said: string[] = []
  nowMs = 0
  evictions = 0
  readonly link: ManagerLink
  private timers: { readonly at: Millis; readonly fire: () => void }[] = []

  constructor({ returning = false } = {}) {
    const runtime: Runtime = {
      now: () => this.nowMs,
      hostMicros: () => this.nowMs * 1000,
      random: () => 0.5,
      isAlive: () => true,
      send: (_to, message: Message) => {
        this.said.push(`${this.nowMs} ${message.kind}`)
        return true
      },
      after: (ms, _label, fire) => {
        const timer = { at: this.nowMs + ms, fire }
        this.timers.push(timer)
        return () => {
          this.timers = this.timers.filter((other) => other !== timer)
        }
      },
    }
    this.link = new ManagerLink({
      runtime,
      log,
      swarm: 'test',
      member: { id: 'n1', incarnation: 1, pid: 1, startTime: '1' },
      store: 'store',
      returning,
      boot: 1,
      highestEpoch: () => 1,
      evicted: () => this.evictions++,
    })
    this.link.start()
  }

  /** What was said in the time that passes. */
  advance(ms: Millis): string[] {
    const end = this.nowMs + ms
    const before = this.said.length
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.timers = this.timers.filter((timer) => timer !== due)
      this.nowMs = due.at
      due.fire()
    }
    this.nowMs = end
    return this.said.slice(before)
  }
}

/** n1 gains in plan 1. */
function copying() {
  const before = evenRing(1, ['n2', 'n3', 'n4'])
  const next = evenRing(1, ['n1', 'n2', 'n3', 'n4']).placement
  const transfers = planTransfers(before.placement, next, () => true)
  return { ...before, epoch: 2, change: { plan: 1, next, transfers } }
}

test('a join that got lost is said again until it is answered', (t) => {
  const line = new Line()
  t.deepEqual(line.said, ['0 node.join'])
  t.deepEqual(line.advance(3 * managerRepeatMs), ['1000 node.join', '3000 node.join'])
  line.link.joined()
  t.deepEqual(line.advance(60_000), [])
})

test('a leave that got lost is said again until it is answered, and so is nothing else', (t) => {
  const line = new Line()
  line.link.joined()
  line.link.leave()
  t.deepEqual(line.advance(managerRepeatMs), ['1000 node.leave'])
  line.link.leaveNoted()
  t.deepEqual(line.advance(60_000), [])
})

test('a completed plan is said again until a ring follows that is not in the middle of it', (t) => {
  const line = new Line()
  line.link.joined()
  line.link.follow(copying())
  line.link.completed(1)
  line.link.follow({ ...copying(), epoch: 3 })
  t.deepEqual(line.advance(managerRepeatMs), ['1000 handoff.complete'])
  line.link.follow(evenRing(4, ['n1', 'n2', 'n3', 'n4']))
  t.deepEqual(line.advance(60_000), [])
})

test('a reader that is ready says so again, to every manager, until another ring follows', (t) => {
  const line = new Line()
  line.link.joined()
  line.link.follow({ ...copying(), epoch: 3 })
  line.link.ready(3)
  t.deepEqual(line.advance(managerRepeatMs), ['1000 chain.ready'])
  line.link.closed()
  t.deepEqual(line.advance(managerRetryMs), ['1200 node.join', '1200 chain.ready'])
  line.link.joined()
  line.link.follow({ ...copying(), epoch: 4 })
  t.deepEqual(line.advance(60_000), [])
})

test('a manager that is paused for ten minutes finds few messages in its socket', (t) => {
  const line = new Line()
  line.link.completed(1)
  line.link.leave()
  const said = line.advance(600_000)
  const rounds = said.filter((it) => it.endsWith('node.join')).map((it) => Number.parseInt(it, 10))
  t.true(said.length <= 3 * (600_000 / managerRepeatMaxMs + 4))
  t.deepEqual(rounds.slice(0, 6), [1_000, 3_000, 7_000, 15_000, 23_000, 31_000])
})

test('a new manager hears everything, confirmed or not, and quickly', (t) => {
  const line = new Line()
  line.link.leave()
  line.link.joined()
  line.link.leaveNoted()
  line.link.closed()
  t.deepEqual(line.advance(managerRetryMs), ['200 node.join', '200 node.leave'])
  line.link.closed()
  line.link.completed(1)
  t.deepEqual(
    line.advance(managerRepeatMs).map((it) => it.split(' ')[1]),
    ['node.join', 'node.leave', 'handoff.complete'],
    'though something was said in between',
  )
})

test('a leave that was refused is over; a store that is not known any more is evicted', (t) => {
  const line = new Line()
  line.link.joined()
  line.link.leave()
  const refusal = { kind: 'error', definite: true, message: 'no' } as const
  line.link.refused({ ...refusal, id: 2, code: 'CHANGE_REFUSED' })
  t.deepEqual(line.advance(60_000), [])
  line.link.refused({ ...refusal, id: 1, code: 'NOT_FOUND' })
  t.is(line.evictions, 1)
})

test('a stopped node says nothing more', (t) => {
  const line = new Line()
  line.link.stop()
  line.link.closed()
  t.deepEqual(line.advance(60_000), [])
})

test('a node that came back asks anew when a ring has no place for it', (t) => {
  const line = new Line({ returning: true })
  line.link.joined()
  // Its earlier life is named: the manager will name this one.
  const ring = evenRing(1, ['n1', 'n2', 'n3'])
  line.link.follow({ ...ring, members: ring.members.map((it) => ({ ...it, incarnation: 0 })) })
  t.deepEqual(line.advance(1_000), [])
  line.link.follow(evenRing(4, ['n2', 'n3', 'n4']))
  t.deepEqual(line.said.slice(1), ['1000 node.join'])
})

test('a node that a ring named and then dropped has left: it asks nothing', (t) => {
  const line = new Line({ returning: true })
  line.link.joined()
  line.link.follow(evenRing(1, ['n1', 'n2', 'n3']))
  line.link.follow(evenRing(2, ['n2', 'n3', 'n4']))
  t.deepEqual(line.advance(60_000), [])
})
