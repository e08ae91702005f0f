/** Whose wish counts, while several have one. */
import test from 'ava'
import { ChangeQueue } from './changes.js'

test('an eviction that is not due any more leaves what the process itself wants', (t) => {
  const queue = new ChangeQueue()
  queue.leave('n1', 'process')
  queue.leave('n1', 'eviction')
  queue.leave('n2', 'eviction')
  t.deepEqual(queue.evicting, ['n1', 'n2'])
  queue.evictOnly(['n2'])
  t.is(queue.origin('n1'), 'process')
  t.deepEqual(queue.evicting, ['n2'])
  queue.evictOnly([])
  t.deepEqual(queue.leaving, ['n1'])
})

test('a process that wants to go while it is evicted goes when it is not', (t) => {
  const queue = new ChangeQueue()
  queue.leave('n1', 'eviction')
  queue.leave('n1', 'process')
  t.is(queue.origin('n1'), 'eviction')
  queue.evictOnly([])
  t.is(queue.origin('n1'), 'process')
})

test('a command outweighs both', (t) => {
  const queue = new ChangeQueue()
  queue.leave('n1', 'process')
  queue.leave('n1', 'command')
  queue.leave('n1', 'eviction')
  queue.evictOnly([])
  t.is(queue.origin('n1'), 'command')
})

test('evictions that somebody who joins must make room for are planned with the joins only', (t) => {
  const queue = new ChangeQueue()
  queue.leave('n1', 'eviction')
  queue.leave('n2', 'eviction')
  queue.join('n5')
  const parties = { replaced: () => undefined, helps: (node: string) => node === 'n5' }
  const planned = (spare: number) => queue.candidates(parties, spare).map(({ delta }) => delta)
  const leave = ['n1', 'n2']
  const joins = { join: ['n5'], leave: [], replace: [] }
  const both = { join: ['n5'], leave, replace: [] }
  const one = (node: string) => ({ join: [], leave: [node], replace: [] })
  t.deepEqual(planned(2), [{ join: [], leave, replace: [] }, one('n1'), one('n2'), joins, both])
  t.deepEqual(planned(1), [one('n1'), one('n2'), joins, both])
  t.deepEqual(planned(0), [joins])
  queue.drop('join', 'n5')
  t.deepEqual(planned(0), [])
})
