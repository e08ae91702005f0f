import test from 'ava'
import { ticketsKept } from '../shared/runtime/limits.js'
import { Ledger } from './ledger.js'
import { fold, initialState } from './state.js'
import { parseStep, type Step } from './steps.js'
import { servingWorld } from './world.fixture.js'

const submitted = (ticket: number): Step => ({
  step: 'change.submitted',
  ticket,
  change: 'remove',
  node: 'n1',
  fresh: '',
  force: false,
  acceptLoss: false,
})
const ended = (ticket: number): Step => ({
  step: 'change.ended',
  ticket,
  outcome: 'aborted',
  reason: 'a test',
})

for (const mode of ['latest', 'chain'] as const) {
  test(`${mode}: every step that a manager writes is read back as it was`, (t) => {
    const { world, nodes } = servingWorld(5, { mode })
    nodes[0]?.leave()
    world.untilSettled(nodes.slice(1))
    t.true(world.steps.length > 6)
    t.deepEqual(world.steps.map(parseStep), world.steps)
  })
}

test('a step that is not understood is refused, with its place', (t) => {
  const unknown = { step: 'ring.twisted', epoch: 3 }
  const error = t.throws(() => parseStep(unknown, 12))
  t.like(error, { code: 'VERSION_MISMATCH' })
  t.regex(error?.message ?? '', /entry 12/)
  t.throws(() => parseStep({ step: 'epoch.raised', epoch: 1, more: true }, 0))
  t.throws(() => parseStep({ step: 'epoch.raised', epoch: Number.NaN }, 0))
  const journal = { append: () => {}, compact: () => {}, close: () => {} }
  t.throws(() => new Ledger(journal, [{ step: 'swarm.created', swarm: 's' }, unknown], () => {}))
})

test('ended tickets are forgotten in the end, open ones never', (t) => {
  let state = fold(initialState, submitted(1))
  for (let ticket = 2; ticket < 3 * ticketsKept; ticket++) {
    state = fold(fold(state, submitted(ticket)), ended(ticket))
  }
  t.is(state.tickets.length, ticketsKept)
  t.is(state.tickets[0]?.ticket, 1)
  t.is(state.lastTicket, 3 * ticketsKept - 1)
})

test('a journal from before force, loss and evictions were asked for is still read', (t) => {
  const old = { step: 'change.submitted', ticket: 1, change: 'remove', node: 'n1', fresh: '' }
  t.deepEqual(parseStep(old, 1), submitted(1))
  const placement = { replicas: 1, readQuorum: 1, writeQuorum: 1, tokens: [1], nodes: ['n1'] }
  const ring = { epoch: 1, swarm: 's', boot: 1, members: [], placement }
  const published = { step: 'ring.published', ring, stores: {} }
  t.deepEqual(parseStep(published, 2), { ...published, evicted: [] } as Step)
})
