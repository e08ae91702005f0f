/**
 * The manager's states, and which messages are legal in each.
 *
 *     forming <-> serving <-> changing (copying, switching, settled) -> stopping
 *
 * `forming` and `serving` differ in the number of members only; `changing` is a ring with a change in
 * it: `copying` until every gainer has its data (or the change is given up), in chain mode then
 * `switching` until the joiners that read from now on have what was under way, `settled` until the ring
 * without it is published. The machine decides, it does not act: a message that it accepts is a
 * transition without a target, and the manager's switch does the work.
 */
import { type Actor, createActor, setup } from 'xstate'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { MessageKind } from '../shared/protocol/messages.js'

export type ManagerEvent =
  | { readonly type: MessageKind }
  /** A ring with a change was published. */
  | { readonly type: 'ring.copying' }
  /** Every gainer has its data: the ring without the leavers is on its way. */
  | { readonly type: 'change.copied' }
  /** In chain mode: a ring in which the joiners read was published. */
  | { readonly type: 'ring.switching' }
  /** The joiners read: the ring without the leavers is on its way. */
  | { readonly type: 'change.switched' }
  /** The change is given up: the ring without it is on its way. */
  | { readonly type: 'change.aborted' }
  /** A ring without a change was published. */
  | { readonly type: 'ring.settled'; readonly forming: boolean }
  | { readonly type: 'stop' }

/** What is answered until the very end. */
const always = [
  'swarm.status',
  'swarm.stop',
  'change.query',
  'node.stats.ok',
  'error',
  'gossip.ack',
  'health.report',
] as const
const running = [
  ...always,
  'client.register',
  'node.enroll',
  'node.join',
  'node.leave',
  'supervisor.register',
  'node.ended',
  'change.submit',
  'clients.grant',
] as const

function accept<K extends MessageKind>(kinds: readonly K[]) {
  const entries = kinds.map((kind) => [kind, { actions: 'accept' as const }])
  return Object.fromEntries(entries) as Record<K, { actions: 'accept' }>
}

export const managerMachine = setup({
  types: { events: {} as ManagerEvent },
  actions: { accept: () => {} },
  guards: { forming: ({ event }) => event.type === 'ring.settled' && event.forming },
}).createMachine({
  id: 'manager',
  initial: 'forming',
  states: {
    forming: {
      on: {
        ...accept(running),
        'ring.copying': 'changing',
        'ring.switching': 'changing.switching',
        'ring.settled': [{ guard: 'forming', target: 'forming' }, { target: 'serving' }],
        stop: 'stopping',
      },
    },
    serving: {
      on: {
        ...accept(running),
        'ring.copying': 'changing',
        'ring.switching': 'changing.switching',
        'ring.settled': [{ guard: 'forming', target: 'forming' }, { target: 'serving' }],
        stop: 'stopping',
      },
    },
    changing: {
      initial: 'copying',
      on: { ...accept(running), stop: 'stopping' },
      states: {
        copying: {
          on: {
            ...accept(['handoff.complete']),
            'ring.copying': 'copying',
            'ring.switching': 'switching',
            'change.copied': 'settled',
            'change.aborted': 'settled',
          },
        },
        switching: {
          on: {
            // A gainer repeats itself until it holds the ring.
            ...accept(['chain.ready', 'handoff.complete']),
            'ring.switching': 'switching',
            'change.switched': 'settled',
            'change.aborted': 'settled',
          },
        },
        settled: {
          on: {
            'ring.settled': [
              { guard: 'forming', target: '#manager.forming' },
              { target: '#manager.serving' },
            ],
          },
        },
      },
    },
    stopping: { on: accept(always) },
  },
})

export type Phase = 'forming' | 'serving' | 'changing' | 'stopping'

/** The running machine. */
export class ManagerPhase {
  readonly #actor: Actor<typeof managerMachine> = createActor(managerMachine).start()

  /** The innermost state. */
  get value(): string {
    const { value } = this.#actor.getSnapshot()
    return typeof value === 'string' ? value : value.changing
  }

  get name(): Phase {
    const { value } = this.#actor.getSnapshot()
    return typeof value === 'string' ? value : 'changing'
  }

  accepts(kind: MessageKind): boolean {
    return this.#actor.getSnapshot().can({ type: kind })
  }

  send(event: Exclude<ManagerEvent, { type: MessageKind }>): void {
    this.#actor.send(event)
  }

  /** Why a message is not accepted now, in words for its sender. */
  refusal(kind: MessageKind): GTStoreError {
    if (this.name === 'stopping' && running.some((legal) => legal === kind)) {
      return new GTStoreError('STOPPING', 'the swarm is stopping: start it again with `gtstore up`')
    }
    return new GTStoreError('INVALID_ARGUMENT', `the manager does not take ${kind} (${this.name})`)
  }
}
