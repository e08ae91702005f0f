import test from 'ava'
import type { Health } from '../../shared/protocol/messages.js'
import { Ring } from '../../shared/ring/ring.js'
import { evenRing } from '../cluster.fixture.js'
import { type Entry, Roster } from './roster.js'

function rosterWith(health: Health, refutation: number): { roster: Roster; entry: Entry } {
  const roster = new Roster()
  roster.follow(new Ring(evenRing(1, ['n1', 'n2'])), 'n1')
  const entry = roster.of('n2')
  if (entry === undefined) throw new Error('no entry')
  entry.health = health
  entry.refutation = refutation
  return { roster, entry }
}

const healths: readonly Health[] = ['alive', 'suspect', 'dead']

test('which word outweighs which: the table', (t) => {
  const lines: string[] = []
  for (const held of healths) {
    for (const health of healths) {
      for (const refutation of [0, 1, 2]) {
        const { roster } = rosterWith(held, 1)
        const entry = roster.changedBy({ node: 'n2', incarnation: 1, refutation, health })
        if (entry !== undefined) lines.push(`${held}(1) <- ${health}(${refutation})`)
      }
    }
  }
  t.deepEqual(lines, [
    'alive(1) <- alive(2)',
    'alive(1) <- suspect(1)',
    'alive(1) <- suspect(2)',
    'alive(1) <- dead(1)',
    'alive(1) <- dead(2)',
    'suspect(1) <- alive(2)',
    'suspect(1) <- suspect(2)',
    'suspect(1) <- dead(1)',
    'suspect(1) <- dead(2)',
    'dead(1) <- alive(2)',
    'dead(1) <- suspect(2)',
    'dead(1) <- dead(2)',
  ])
})

test('nothing outweighs a process that is gone, and another life is another matter', (t) => {
  const { roster, entry } = rosterWith('alive', 0)
  const word = { node: 'n2', refutation: 5, health: 'suspect' } as const
  t.is(roster.changedBy({ ...word, incarnation: 2 }), undefined)
  t.is(roster.changedBy({ ...word, node: 'n9', incarnation: 1 }), undefined)
  entry.isGone = true
  t.is(roster.changedBy({ ...word, incarnation: 1 }), undefined)
})
