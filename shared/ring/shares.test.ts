import test from 'ava'
import { copyShares, movedShares, primaryShares } from './shares.js'
import { tokenSpace } from './token.js'

const quarter = tokenSpace / 4
const placement = (nodes: string[]) => ({
  replicas: 2,
  readQuorum: 1,
  writeQuorum: 2,
  tokens: nodes.map((_, i) => (i + 1) * quarter - 1),
  nodes,
})

test('shares add up to the ring and to its copies', (t) => {
  const ring = placement(['n1', 'n2', 'n1', 'n3'])
  t.deepEqual(
    primaryShares(ring),
    new Map([
      ['n1', 0.5],
      ['n2', 0.25],
      ['n3', 0.25],
    ]),
  )
  t.deepEqual(
    copyShares(ring),
    new Map([
      ['n1', 1],
      ['n2', 0.5],
      ['n3', 0.5],
    ]),
  )
})

test('what moves is what gets another primary, and what is copied to a node that lacks it', (t) => {
  const before = placement(['n1', 'n2', 'n1', 'n3'])
  t.deepEqual(movedShares(before, before), { primary: 0, copies: 0 })
  // n4 in the place of n2 gets its two ranges, one of them as primary.
  t.deepEqual(movedShares(before, placement(['n1', 'n4', 'n1', 'n3'])), {
    primary: 0.25,
    copies: 0.5,
  })
  // The order within a preference list moves no copy.
  const pair = { ...before, tokens: before.tokens.slice(2), nodes: ['n1', 'n2'] }
  t.deepEqual(movedShares(pair, { ...pair, nodes: ['n2', 'n1'] }), { primary: 1, copies: 0 })
})
