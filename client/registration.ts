/**
 * How a client learns whom it may ask. The manager knows best: it gives an id and a forwarder, in
 * turn. Where it is down or does not answer, the newest ring file names the members, and those of
 * them that live are asked instead, one more each time the one before is silent or refuses: a node
 * gives out ids that the manager granted it. Where none of them can, the members alone will do: reads
 * and writes need no id. They do need the swarm's mode, which every node knows: where nobody has said
 * it yet and the ring does not show it, the members are asked once more, for their status.
 *
 * One attempt runs at a time and they keep a distance of managerRetryMs, so that a manager that
 * names dead nodes for a moment is not asked in a tight loop. They end with the first success, or
 * when nobody waits for one any more.
 */
import type { Mode } from '../shared/data/mode.js'
import type { ClientRegisterOk } from '../shared/protocol/messages.js'
import { addressOf, type RingDescription } from '../shared/ring/description.js'
import {
  managerAnswerMs,
  managerRetryMs,
  nodeAnswerMs,
  valueBytesMaxDefault,
} from '../shared/runtime/limits.js'
import type { RingFiles } from '../shared/runtime/ports.js'
import type { Address, CancelTimer, Millis, Runtime } from '../shared/runtime/runtime.js'

/** Of registrations at nodes: no call has it, so an error with it is meant for us. */
export const nodeRegistrationId = 0

/** What a client knows of its swarm. */
export interface Grant {
  /** 0: neither the manager nor a node could give one. */
  readonly client: number
  readonly boot: number
  readonly nodes: readonly Address[]
  readonly replicas: number
  readonly valueBytesMax: number
  readonly mode: Mode
  /** Random id, of the ring; undefined where there is none yet. */
  readonly swarm: string | undefined
}

export interface RegistrationOptions {
  readonly runtime: Runtime
  readonly ringFiles: Pick<RingFiles, 'newest'>
  /** False: the attempts end. */
  readonly isWanted: () => boolean
  readonly onGranted: (grant: Grant) => void
}

export class Registration {
  private readonly options: RegistrationOptions
  /** Of the attempt at the manager under way; 0 otherwise. */
  private asked = 0
  private lastId = 0
  private lastAttempt: Millis = -managerRetryMs
  private cancelTimer: CancelTimer | undefined
  /** The manager was passed over for the members of this ring. */
  private ring: RingDescription | undefined
  /** Those of them that were asked, and neither refused nor went away. */
  private readonly open = new Set<Address>()
  /** Those of them that were not asked yet. */
  private further: Address[] = []
  /** What they are asked for: an id, or, where none of them has one, the mode alone. */
  private question: 'client.register' | 'swarm.status' = 'client.register'
  private client = 0
  /** What was said last, and of which swarm: another may have taken its place. */
  private known: { readonly mode: Mode; readonly swarm: string | undefined } | undefined
  /** The swarm's to say. Until somebody could, the default: a node may cut off who sends more. */
  private valueBytesMax = valueBytesMaxDefault

  constructor(options: RegistrationOptions) {
    this.options = options
  }

  /** Begins unless it is under way. */
  begin(): void {
    if (this.isUnderWay || this.cancelTimer !== undefined) return
    const rest = this.lastAttempt + managerRetryMs - this.options.runtime.now()
    if (rest <= 0) this.ask()
    else this.wait(rest, 'client.registration.pause', () => this.ask())
  }

  stop(): void {
    this.asked = 0
    this.ring = undefined
    this.open.clear()
    this.further = []
    this.question = 'client.register'
    this.cancelTimer?.()
    this.cancelTimer = undefined
  }

  /** An answer, also a late one; a client keeps the first id that it was given. */
  received(message: ClientRegisterOk): void {
    if (this.client === 0) this.client = message.client
    this.valueBytesMax = message.valueBytesMax
    const swarm = this.options.ringFiles.newest()?.swarm
    this.known = { mode: message.mode, swarm }
    const goesOn = message.nodes.length === 0 && this.isUnderWay
    if (!goesOn) this.stop()
    this.options.onGranted({ ...message, client: this.client, swarm })
    if (goesOn) this.retryLater()
  }

