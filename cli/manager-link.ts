/**
 * The supervisor's side of its connection to the manager: it registers on every new connection, so
 * that a manager that was started again knows whom to ask for nodes, and passes on what is asked.
 */
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Message, StatusReport, SupervisorRegisterOk } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Address, Process, Runtime } from '../shared/runtime/runtime.js'
import { registerRetryMs } from './limits.js'

const manager = 'manager'

type Reply = (error: Error | undefined, message?: Message) => void

export interface ManagerLinkOptions {
  readonly runtime: Runtime
  /** How many nodes the supervisor starts by itself. */
  readonly nodes: number
  onRegistered(nodes: readonly NodeId[]): void
  /** `who` asks for the process of a node. */
  onSpawn(node: NodeId, who: string): void
}

export class ManagerLink implements Process {
  readonly #options: ManagerLinkOptions
  readonly #waiting = new Map<number, Reply>()
  #nextId = 1
  #retry: (() => void) | undefined
  #ended = false

  constructor(options: ManagerLinkOptions) {
    this.#options = options
  }

  register(): void {
    this.#ask(
      (id) => ({ kind: 'supervisor.register', id, nodes: this.#options.nodes }),
      (error, message) => {
        if (error !== undefined) this.#registerLater()
        else this.#options.onRegistered((message as SupervisorRegisterOk).nodes)
      },
    )
  }

  status(): Promise<StatusReport> {
    return new Promise((resolve, reject) => {
      this.#ask(
        (id) => ({ kind: 'swarm.status', id }),
        (error, message) => {
          if (message?.kind === 'swarm.status.ok') resolve(message.status)
          else reject(error)
        },
      )
    })
  }

  /** The node's process is not started again. */
  ended(node: NodeId): void {
    if (!this.#ended) this.#options.runtime.send(manager, { kind: 'node.ended', node })
  }

  /** No more calls to the manager, nor from it. */
  end(): void {
    this.#ended = true
    this.#retry?.()
    this.#failAll()
  }

  received(from: Address, message: Message): void {
    if (this.#ended) return
    // Commands may ask for a node, too.
    if (message.kind === 'node.spawn') {
      return this.#options.onSpawn(message.node, from === manager ? 'the manager' : 'a command')
    }
    if (from !== manager) return
    switch (message.kind) {
      case 'supervisor.register.ok':
      case 'swarm.status.ok':
        this.#settle(message.id, undefined, message)
        return
      case 'error':
        this.#settle(message.id, new GTStoreError(message.code, message.message))
        return
      default:
    }
  }

  opened(): void {}

  closed(peer: Address): void {
    if (peer !== manager || this.#ended) return
    this.#failAll()
    this.#registerLater()
  }

  #registerLater(): void {
    if (this.#ended) return
    this.#retry?.()
    this.#retry = this.#options.runtime.after(registerRetryMs, 'register', () => this.register())
  }

  #ask(request: (id: number) => Message, reply: Reply): void {
    const id = this.#nextId++
    this.#waiting.set(id, reply)
    if (!this.#options.runtime.send(manager, request(id))) this.#settle(id, lost())
  }

  #settle(id: number, error: Error | undefined, message?: Message): void {
    const reply = this.#waiting.get(id)
    this.#waiting.delete(id)
    reply?.(error, message)
  }

  #failAll(): void {
    for (const id of [...this.#waiting.keys()]) this.#settle(id, lost())
  }
}

function lost(): GTStoreError {
  return new GTStoreError('CANNOT_CONNECT', 'the connection to the manager ended')
}
