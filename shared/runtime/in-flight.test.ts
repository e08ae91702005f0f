import test from 'ava'
import { InFlight } from './in-flight.js'

test('every entry gets an id of its own and is found by it until it is deleted', (t) => {
  const table = new InFlight<string>()
  const a = table.add('a')
  const b = table.add('b')
  t.not(a, b)
  t.is(table.get(a), 'a')
  t.true(table.delete(a))
  t.false(table.delete(a))
  t.is(table.get(a), undefined)
  t.deepEqual(table.all(), ['b'])
})

test('whoever watches deadlines is told when there is something to watch', (t) => {
  let busy = 0
  const table = new InFlight<string>(() => busy++)
  const a = table.add('a')
  table.delete(table.add('b'))
  t.is(busy, 1)
  table.delete(a)
  table.add('c')
  t.is(busy, 2)
})
