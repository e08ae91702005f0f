import test from 'ava'
import type { Rumor } from '../../shared/protocol/messages.js'
import { gossipRumorsMax } from '../../shared/runtime/limits.js'
import { Rumors } from './rumors.js'

function about(node: string, refutation = 0): Rumor {
  return { node, incarnation: 1, refutation, health: 'suspect' }
}

test('a rumor is passed on three times for each doubling of the members, then no more', (t) => {
  const rumors = new Rumors()
  rumors.add(about('n2'))
  let told = 0
  while (rumors.take(7, []).length > 0) told++
  t.is(told, 9)
})

test('the youngest go first, what the receiver must know before them, and never more than fit', (t) => {
  const rumors = new Rumors()
  for (let i = 0; i < gossipRumorsMax; i++) rumors.add(about(`n${i + 10}`))
  rumors.take(7, [])
  rumors.add(about('n2'))
  const taken = rumors.take(7, [about('n3'), about('n10')])
  t.deepEqual(
    taken.slice(0, 3).map(({ node }) => node),
    ['n3', 'n10', 'n2'],
  )
  t.is(taken.length, gossipRumorsMax)
  t.is(new Set(taken.map(({ node }) => node)).size, gossipRumorsMax)
})

test('a newer rumor of a node takes the place of an older one', (t) => {
  const rumors = new Rumors()
  rumors.add(about('n2', 0))
  rumors.add(about('n2', 1))
  t.deepEqual(rumors.take(7, []), [about('n2', 1)])
  rumors.forget('n2')
  t.deepEqual(rumors.take(7, []), [])
})
