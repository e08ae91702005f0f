import test from 'ava'
import type { Arc } from '../ring/ring.js'
import { Quorum } from './quorum.js'

const arc: Arc = { from: 0, to: 9, owners: ['n1', 'n2', 'n3'], quorums: { n: 3, r: 2, w: 2 } }
const changing: Arc = {
  ...arc,
  next: { owners: ['n2', 'n3', 'n4'], quorums: { n: 3, r: 2, w: 2 } },
}

test('a quorum is met by distinct owners only', (t) => {
  const quorum = Quorum.ofWrite(arc, 0)
  t.is(quorum.ack('n1'), 'pending')
  t.is(quorum.ack('n1'), 'pending')
  t.is(quorum.ack('n9'), 'pending', 'a stranger does not count')
  t.is(quorum.ack('n3'), 'met')
})

test('a quorum is lost once too few owners can answer', (t) => {
  const quorum = Quorum.ofWrite(arc, 0)
  t.is(quorum.fail('n1'), 'pending')
  t.is(quorum.fail('n1'), 'pending')
  t.is(quorum.fail('n2'), 'lost')
})

test('an owner that failed and answers after all counts', (t) => {
  const quorum = Quorum.ofWrite(arc, 0)
  quorum.fail('n1')
  quorum.ack('n1')
  t.is(quorum.ack('n2'), 'met')
  t.is(quorum.fail('n2'), 'met', 'an answer is not taken back')
})

test('while the ring changes a write needs both sides', (t) => {
  const quorum = Quorum.ofWrite(changing, 0)
  t.is(quorum.ack('n1'), 'pending')
  t.is(quorum.ack('n2'), 'pending', 'two of the old, one of the new')
  t.is(quorum.ack('n4'), 'met')
  const lost = Quorum.ofWrite(changing, 0)
  lost.fail('n4')
  t.is(lost.fail('n3'), 'lost', 'two of the new are gone')
})

test('reads count the current owners alone', (t) => {
  const quorum = Quorum.ofRead(changing, 0)
  quorum.ack('n4')
  t.is(quorum.ack('n1'), 'pending')
  t.is(quorum.ack('n2'), 'met')
})

test('r and w of a call replace the usual ones, up to N', (t) => {
  t.is(Quorum.ofWrite(arc, 1).ack('n2'), 'met')
  const all = Quorum.ofRead(arc, 5)
  all.ack('n1')
  t.is(all.ack('n2'), 'pending')
  t.is(all.ack('n3'), 'met')
})
