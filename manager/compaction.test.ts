/**
 * A manager that starts on a long journal writes what it amounts to in one step: nothing is different
 * afterwards, wherever it is killed meanwhile.
 */
import test from 'ava'
import { journalStepsMax } from '../shared/runtime/limits.js'
import type { FakeNode } from './node.fixture.js'
import { fold, initialState, type ManagerState } from './state.js'
import { parseStep, type Step } from './steps.js'
import { servingWorld, type World } from './world.fixture.js'

const stateOf = (steps: readonly Step[]) => steps.reduce(fold, initialState)
const snapshotsIn = (steps: readonly Step[]) =>
  steps.filter(({ step }) => step === 'swarm.snapshot').length

/** A swarm of four, with a change asked for that waits; its manager is dead, its journal so long. */
function longJournal(count: number): { world: World; nodes: FakeNode[]; state: ManagerState } {
  const { world, nodes } = servingWorld(4)
  world.startsNothing = true
  world.registerSupervisor(4)
  world.run(10)
  const change = { kind: 'change.submit', node: '', force: false, acceptLoss: false } as const
  world.call('change.submit.ok', { ...change, change: 'add' })
  world.killManager()
  const { clients } = stateOf(world.steps)
  for (let upTo = clients + 1; world.steps.length < count; upTo++) {
    world.steps.push({ step: 'clients.granted', upTo })
  }
  return { world, nodes, state: stateOf(world.steps) }
}

test('a journal that is not too long stays as it is', (t) => {
  const { world } = longJournal(journalStepsMax)
  world.startManager()
  world.run(100)
  t.is(snapshotsIn(world.steps), 0)
  t.true(world.steps.length >= journalStepsMax)
})

test('a long journal becomes one step, which is read back as the same state', (t) => {
  const { world, nodes, state } = longJournal(journalStepsMax + 1)
  t.is(state.tickets.length, 1)
  world.startManager()
  world.run(100)
  world.untilSettled(nodes)
  const [first, ...rest] = world.steps
  t.deepEqual(first, { step: 'swarm.snapshot', state })
  t.true(rest.length < 10)
  t.deepEqual(parseStep(JSON.parse(JSON.stringify(first)), 0), first)
  const joiner = world.startNode('n5')
  world.untilSettled([...nodes, joiner])
  t.is(world.report(1).state, 'done')
  world.killManager()
  world.startManager()
  world.run(100)
  t.is(snapshotsIn(world.steps), 1)
})

test('a snapshot of a swarm without a ring is read back too, one of another make is refused', (t) => {
  const snapshot = { step: 'swarm.snapshot', state: { ...initialState, swarm: 'test' } } as const
  t.deepEqual(parseStep(JSON.parse(JSON.stringify(snapshot)), 0), snapshot)
  const { lastNode: _, ...less } = initialState
  t.throws(() => parseStep({ step: 'swarm.snapshot', state: less }, 0), {
    code: 'VERSION_MISMATCH',
  })
  t.throws(() => parseStep({ ...snapshot, state: { ...snapshot.state, more: 1 } }, 0), {
    code: 'VERSION_MISMATCH',
  })
})

test('a manager killed at any boundary of its start on a long journal has lost nothing', (t) => {
  t.timeout(120_000)
  const start = (at: number | undefined) => {
    const { world, nodes, state } = longJournal(journalStepsMax + 1)
    world.boundaries = 0
    world.kill = at === undefined ? undefined : { at, victims: ['manager'] }
    world.bootId = 'boot-2'
    world.startManager()
    world.run(500)
    t.is(world.kill, undefined)
    world.untilSettled(nodes)
    const known = stateOf(world.steps)
    t.is(snapshotsIn(world.steps), 1)
    t.is(known.boot, state.boot + 1)
    for (const name of ['clients', 'lastNode', 'lastTicket', 'tickets', 'nodes'] as const) {
      t.deepEqual(known[name], state[name], `${name}, killed at ${at}`)
    }
    return world.boundaries
  }
  const boundaries = start(undefined)
  t.true(boundaries > 4)
  for (let at = 1; at <= Math.min(boundaries, 20); at++) start(at)
})

test('a disk that refuses the snapshot ends the manager, and the old steps are all there', (t) => {
  const { world, state } = longJournal(journalStepsMax + 1)
  world.diskFails = true
  world.startManager()
  world.until(() => world.stopped.length > 0, 'its end')
  t.like(world.stopped[0], { code: 'STORAGE_FAILED' })
  t.deepEqual(stateOf(world.steps), state)
  world.diskFails = false
  world.killManager()
  world.startManager()
  world.run(100)
  t.deepEqual(world.steps[0], { step: 'swarm.snapshot', state })
})
