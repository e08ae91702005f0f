import test from 'ava'
import { describeDone } from './node.js'
import { changeLine } from './status.js'

test('a change that is done is told by its kind, or by the reason that the manager gives', (t) => {
  const done = (change: 'add' | 'remove' | 'replace', node: string, target: string, reason = '') =>
    describeDone({ change, node, reason }, target)
  t.is(done('add', 'n7', ''), 'n7 was added')
  t.is(done('remove', 'n3', 'n3'), 'n3 has left')
  t.is(done('replace', 'n8', 'n3'), 'n3 is replaced: n8 stands in for it')
  t.is(done('remove', 'n3', 'n3', 'it had left before'), 'remove n3: it had left before')
})

test('only a change that a command asked for has a number', (t) => {
  const progress = { rangesDone: 0, rangesTotal: 0, keys: 0, bytes: 0 }
  const evict = { change: 'evict', node: 'n3', state: 'queued', reason: '', progress } as const
  t.is(changeLine({ ticket: 0, ...evict }), 'change: evict n3 is queued')
  t.is(changeLine({ ticket: 7, ...evict }), 'change 7: evict n3 is queued')
})