  /** A member's status. */
  told(mode: Mode): void {
    const { ring } = this
    if (this.question !== 'swarm.status' || ring === undefined) return
    this.known = { mode, swarm: ring.swarm }
    this.settleForMembers()
  }

  /** The manager refused request `id`, or its connection ended: undefined. */
  failed(id: number | undefined): void {
    if (this.asked === 0 || (id !== undefined && id !== this.asked)) return
    this.passOverManager()
  }

  /** A node refused, or its connection ended. */
  failedAt(node: Address): void {
    const wasOpen = this.open.delete(node)
    if (wasOpen && (this.further.length > 0 || this.open.size === 0)) this.askNode()
  }

  private get isUnderWay(): boolean {
    return this.asked !== 0 || this.ring !== undefined
  }

  private ask(): void {
    const { runtime } = this.options
    this.lastAttempt = runtime.now()
    this.asked = ++this.lastId
    const request = { kind: 'client.register', id: this.asked, client: this.client } as const
    if (!runtime.send('manager', request)) this.passOverManager()
    else this.wait(managerAnswerMs, 'client.registration.answer', () => this.passOverManager())
  }

  private passOverManager(): void {
    this.asked = 0
    this.ring = this.options.ringFiles.newest()
    this.further = this.ring === undefined ? [] : this.livingMembers(this.ring)
    if (this.further.length === 0) this.retryLater()
    else this.askNode()
  }

  private askNode(): void {
    const node = this.further.shift()
    if (node === undefined) return this.settleForMembers()
    const { client, question } = this
    const id = nodeRegistrationId
    const request =
      question === 'swarm.status'
        ? ({ kind: question, id } as const)
        : ({ kind: question, id, client } as const)
    if (!this.options.runtime.send(node, request)) return this.askNode()
    this.open.add(node)
    const patienceMs = this.further.length > 0 ? nodeAnswerMs : managerAnswerMs
    this.wait(patienceMs, 'client.registration.answer', () => this.askNode())
  }

  /** Nobody gave an id. */
  private settleForMembers(): void {
    const { ring, client, valueBytesMax } = this
    const nodes = ring === undefined ? [] : this.livingMembers(ring)
    if (ring === undefined || nodes.length === 0) return this.retryLater()
    const mode = this.modeOf(ring)
    if (mode === undefined) return this.askForMode(nodes)
    this.stop()
    const { boot, placement, swarm } = ring
    const { replicas } = placement
    this.options.onGranted({ client, boot, nodes, replicas, valueBytesMax, mode, swarm })
  }

  private modeOf({ chains, swarm }: RingDescription): Mode | undefined {
    if (chains !== undefined) return 'chain'
    return this.known?.swarm === swarm ? this.known.mode : undefined
  }

  private askForMode(nodes: Address[]): void {
    if (this.question === 'swarm.status') return this.retryLater()
    this.question = 'swarm.status'
    this.open.clear()
    this.further = nodes
    this.askNode()
  }

  /** Starts at a random member, so that clients spread over them. */
  private livingMembers(ring: RingDescription): Address[] {
    const { runtime } = this.options
    const living = ring.members.filter((member) => runtime.isAlive(member)).map(addressOf)
    const first = Math.floor(runtime.random() * living.length)
    return [...living.slice(first), ...living.slice(0, first)]
  }

  private retryLater(): void {
    this.stop()
    if (this.options.isWanted()) this.begin()
  }

  private wait(ms: Millis, label: string, then: () => void): void {
    this.cancelTimer?.()
    this.cancelTimer = this.options.runtime.after(ms, label, () => {
      this.cancelTimer = undefined
      then()
    })
  }
}
