/**
 * The supervisor and the operator in one process: starts the nodes that the manager asks for, and
 * asks the manager for changes and its status, as the `gtstore` command does.
 */
import type { Message, StatusReport } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Address, Process } from '../shared/runtime/runtime.js'
import type { Host } from './host.js'
import type { SimRuntime } from './runtime.js'

/** How often a change in progress is asked about. */
const pollMicros = 20_000

export interface SupervisorOptions {
  readonly host: Host
  readonly spawn: (node: NodeId) => void
}

export type Change = 'add' | 'remove' | 'replace'
/** How a change ended. */
export type ChangeEnd = (outcome: 'done' | 'aborted' | 'refused', reason: string) => void

export class Supervisor implements Process {
  readonly #options: SupervisorOptions
  readonly #runtime: SimRuntime
  readonly #awaited = new Map<number, (reply: Message) => void>()
  /** The manager knows whom to ask for new processes. */
  isRegistered = false
  #lastId = 0

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#runtime = options.host.openRuntime('supervisor', false)
    this.#runtime.attach(this)
    options.host.startProcess()
  }

  /** `nodes` will be started at once: the first ring waits for them a moment. */
  start(nodes: number): void {
    this.#ask(
      (id) => ({ kind: 'supervisor.register', id, nodes }),
      () => {
        this.isRegistered = true
      },
    )
  }

  submit(change: Change, node: NodeId | '', end: ChangeEnd): void {
    this.#ask(
      (id) => ({ kind: 'change.submit', force: false, acceptLoss: false, id, change, node }),
      (reply) => {
        if (reply.kind === 'change.submit.ok') this.#follow(reply.ticket, end)
        else if (reply.kind === 'error') end('refused', reply.message)
      },
    )
  }

  status(told: (status: StatusReport) => void): void {
    this.#ask(
      (id) => ({ kind: 'swarm.status', id }),
      (reply) => {
        if (reply.kind === 'swarm.status.ok') told(reply.status)
      },
    )
  }

  received(_from: Address, message: Message): void {
    if (message.kind === 'node.spawn') {
      this.#options.spawn(message.node)
      return
    }
    if (!('id' in message)) return
    const told = this.#awaited.get(message.id)
    this.#awaited.delete(message.id)
    told?.(message)
  }

  opened(): void {}

  closed(): void {}

  #follow(ticket: number, end: ChangeEnd): void {
    this.#options.host.world.at(pollMicros, () => {
      this.#ask(
        (id) => ({ kind: 'change.query', id, ticket }),
        (reply) => {
          if (reply.kind === 'error') end('refused', reply.message)
          if (reply.kind !== 'change.query.ok') return
          const { state, reason } = reply.report
          if (state === 'done' || state === 'aborted') end(state, reason)
          else this.#follow(ticket, end)
        },
      )
    })
  }

  #ask(request: (id: number) => Message, told: (reply: Message) => void): void {
    const id = ++this.#lastId
    this.#awaited.set(id, told)
    this.#runtime.arrive(() => {
      this.#runtime.send('manager', request(id))
    })
  }
}
