/**
 * What must hold while the ring changes, seen from outside: a ring is journaled before it is published,
 * a gainer begins with nothing of its own, and a change settles only when all its gainers have all.
 */
import { fold, initialState } from '../manager/state.js'
import type { Step } from '../manager/steps.js'
import type { Message } from '../shared/protocol/messages.js'
import type { Change, NodeId, RingDescription } from '../shared/ring/description.js'
import { effectiveQuorums, Ring } from '../shared/ring/ring.js'
import { inRange } from '../shared/ring/token.js'
import type { Entry, Range } from '../shared/runtime/ports.js'
import type { Address } from '../shared/runtime/runtime.js'
import { type Host, nodeOf } from './host.js'
import { type JournalFile, replay } from './journal.js'

export type OnBreach = (invariant: string, detail: string) => void

export class ChangeInvariants {
  readonly #host: Host
  readonly #journal: JournalFile
  readonly #onBreach: OnBreach
  /** Who said that it has everything of which plan. */
  readonly #completed = new Set<string>()
  /** What a gainer held of the ranges it gains when their plan was published. */
  readonly #leftovers = new Map<string, ReadonlyMap<string, Entry>>()
  /** What a pull asks for, by gainer, source and id. */
  readonly #pulls = new Map<string, string>()
  /** From whom a range was copied to its end. */
  readonly #sources = new Map<string, ReadonlySet<NodeId>>()
  #change: Change | undefined

  constructor(host: Host, journal: JournalFile, onBreach: OnBreach) {
    this.#host = host
    this.#journal = journal
    this.#onBreach = onBreach
    host.network.watch((from, to, message) => this.#sent(from, to, message))
    host.watchRings((ring) => this.#published(ring))
  }

  #sent(from: Address, to: Address, message: Message): void {
    if (message.kind === 'handoff.complete') {
      this.#completed.add(`${message.plan}/${message.node}`)
    } else if (message.kind === 'handoff.pull' && message.reason === 'ownership') {
      const { plan, id } = message
      this.#checkWiped(nodeOf(from), plan)
      this.#pulls.set(`${from}/${to}/${id}`, rangeName(plan, nodeOf(from), message))
    } else if (message.kind === 'handoff.batch' && message.next === null) {
      const range = this.#pulls.get(`${to}/${from}/${message.id}`)
      if (range === undefined) return
      this.#sources.set(range, new Set([...(this.#sources.get(range) ?? []), nodeOf(from)]))
    }
  }

  /** A gainer asks for the first batch of a plan: by now it holds nothing from earlier times. */
  #checkWiped(node: NodeId, plan: number): void {
    const name = `${plan}/${node}`
    const leftovers = this.#leftovers.get(name)
    if (leftovers === undefined) return
    this.#leftovers.delete(name)
    const { entries } = this.#host.disk.store(node)
    for (const [key, entry] of leftovers) {
      if (entries.get(key) !== entry) continue
      const text = Buffer.from(entry.key).toString()
      this.#onBreach('a gainer wipes what it gains', `${node} kept ${text} in plan ${plan}`)
    }
  }

  #published(ring: RingDescription): void {
    this.#checkJournaled(ring)
    const before = this.#change
    const { change, placement } = ring
    this.#change = change
    if (change !== undefined && change.plan !== before?.plan) {
      this.#checkSources(ring)
      this.#noteLeftovers(change)
    }
    if (before === undefined) return
    if (ring.chains !== undefined) {
      // A chain may be given up to where it began: it is complete when it switches.
      if (change?.switching === true && before.switching !== true) this.#checkComplete(change)
      return
    }
    if (change !== undefined) return
    if (JSON.stringify(placement) === JSON.stringify(before.next)) this.#checkComplete(before)
  }

  #checkJournaled({ epoch }: RingDescription): void {
    const state = replay<Step>(this.#journal.lines).reduce(fold, initialState)
    if (state.ring?.epoch === epoch) return
    this.#onBreach('a ring is journaled before it is published', `epoch ${epoch} was not`)
  }

  #checkComplete({ plan, transfers }: Change): void {
    for (const gainer of new Set(transfers.map((transfer) => transfer.gainer))) {
      if (this.#completed.has(`${plan}/${gainer}`)) continue
      this.#onBreach('a change settles when every gainer has all', `${gainer} in plan ${plan}`)
    }
    for (const transfer of transfers) {
      const range = rangeName(plan, transfer.gainer, transfer)
      const sources = this.#sources.get(range)?.size ?? 0
      if (sources >= transfer.needed) continue
      this.#onBreach(
        'a range is copied from enough owners',
        `${range} from ${sources}, not ${transfer.needed}`,
      )
    }
  }

  /** Fewer than N-W+1 old owners may lack a write, except where the gainer takes a loser's place. */
  #checkSources(ring: RingDescription): void {
    const { placement, change, chains } = ring
    if (chains !== undefined) return this.#checkReaders(ring)
    const { n, w } = effectiveQuorums(placement)
    for (const { gainer, to, sources, needed, wipe } of change?.transfers ?? []) {
      const isPaired = wipe && sources.length === 1
      // Who stays an owner counts as one of them.
      if (isPaired || needed + (wipe ? 0 : 1) > n - w) continue
      this.#onBreach(
        'a range is planned to be copied from enough owners',
        `${gainer} gains up to ${to} from ${needed} of ${sources}`,
      )
    }
  }

  /** Of a chain the reader alone has what was answered and nothing that may be lost. */
  #checkReaders(ring: RingDescription): void {
    const { arcs } = new Ring(ring)
    for (const { gainer, to, sources } of ring.change?.transfers ?? []) {
      const reader = arcs.find((arc) => arc.to === to)?.chain?.reader
      if (sources.length === 1 && sources[0] === reader) continue
      this.#onBreach(
        'a range is planned to be copied from its reader',
        `${gainer} gains up to ${to} from ${sources}, which ${reader} reads`,
      )
    }
  }

  #noteLeftovers({ plan, transfers }: Change): void {
    for (const { gainer, from, to, wipe } of transfers) {
      if (!wipe) continue
      const name = `${plan}/${gainer}`
      const found = new Map(this.#leftovers.get(name))
      for (const [key, entry] of this.#host.disk.store(gainer).entries) {
        if (inRange(entry.token, { from, to })) found.set(key, entry)
      }
      if (found.size > 0) this.#leftovers.set(name, found)
    }
  }
}

function rangeName(plan: number, gainer: NodeId, { from, to }: Range): string {
  return `plan ${plan}: ${gainer} (${from}, ${to}]`
}
