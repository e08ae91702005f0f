/**
 * Which nodes are down, as the manager itself sees it, and what the nodes say of one another.
 *
 * A process that is gone is down at once: pid and start time say so. One that lives and answers no ping
 * for suspicionMs is down too (stopped, stuck, or out of the manager's reach); only nodes that the
 * published ring names are pinged, since others may not take part yet. Time during which the manager
 * itself was held up counts for nobody: a tick that comes late judges nobody and moves all deadlines by
 * what it was late. (SWIM, Das et al. 2002; counting one's own lag first is Lifeguard's idea.)
 */
import type { MessageOf } from '../shared/protocol/messages.js'
import { addressOf, type Member, type NodeId } from '../shared/ring/description.js'
import { gossipPeriodMs, ownLagMaxMs, suspicionMs } from '../shared/runtime/limits.js'
import type { Address, CancelTimer, Millis, Runtime } from '../shared/runtime/runtime.js'
import type { Peers } from './peers.js'
import type { Publisher } from './publisher.js'

/** Empty: it is up. */
export type DownReason = '' | 'exited' | 'not answering'

/** One life that is looked after. */
interface Watch {
  readonly member: Member
  heardAt: Millis
  isSilent: boolean
  /** Since when it has been down without a break. */
  downSince: Millis | undefined
  /** When it followed an earlier life, or answered again; long ago of any other. */
  upSince: Millis
  /** The lives that it holds suspect or dead, and when it said so. */
  suspects: ReadonlySet<Address>
  reportedAt: Millis
}

export interface HealthOptions {
  readonly runtime: Runtime
  readonly peers: Peers
  readonly publisher: Publisher
  /** The latest life of every node that is in the ring or wants to be. */
  readonly processes: () => readonly Member[]
  /** After each look, and when a node answers again; `changed`: somebody went down or came up. */
  readonly onLooked: (changed: boolean) => void
}

export class Health {
  readonly #options: HealthOptions
  readonly #watches = new Map<Address, Watch>()
  #cancel: CancelTimer = () => {}
  #round = 0
  /** When the next tick should come. */
  #due: Millis = Number.POSITIVE_INFINITY

  constructor(options: HealthOptions) {
    this.#options = options
  }

  start(): void {
    this.#probe()
  }

  stop(): void {
    this.#cancel()
  }

  down(member: Member): DownReason {
    if (!this.#options.peers.isAlive(member)) return 'exited'
    return this.#watches.get(addressOf(member))?.isSilent === true ? 'not answering' : ''
  }

  /** For how long it has been down without a break; 0 while it is up. */
  downFor(member: Member): Millis {
    const since = this.#watches.get(addressOf(member))?.downSince
    if (since === undefined) return 0
    // What is asked before a tick that is late must not count what that tick will forgive.
    const late = this.#late
    return Math.max(0, this.#options.runtime.now() - since - (late > ownLagMaxMs ? late : 0))
  }

  /** For how long it has been up without a break; 0 of a life that was just heard of. */
  upFor(member: Member): Millis {
    const watch = this.#watches.get(addressOf(member))
    if (watch === undefined || watch.downSince !== undefined) return 0
    return this.#options.runtime.now() - watch.upSince
  }

  /** `by` holds `about` for suspect or dead, as it said within the time that it repeats it in. */
  doubts(by: Member, about: Member): boolean {
    const watch = this.#watches.get(addressOf(by))
    if (watch === undefined || !watch.suspects.has(addressOf(about))) return false
    return this.#options.runtime.now() - watch.reportedAt <= suspicionMs
  }

  acknowledged(from: Address): void {
    const watch = this.#watches.get(from)
    if (watch === undefined) return
    watch.heardAt = this.#options.runtime.now()
    if (!watch.isSilent) return
    watch.isSilent = false
    this.#options.onLooked(this.#note())
  }

  reported(from: Address, { suspects }: MessageOf<'health.report'>): void {
    const watch = this.#watches.get(from)
    if (watch === undefined) return
    const held = suspects.filter((rumor) => rumor.health !== 'alive')
    watch.suspects = new Set(held.map(({ node, incarnation }) => `${node}.${incarnation}`))
    watch.reportedAt = this.#options.runtime.now()
  }

  /** Some process is gone, or a new one is there. */
  look(): void {
    this.#follow()
    this.#options.onLooked(this.#note())
  }

  #probe(): void {
    const { runtime, publisher } = this.#options
    this.#follow()
    this.#round++
    const epoch = publisher.current?.epoch ?? 0
    for (const { member } of this.#watches.values()) {
      if (!this.#isNamed(member)) continue
      runtime.send(addressOf(member), { kind: 'gossip.ping', id: this.#round, epoch, rumors: [] })
    }
    this.#due = runtime.now() + gossipPeriodMs
    this.#cancel = runtime.after(gossipPeriodMs, 'manager probe', () => {
      const late = this.#late
      if (late > ownLagMaxMs) this.#forgive(late)
      else this.#judge()
      this.#probe()
      this.look()
    })
  }

  get #late(): Millis {
    return this.#options.runtime.now() - this.#due
  }

  #judge(): void {
    const now = this.#options.runtime.now()
    for (const watch of this.#watches.values()) {
      if (!this.#isNamed(watch.member)) watch.heardAt = now
      watch.isSilent = now - watch.heardAt >= suspicionMs
    }
  }

  /** What was heard since waking up is no older than now. */
  #forgive(late: Millis): void {
    const now = this.#options.runtime.now()
    const moved = (at: Millis) => Math.min(now, at + late)
    for (const watch of this.#watches.values()) {
      watch.heardAt = moved(watch.heardAt)
      watch.reportedAt = moved(watch.reportedAt)
      if (watch.downSince !== undefined) watch.downSince = moved(watch.downSince)
    }
  }

  #isNamed(member: Member): boolean {
    const address = addressOf(member)
    const named = this.#options.publisher.current?.members ?? []
    return named.some((it) => addressOf(it) === address)
  }

  /** Watches the latest lives, and forgets all others. */
  #follow(): void {
    const { runtime, processes } = this.#options
    const members = new Map(processes().map((member) => [addressOf(member), member]))
    const past = new Set<NodeId>()
    for (const [address, { member }] of this.#watches) {
      if (members.has(address)) continue
      past.add(member.id)
      this.#watches.delete(address)
    }
    for (const [address, member] of members) {
      if (this.#watches.has(address)) continue
      this.#watches.set(address, {
        member,
        heardAt: runtime.now(),
        isSilent: false,
        downSince: undefined,
        upSince: past.has(member.id) ? runtime.now() : Number.NEGATIVE_INFINITY,
        suspects: new Set(),
        reportedAt: 0,
      })
    }
  }

  /** True: somebody went down or came up. */
  #note(): boolean {
    let changed = false
    for (const watch of this.#watches.values()) {
      const isDown = this.down(watch.member) !== ''
      if (isDown === (watch.downSince !== undefined)) continue
      watch.downSince = isDown ? this.#options.runtime.now() : undefined
      watch.upSince = this.#options.runtime.now()
      changed = true
    }
    return changed
  }
}
