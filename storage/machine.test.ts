import test from 'ava'
import { createActor, getNextSnapshot } from 'xstate'
import { type NodeEvent, nodeMachine } from './machine.js'

const events: NodeEvent['type'][] = [
  'opened',
  'returned',
  'ring.member',
  'ring.joiner',
  'ring.leaver',
  'ring.absent',
  'gave.up',
]

/** Every state x every event of the membership: a dash stays. */
const table: Record<string, readonly string[]> = {
  starting: ['joining', 'recovering', '-', '-', '-', '-', 'left'],
  joining: ['-', '-', 'active', '-', 'leaving', '-', 'left'],
  recovering: ['-', '-', 'active', 'joining', 'leaving', '-', 'left'],
  active: ['-', '-', '-', 'joining', 'leaving', 'left', '-'],
  leaving: ['-', '-', 'active', '-', '-', 'left', '-'],
  left: ['-', '-', '-', '-', '-', '-', '-'],
}

test('the machine has these states and no others', (t) => {
  t.deepEqual(Object.keys(nodeMachine.states.membership?.states ?? {}), Object.keys(table))
})

for (const [state, row] of Object.entries(table)) {
  test(`membership: every event in ${state}`, (t) => {
    for (const [index, type] of events.entries()) {
      const from = nodeMachine.resolveState({
        value: { membership: state, donating: 'idle', receiving: 'idle' },
      })
      const next = getNextSnapshot(nodeMachine, from, { type }).value.membership
      t.is(next === state ? '-' : next, row[index] as string, `${state} on ${type}`)
    }
  })
}

test('the two sides of a handoff run beside the membership', (t) => {
  const actor = createActor(nodeMachine).start()
  actor.send({ type: 'opened' })
  actor.send({ type: 'donate.begun' })
  actor.send({ type: 'receive.begun' })
  t.deepEqual(actor.getSnapshot().value, {
    membership: 'joining',
    donating: 'streaming',
    receiving: 'merging',
  })
  actor.send({ type: 'donate.ended' })
  actor.send({ type: 'receive.ended' })
  t.deepEqual(actor.getSnapshot().value, {
    membership: 'joining',
    donating: 'idle',
    receiving: 'idle',
  })
})
