import test from 'ava'
import type { NodeReport } from '../shared/protocol/messages.js'
import { nodeReport } from '../shared/protocol/status.js'
import { noticesOf } from './notices.js'
import type { Ticket } from './state.js'

function report(id: string, state: NodeReport['state']): NodeReport {
  const member = { id, incarnation: 1, pid: 7, startTime: '1' }
  return nodeReport(member, undefined, undefined, '/run', { state, reason: '', ownership: 0 })
}

function ticket(node: string, asked: Partial<Ticket>): Ticket {
  const plain = { ticket: 1, change: 'remove', fresh: '', force: true, acceptLoss: false } as const
  return { ...plain, outcome: 'open', reason: '', node, ...asked }
}

/** n1 and n2 are dead, n3 lives, and n1 is to go. */
function notice(...tickets: readonly Ticket[]): string {
  const nodes = [report('n1', 'down'), report('n2', 'down'), report('n3', 'active')]
  const basics = { verdicts: [], replicas: 3, supervised: true }
  const from = { ...basics, starved: ['n1'], nodes, state: { tickets } }
  return noticesOf(from).join('\n')
}

const lack = 'n1 cannot be taken out: too few nodes that hold its ranges are up'

test('whatever is still to be given up is named, with the command that does it', (t) => {
  t.is(
    notice(),
    `${lack} (down: n1, n2). Start them again with \`gtstore node restart ID\`; if the data of one ` +
      'is gone for good, give it up: `gtstore node remove n1 --force --accept-loss`, ' +
      '`gtstore node remove n2 --force --accept-loss`',
  )
  const done = ticket('n2', { acceptLoss: true, outcome: 'done' })
  t.is(notice(done), notice(), 'a command that is over gives up nothing')
  t.is(
    notice(ticket('n1', { acceptLoss: true })),
    `${lack} (down: n2; given up: n1). Start them again with \`gtstore node restart ID\`; if the ` +
      'data of one is gone for good, give it up: `gtstore node remove n2 --force --accept-loss`',
  )
})

test('who goes by force is not to be started again, and given up by the same command', (t) => {
  const first = ticket('n1', { change: 'replace', fresh: 'n4' })
  const second = ticket('n2', { acceptLoss: true })
  t.is(
    notice(first, second),
    `${lack} (down: n1; given up: n2); if the data of one is gone for good, give it up: ` +
      '`gtstore node replace n1 --force --accept-loss`',
  )
})

test('one whose data is needed is started again, where somebody is there to do it', (t) => {
  const dead = { ...report('n1', 'down'), reason: 'exited' as const }
  const silent = { ...dead, reason: 'not answering' as const }
  const said = (node: NodeReport, supervised: boolean, leftMs: number) => {
    const verdicts = [{ node: 'n1', verdict: 'needed', leftMs }] as const
    const rest = { starved: [], replicas: 3, state: { tickets: [] } }
    return noticesOf({ verdicts, supervised, nodes: [node], ...rest })
  }
  const soon = 'n1 is down: in 5 s it is started again, since its data is needed'
  t.deepEqual(said(dead, true, 4_100), [soon])
  const asked = said(dead, true, 0)
  t.is(asked.length, 2)
  t.true(asked[0]?.startsWith(`${lack} (down: n1). Start them again`))
  t.regex(asked[1] ?? '', /the supervisor is asked to start it, see `gtstore logs n1 supervisor`/)
  t.deepEqual(said(dead, false, 4_100), asked.slice(0, 1))
  t.deepEqual(said(silent, true, 4_100), asked.slice(0, 1))
})
