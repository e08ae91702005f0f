import test from 'ava'
import { type MessageKind, messageFields } from '../shared/protocol/messages.js'
import { type ManagerEvent, ManagerPhase } from './machine.js'

type Move = Exclude<ManagerEvent, { type: MessageKind }>
type State = 'forming' | 'serving' | 'copying' | 'switching' | 'settled' | 'stopping'

const paths: Record<State, Move[]> = {
  forming: [],
  serving: [{ type: 'ring.settled', forming: false }],
  copying: [{ type: 'ring.copying' }],
  switching: [{ type: 'ring.copying' }, { type: 'ring.switching' }],
  settled: [{ type: 'ring.copying' }, { type: 'change.copied' }],
  stopping: [{ type: 'stop' }],
}

function phaseIn(state: State): ManagerPhase {
  const phase = new ManagerPhase()
  for (const move of paths[state]) phase.send(move)
  return phase
}

/** Where each event leads; the same state where it is not named. */
const moves: Record<State, Partial<Record<string, State>>> = {
  forming: {
    enough: 'serving',
    'ring.copying': 'copying',
    'ring.switching': 'switching',
    stop: 'stopping',
  },
  serving: {
    tooFew: 'forming',
    'ring.copying': 'copying',
    'ring.switching': 'switching',
    stop: 'stopping',
  },
  copying: {
    'ring.switching': 'switching',
    'change.copied': 'settled',
    'change.aborted': 'settled',
    stop: 'stopping',
  },
  switching: { 'change.switched': 'settled', 'change.aborted': 'settled', stop: 'stopping' },
  settled: { enough: 'serving', tooFew: 'forming', stop: 'stopping' },
  stopping: {},
}
const events: Record<string, Move> = {
  enough: { type: 'ring.settled', forming: false },
  tooFew: { type: 'ring.settled', forming: true },
  'ring.copying': { type: 'ring.copying' },
  'ring.switching': { type: 'ring.switching' },
  'change.copied': { type: 'change.copied' },
  'change.switched': { type: 'change.switched' },
  'change.aborted': { type: 'change.aborted' },
  stop: { type: 'stop' },
}

const everywhere = [
  'swarm.status',
  'swarm.stop',
  'change.query',
  'node.stats.ok',
  'error',
  'gossip.ack',
  'health.report',
]
const whileRunning = [
  ...everywhere,
  'client.register',
  'node.enroll',
  'node.join',
  'node.leave',
  'supervisor.register',
  'node.ended',
  'change.submit',
  'clients.grant',
]
const legal: Record<State, readonly string[]> = {
  forming: whileRunning,
  serving: whileRunning,
  copying: [...whileRunning, 'handoff.complete'],
  switching: [...whileRunning, 'handoff.complete', 'chain.ready'],
  settled: whileRunning,
  stopping: everywhere,
}

for (const state of Object.keys(paths) as State[]) {
  test(`${state}: every message is legal or refused`, (t) => {
    for (const kind of Object.keys(messageFields) as MessageKind[]) {
      const phase = phaseIn(state)
      t.is(phase.accepts(kind), legal[state].includes(kind), kind)
      const stops = state === 'stopping' && whileRunning.includes(kind)
      t.is(phase.refusal(kind).code, stops ? 'STOPPING' : 'INVALID_ARGUMENT', kind)
    }
  })

  test(`${state}: every event leads where the table says`, (t) => {
    for (const [name, event] of Object.entries(events)) {
      const phase = phaseIn(state)
      phase.send(event)
      const expected = moves[state][name] ?? state
      t.is(phase.value, expected, name)
    }
  })
}
