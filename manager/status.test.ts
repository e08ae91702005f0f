import test from 'ava'
import type { Member, RingDescription } from '../shared/ring/description.js'
import { ChangeQueue } from './changes.js'
import { initialState } from './state.js'
import { type StatusSources, statusReport } from './status.js'

const life = (incarnation: number): Member => ({ id: 'n1', incarnation, pid: 7, startTime: '1' })
const placement = {
  replicas: 1,
  readQuorum: 1,
  writeQuorum: 1,
  tokens: [1],
  nodes: ['n1'],
}
const ring: RingDescription = { epoch: 4, swarm: 's', boot: 1, members: [life(1)], placement }

/** n1 is up and has not answered. */
function sources(member: Member, isUp = true): StatusSources {
  return {
    name: 'test',
    durability: 'sync',
    mode: 'latest',
    quorums: placement,
    pid: 1,
    runDirectory: '/run',
    phase: 'serving',
    state: { ...initialState, ring, epoch: 4 },
    queue: new ChangeQueue(),
    member: () => member,
    down: () => (isUp ? '' : 'exited'),
    supervised: true,
    answers: new Map(),
    verdicts: [],
    starved: [],
  }
}

test('a node that did not answer is what the ring says of this life of it', (t) => {
  t.like(statusReport(sources(life(1))).nodes[0], { state: 'active', keys: null, bytes: null })
  const returned = statusReport(sources(life(2))).nodes[0]
  t.like(returned, { state: 'recovering', incarnation: 2, socket: '/run/n1.2.sock' })
})

test('a change that waits for a process says for whose, and who stays until then', (t) => {
  const asked = { ticket: 1, force: false, acceptLoss: false, outcome: 'open', reason: '' } as const
  const replace = { ...asked, change: 'replace', node: 'n1', fresh: 'n2' } as const
  const add = { ...asked, change: 'add', node: '', fresh: 'n2' } as const
  const reasonOf = (ticket: typeof replace | typeof add, supervised: boolean) => {
    const from = sources(life(1), false)
    return statusReport({ ...from, supervised, state: { ...from.state, tickets: [ticket] } })
      .changes[0]?.reason
  }
  const byHand = 'nobody is there to start n2: run `gtstore up`, or `gtstore run node --node n2`'
  const stays = '; n1 keeps its place until n2 has joined'
  t.is(reasonOf(replace, false), byHand + stays)
  t.is(reasonOf(replace, true), `n2 is being started${stays}`)
  t.is(reasonOf(add, false), byHand)
  t.is(reasonOf(add, true), 'n2 is being started')
})

test('a node that is dead or out of reach is down', (t) => {
  t.like(statusReport(sources(life(1), false)).nodes[0], { state: 'down', vnodes: 1, ownership: 1 })
})
