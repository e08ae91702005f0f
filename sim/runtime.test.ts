import test from 'ava'
import { runDown, Toy, toyHost } from './toy.fixture.js'

test('after(0) runs at the end of the turn, before what was sent leaves', (t) => {
  const host = toyHost(1)
  const a = new Toy(host, 'a')
  const b = new Toy(host, 'b')
  const steps: string[] = []
  host.network.watch((_, __, { kind }) => steps.push(kind))
  a.runtime.arrive(() => {
    a.runtime.after(0, 'first', () => {
      steps.push('end')
      a.runtime.after(0, 'second', () => steps.push('end of the end'))
    })
    a.runtime.send('b', { kind: 'node.stop' })
    steps.push('sent')
  })
  runDown(host)
  t.deepEqual(steps, ['sent', 'end', 'end of the end', 'node.stop'])
  t.is(b.events.length, 2)
})

test('what arrives while a process is busy is one turn', (t) => {
  const host = toyHost(1)
  const { runtime } = new Toy(host, 'a')
  const steps: string[] = []
  const arrive = (name: string) =>
    runtime.arrive(() => {
      steps.push(name)
      runtime.after(0, 'end', () => steps.push(`end after ${name}`))
    })
  runtime.stall(50_000)
  host.world.at(10, () => arrive('one'))
  host.world.at(20_000, () => arrive('two'))
  runDown(host)
  t.deepEqual(steps, ['one', 'two', 'end after one', 'end after two'])
})

test('timers fire when they are due, unless cancelled, even within the turn they are due in', (t) => {
  const host = toyHost(1)
  const { runtime } = new Toy(host, 'a')
  const fired: string[] = []
  const start = runtime.now()
  runtime.after(5, 'late', () => fired.push(`late ${Math.round(runtime.now() - start)}`))
  runtime.after(2, 'early', () => fired.push(`early ${Math.round(runtime.now() - start)}`))
  runtime.after(3, 'cancelled', () => fired.push('cancelled'))()
  const cancelOther = runtime.after(8, 'other', () => fired.push('other'))
  runtime.after(7, 'canceller', () => {
    fired.push('canceller')
    cancelOther()
  })
  host.world.at(6_500, () => runtime.stall(5_000))
  runDown(host)
  t.deepEqual(fired, ['early 2', 'late 5', 'canceller'])
})

test('a process that ended does nothing more', (t) => {
  const host = toyHost(1)
  const { runtime } = new Toy(host, 'a')
  runtime.after(1, 'timer', () => t.fail())
  runtime.close()
  runtime.arrive(() => t.fail())
  t.false(runtime.send('b', { kind: 'node.stop' }))
  runDown(host)
  t.true(runtime.closed)
})

test('a process is alive while its pid and start time are in the table', (t) => {
  const host = toyHost(1)
  const { runtime } = new Toy(host, 'a')
  const process = host.startProcess()
  t.true(runtime.isAlive(process))
  t.false(runtime.isAlive({ ...process, startTime: 'another' }))
  host.endProcess(process)
  t.false(runtime.isAlive(process))
})
