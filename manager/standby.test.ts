import test from 'ava'
import type { Message } from '../shared/protocol/messages.js'
import { gossipPeriodMs, standbyPatienceMs } from '../shared/runtime/limits.js'
import type { Log, Millis, ProcessId, Runtime } from '../shared/runtime/runtime.js'
import { Standby } from './standby.js'

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} }
const first: ProcessId = { pid: 10, startTime: '1' }
const second: ProcessId = { pid: 20, startTime: '2' }

interface Timer {
  readonly at: Millis
  readonly fire: () => void
}

/** A standby, the process file that it watches, and a clock. */
class Table {
  holder: ProcessId | undefined
  readonly alive = new Set<number>([first.pid, second.pid])
  /** What becomes of pings: answered, or lost. */
  answers = true
  /** SIGKILL takes effect at once. */
  killTakes = true
  readonly seen: string[] = []
  readonly standby: Standby
  #now: Millis = 1_000
  #timer: Timer | undefined

  constructor(holder: ProcessId | undefined) {
    this.holder = holder
    this.standby = new Standby({
      runtime: this.#runtime(),
      log: quiet,
      holder: () => this.holder,
      kill: ({ pid }) => {
        this.seen.push(`kill ${pid}`)
        if (this.killTakes) this.alive.delete(pid)
      },
      onFree: () => this.seen.push('free'),
      onStopped: () => this.seen.push('stopped'),
    })
  }

  /** The clock jumps where a timer is `late`. */
  pass(ms: Millis, late: Millis = 0): void {
    const end = this.#now + ms
    while (this.#timer !== undefined && this.#timer.at <= end) {
      const { at, fire } = this.#timer
      this.#timer = undefined
      this.#now = at + late
      fire()
    }
    this.#now = Math.max(this.#now, end)
  }

  die(process: ProcessId): void {
    this.alive.delete(process.pid)
    this.standby.closed('manager')
  }

  #runtime(): Runtime {
    return {
      now: () => this.#now,
      hostMicros: () => this.#now * 1000,
      random: () => 0,
      isAlive: ({ pid }) => this.alive.has(pid),
      send: (_to, message) => {
        if (this.answers) this.standby.received('manager', answerTo(message))
        return true
      },
      after: (ms, _label, fire) => {
        const timer = { at: this.#now + ms, fire }
        this.#timer = timer
        return () => {
          if (this.#timer === timer) this.#timer = undefined
        }
      },
    }
  }
}

function answerTo(message: Message): Message {
  if (message.kind !== 'gossip.ping') throw new Error(`${message.kind} is no ping`)
  return { kind: 'gossip.ack', id: message.id, epoch: 3, rumors: [] }
}

test('a manager that answers keeps its place', (t) => {
  const table = new Table(first)
  table.standby.start()
  table.pass(600_000)
  t.deepEqual(table.seen, [])
})

test('a refusal is a sign of life, too', (t) => {
  const table = new Table(first)
  table.answers = false
  table.standby.start()
  for (let ms = 0; ms < 60_000; ms += gossipPeriodMs) {
    const refusal = { kind: 'error', id: 1, code: 'STOPPING', definite: true, message: '' } as const
    table.standby.received('manager', refusal)
    table.pass(gossipPeriodMs)
  }
  t.deepEqual(table.seen, [])
})

test('a dead manager is seen by the end of its connection', (t) => {
  const table = new Table(first)
  table.standby.start()
  table.pass(10_500)
  table.die(first)
  table.pass(100)
  t.deepEqual(table.seen, ['free'])
})

test('a manager that only closed the connection goes on', (t) => {
  const table = new Table(first)
  table.standby.start()
  table.standby.closed('manager')
  table.pass(60_000)
  t.deepEqual(table.seen, [])
})

test('a silent manager is killed after the patience, and waited for until it is gone', (t) => {
  const table = new Table(first)
  table.standby.start()
  table.pass(10_000)
  table.answers = false
  table.killTakes = false
  table.pass(standbyPatienceMs - gossipPeriodMs)
  t.deepEqual(table.seen, [])
  table.pass(2 * gossipPeriodMs)
  t.is(table.seen[0], 'kill 10')
  t.false(table.seen.includes('free'))
  table.alive.delete(first.pid)
  table.pass(100)
  t.is(table.seen.at(-1), 'free')
})

test('a standby that was itself held up does not take that for silence', (t) => {
  const table = new Table(first)
  table.answers = false
  table.standby.start()
  table.pass(gossipPeriodMs, 60_000)
  table.pass(0, 60_000)
  t.deepEqual(table.seen, [])
  table.answers = true
  table.pass(60_000)
  t.deepEqual(table.seen, [])
})

test('another one was faster: it is watched from then on, with all patience', (t) => {
  const table = new Table(first)
  table.standby.start()
  table.die(first)
  table.pass(100)
  t.deepEqual(table.seen, ['free'])
  table.pass(60_000)
  t.deepEqual(table.seen, ['free'], 'nothing happens until the journal has decided')
  table.standby.goOn()
  table.pass(100)
  t.deepEqual(table.seen, ['free', 'free'], 'the winner has not said yet who it is')
  table.holder = second
  table.standby.goOn()
  table.pass(60_000)
  t.deepEqual(table.seen, ['free', 'free'])
  table.answers = false
  table.pass(standbyPatienceMs + 2 * gossipPeriodMs)
  t.deepEqual(table.seen, ['free', 'free', 'kill 20', 'free'])
})

test('the silence of one manager is not counted against the next', (t) => {
  const table = new Table(first)
  table.answers = false
  table.standby.start()
  table.pass(standbyPatienceMs - gossipPeriodMs)
  table.holder = second
  table.pass(standbyPatienceMs)
  t.deepEqual(table.seen, [])
})

test('no manager at all: the place is free', (t) => {
  const table = new Table(undefined)
  table.standby.start()
  t.deepEqual(table.seen, ['free'])
})

test('a manager that ended in good order took the swarm along: nobody stands by for it', (t) => {
  const table = new Table(first)
  table.standby.start()
  table.holder = undefined
  table.die(first)
  table.pass(60_000)
  t.deepEqual(table.seen, ['stopped'])
})
