/**
 * How a client learns whom it may ask. The manager knows best: it gives an id and a forwarder, in
 * turn. Where it is down or does not answer, the newest ring file names the members, and those of
 * them that live will do: reads and writes need no manager.
 *
 * One attempt runs at a time and they keep a distance of managerRetryMs, so that a manager that
 * names dead nodes for a moment is not asked in a tight loop. They end with the first success, or
 * when nobody waits for one any more.
 */
import type { ClientRegisterOk } from '../shared/protocol/messages.js'
import { addressOf, type RingDescription } from '../shared/ring/description.js'
import { managerAnswerMs, managerRetryMs, valueBytesMaxDefault } from '../shared/runtime/limits.js'
import type { RingFiles } from '../shared/runtime/ports.js'
import type { Address, CancelTimer, Millis, Runtime } from '../shared/runtime/runtime.js'

/** What a client knows of its swarm. */
export interface Grant {
  /** 0: the manager could not be asked. */
  readonly client: number
  readonly boot: number
  readonly nodes: readonly Address[]
  readonly replicas: number
  readonly valueBytesMax: number
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
  /** Of the attempt under way; 0 between attempts. */
  private asked = 0
  private lastId = 0
  private lastAttempt: Millis = -managerRetryMs
  private cancelTimer: CancelTimer | undefined
  private client = 0
  /** The manager's to say. Until it could, the default: a node may cut off who sends more. */
  private valueBytesMax = valueBytesMaxDefault

  constructor(options: RegistrationOptions) {
    this.options = options
  }

  /** Begins unless it is under way. */
  begin(): void {
    if (this.asked !== 0 || this.cancelTimer !== undefined) return
    const rest = this.lastAttempt + managerRetryMs - this.options.runtime.now()
    if (rest <= 0) this.ask()
    else this.wait(rest, 'client.registration.pause', () => this.ask())
  }

  stop(): void {
    this.asked = 0
    this.cancelTimer?.()
    this.cancelTimer = undefined
  }

  /** The manager's answer, also a late one: it is newer than what the ring file said. */
  received(message: ClientRegisterOk): void {
    this.client = message.client
    this.valueBytesMax = message.valueBytesMax
    const goesOn = message.nodes.length === 0 && this.asked !== 0
    if (!goesOn) this.stop()
    this.options.onGranted(message)
    if (goesOn) this.retryLater()
  }

  /** The manager refused request `id`, or its connection ended: undefined. */
  failed(id: number | undefined): void {
    if (this.asked === 0 || (id !== undefined && id !== this.asked)) return
    this.askRingFile()
  }

  private ask(): void {
    const { runtime } = this.options
    this.lastAttempt = runtime.now()
    this.asked = ++this.lastId
    const request = { kind: 'client.register', id: this.asked, client: this.client } as const
    if (!runtime.send('manager', request)) this.askRingFile()
    else this.wait(managerAnswerMs, 'client.registration.answer', () => this.askRingFile())
  }

  private askRingFile(): void {
    const { ringFiles, onGranted } = this.options
    const ring = ringFiles.newest()
    const nodes = ring === undefined ? [] : this.livingMembers(ring)
    if (ring === undefined || nodes.length === 0) {
      this.retryLater()
      return
    }
    this.stop()
    const { client, valueBytesMax } = this
    const { boot, placement } = ring
    onGranted({ client, boot, nodes, replicas: placement.replicas, valueBytesMax })
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
