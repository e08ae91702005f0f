/** Answers `status` and `change.query`: asks the nodes first, then reads everything at one moment. */
import type { ChangeReport, MessageOf, StatusReport } from '../shared/protocol/messages.js'
import { addressOf, type Member } from '../shared/ring/description.js'
import type { Address, Runtime } from '../shared/runtime/runtime.js'
import type { Health } from './health.js'
import type { Ledger } from './ledger.js'
import type { ManagerPhase } from './machine.js'
import type { Membership } from './membership.js'
import type { Peers } from './peers.js'
import { StatsRounds } from './stats.js'
import { type StatusBasics, type StatusSources, statusReport, ticketReport } from './status.js'

export interface InspectionOptions {
  readonly runtime: Runtime
  readonly ledger: Ledger
  readonly membership: Membership
  readonly health: Health
  readonly peers: Peers
  readonly phase: ManagerPhase
  readonly basics: StatusBasics
  /** Somebody is there to start processes. */
  readonly isSupervised: () => boolean
}

export class Inspection {
  readonly #options: InspectionOptions
  readonly #rounds: StatsRounds

  constructor(options: InspectionOptions) {
    this.#options = options
    this.#rounds = new StatsRounds(options.runtime)
  }

  status(done: (report: StatusReport) => void): void {
    this.#collect((sources) => done(statusReport(sources)))
  }

  /** `undefined`: there is no such ticket, or it is long done. */
  change(ticket: number, done: (report: ChangeReport | undefined) => void): void {
    this.#collect((sources) => {
      const known = sources.state.tickets.find((it) => it.ticket === ticket)
      done(known && ticketReport(sources, known))
    })
  }

  /** A node answered, or refused to. */
  answered(from: Address, reply: MessageOf<'node.stats.ok' | 'error'>): void {
    this.#rounds.answered(from, reply.id, reply.kind === 'error' ? undefined : reply)
  }

  closed(peer: Address): void {
    this.#rounds.closed(peer)
  }

  #collect(done: (sources: StatusSources) => void): void {
    const { basics, ledger, membership, health, peers, phase, isSupervised } = this.#options
    const isUp = (member: Member) => peers.isConnected(member) && health.down(member) === ''
    const up = membership.processes.filter(isUp)
    this.#rounds.collect(up.map(addressOf), (answers) =>
      done({
        ...basics,
        phase: phase.name,
        state: ledger.state,
        queue: membership.queue,
        member: (node) => membership.member(node),
        down: (member) => health.down(member),
        supervised: isSupervised(),
        answers,
        verdicts: membership.verdicts,
        starved: membership.starved,
      }),
    )
  }
}
