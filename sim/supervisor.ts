/**
 * The supervisor and the operator in one process: starts the nodes that the manager asks for, and
 * asks the manager for changes and its status, as the `gtstore` command does. When the manager is
 * gone it registers anew, as often as it takes; what was asked and not answered by then is lost.
 */
import type { Message, StatusReport } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { managerRetryMs } from '../shared/runtime/limits.js'
import type { Address, Process } from '../shared/runtime/runtime.js'
import type { Host } from './host.js'
import type { SimRuntime } from './runtime.js'

/** How often a change in progress is asked about, or whether the manager answers again. */
const pollMicros = 20_000

export interface SupervisorOptions {
  readonly host: Host
  /** It starts so many nodes by itself. */
  readonly nodes: number
  readonly spawn: (node: NodeId) => void
}

export type Change = 'add' | 'remove' | 'replace'
/** How a change ended; lost: the answer to its submission was, so nobody knows. */
export type ChangeEnd = (outcome: 'done' | 'aborted' | 'refused' | 'lost', reason: string) => void

/** undefined: the manager went away before it answered. */
type Told = (reply: Message | undefined) => void

export class Supervisor implements Process {
  readonly #options: SupervisorOptions
  readonly #runtime: SimRuntime
  readonly #awaited = new Map<number, Told>()
  /** The manager knows whom to ask for new processes. */
  isRegistered = false
  #lastId = 0

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#runtime = options.host.openRuntime('supervisor', false)
    this.#runtime.attach(this)
    this.#register()
  }

  /** SIGKILL. */
  kill(): void {
    this.#runtime.close()
    this.#forgetAwaited()
  }

  submit(change: Change, node: NodeId | '', end: ChangeEnd): void {
    this.#ask(
      (id) => ({ kind: 'change.submit', force: false, acceptLoss: false, id, change, node }),
      (reply) => {
        if (reply === undefined) end('lost', 'the manager went away')
        else if (reply.kind === 'change.submit.ok') this.#follow(reply.ticket, end)
        else if (reply.kind === 'error') end('refused', reply.message)
      },
    )
  }

  status(told: (status: StatusReport | undefined) => void): void {
    this.#ask(
      (id) => ({ kind: 'swarm.status', id }),
      (reply) => told(reply?.kind === 'swarm.status.ok' ? reply.status : undefined),
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

  /** The manager is gone, or not there yet. */
  closed(): void {
    const wasRegistered = this.isRegistered
    this.isRegistered = false
    this.#forgetAwaited()
    if (wasRegistered) this.#register()
  }

  #register(): void {
    const { nodes } = this.#options
    this.#ask(
      (id) => ({ kind: 'supervisor.register', id, nodes }),
      (reply) => {
        if (reply?.kind === 'supervisor.register.ok') this.isRegistered = true
        else this.#runtime.after(managerRetryMs, 'register again', () => this.#register())
      },
    )
  }

  #follow(ticket: number, end: ChangeEnd): void {
    const { host } = this.#options
    host.world.at(pollMicros, () => {
      this.#ask(
        (id) => ({ kind: 'change.query', id, ticket }),
        (reply) => {
          if (this.#runtime.closed) return end('lost', 'the supervisor was killed')
          if (reply === undefined) return this.#follow(ticket, end)
          if (reply.kind === 'error') return end('refused', reply.message)
          if (reply.kind !== 'change.query.ok') return
          const { state, reason } = reply.report
          if (state === 'done' || state === 'aborted') end(state, reason)
          else this.#follow(ticket, end)
        },
      )
    })
  }

  #forgetAwaited(): void {
    const awaited = [...this.#awaited.values()]
    this.#awaited.clear()
    for (const told of awaited) told(undefined)
  }

  #ask(request: (id: number) => Message, told: Told): void {
    if (this.#runtime.closed) {
      told(undefined)
      return
    }
    const id = ++this.#lastId
    this.#awaited.set(id, told)
    this.#runtime.arrive(() => {
      this.#runtime.send('manager', request(id))
    })
  }
}
