import test from 'ava'
import { describeDone } from './node.js'

test('a change that is done is told by its kind, or by the reason that the manager gives', (t) => {
  const done = (change: 'add' | 'remove' | 'replace', node: string, target: string, reason = '') =>
    describeDone({ change, node, reason }, target)
  t.is(done('add', 'n7', ''), 'n7 was added')
  t.is(done('remove', 'n3', 'n3'), 'n3 has left')
  t.is(done('replace', 'n8', 'n3'), 'n3 is replaced: n8 stands in for it')
  t.is(done('remove', 'n3', 'n3', 'it had left before'), 'remove n3: it had left before')
})
