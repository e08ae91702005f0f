/** What clients are told when they register: their id, and the nodes that they may talk to. */
import type { Mode } from '../shared/data/mode.js'
import type { Message, MessageOf } from '../shared/protocol/messages.js'
import type { Member } from '../shared/ring/description.js'
import type { Address } from '../shared/runtime/runtime.js'
import { Clients } from './clients.js'
import type { Health } from './health.js'
import type { Ledger } from './ledger.js'
import type { Membership } from './membership.js'
import type { Peers } from './peers.js'
import type { Publisher } from './publisher.js'

export interface ReceptionOptions {
  readonly ledger: Ledger
  readonly membership: Membership
  readonly health: Health
  readonly peers: Peers
  readonly publisher: Publisher
  readonly valueBytesMax: number
  readonly replicas: number
  readonly mode: Mode
  readonly send: (to: Address, message: Message) => void
}

export class Reception {
  readonly #options: ReceptionOptions
  readonly #clients: Clients

  constructor(options: ReceptionOptions) {
    this.#options = options
    this.#clients = new Clients(options.ledger)
  }

  register(from: Address, { id, client }: MessageOf<'client.register'>): void {
    const { ledger, valueBytesMax, replicas, mode, send } = this.#options
    const reply = (known: number) =>
      send(from, {
        kind: 'client.register.ok',
        id,
        client: known,
        boot: ledger.state.boot,
        nodes: this.#clients.forwarders(this.#forwarders()),
        valueBytesMax,
        replicas,
        mode,
      })
    if (client > 0) reply(client)
    else this.#clients.identify(reply)
  }

  /** A node asks for ids, to register clients in our place. */
  grant(from: Address, { id }: MessageOf<'clients.grant'>): void {
    this.#clients.grant((first, upTo) => {
      this.#options.send(from, { kind: 'clients.grant.ok', id, from: first, upTo })
    })
  }

  /** Active members that are up; where there is none, whoever may become one. */
  #forwarders(): Member[] {
    const { publisher, membership, peers, health } = this.#options
    const ring = publisher.current
    const leaving = membership.queue.leaving
    const staying = (ring?.members ?? []).filter(({ id }) => {
      const remains = ring?.change?.next.nodes.includes(id) ?? true
      return ring?.placement.nodes.includes(id) && remains && !leaving.includes(id)
    })
    const isUp = (member: Member) => peers.isConnected(member) && health.down(member) === ''
    const active = staying.filter(isUp)
    if (active.length > 0) return active
    return membership.processes.filter((member) => peers.isAlive(member))
  }
}
