/**
 * Failure detectors by themselves, in virtual time: each has a ring, a clock and a network that
 * delays and drops messages by seed, cuts ways, pauses processes and makes their event loops late. No
 * node around them: an hour of two dozen takes seconds.
 */
import type { Message, MessageOf } from '../../shared/protocol/messages.js'
import { addressOf, type Member, type NodeId } from '../../shared/ring/description.js'
import { Ring } from '../../shared/ring/ring.js'
import type { Address, Log, Millis, Runtime } from '../../shared/runtime/runtime.js'
import { evenRing } from '../cluster.fixture.js'
import { Peers } from '../peers.js'
import { Gossip } from './gossip.js'

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Everything due at one moment runs in the order in which it was asked for. */
interface Task {
  readonly at: Millis
  readonly order: number
  readonly run: () => void
}

interface Seat {
  readonly member: Member
  readonly gossip: Gossip
  readonly peers: Peers
  ring: Ring
  isAlive: boolean
  /** Handles nothing before this. */
  pausedUntil: Millis
}

export interface GossipWorldOptions {
  readonly nodes: number
  readonly seed?: number
  /** Share of the messages that get lost. */
  readonly loss?: number
  /** How late the event loop of this process handles a timer or message; nothing by default. */
  readonly lag?: (node: NodeId, random: () => number) => Millis
}

export class GossipWorld {
  readonly trace: string[] = []
  /** Every change of what somebody holds of another: `n1: n2 suspect`. */
  readonly verdicts: string[] = []
  /** What each node reported to the manager, the newest last. */
  readonly reports: MessageOf<'health.report'>[] = []
  rumorsSent = 0
  nowMs: Millis = 1_000
  private readonly seats = new Map<NodeId, Seat>()
  private readonly options: Required<GossipWorldOptions>
  private readonly cuts = new Set<string>()
  /** The newest ring that is published. */
  private newest: Ring
  private readonly random: () => number
  private readonly tasks = new Heap()
  private order = 0
  private lost = 0

  constructor({ nodes, seed = 1, loss = 0, lag = () => 0 }: GossipWorldOptions) {
    this.options = { nodes, seed, loss, lag }
    this.random = generator(seed)
    const ids = Array.from({ length: nodes }, (_, index) => `n${index + 1}`)
    this.newest = new Ring(evenRing(1, ids))
    for (const member of this.newest.description.members) this.seat(member)
  }

  get nodes(): readonly NodeId[] {
    return [...this.seats.keys()]
  }

  get messagesLost(): number {
    return this.lost
  }

  get ring(): Ring {
    return this.newest
  }

  advance(ms: Millis): void {
    const end = this.nowMs + ms
    for (
      let task = this.tasks.takeUntil(end);
      task !== undefined;
      task = this.tasks.takeUntil(end)
    ) {
      this.nowMs = Math.max(this.nowMs, task.at)
      task.run()
    }
    this.nowMs = end
  }

  /** The process is gone, and `seen` are told by their connections that it is. */
  kill(node: NodeId, ...seen: NodeId[]): void {
    const { member } = this.of(node)
    this.of(node).isAlive = false
    for (const witness of seen) this.of(witness).gossip.closed(addressOf(member))
  }

  /** `node` sees its connection to the peer close. */
  loseConnection(node: NodeId, peer: NodeId): void {
    this.of(node).gossip.closed(addressOf(this.of(peer).member))
  }

  pause(node: NodeId, ms: Millis): void {
    this.of(node).pausedUntil = this.nowMs + ms
  }

  /** Nothing that `from` says reaches `to`; the other way stays open. */
  cut(from: NodeId, to: NodeId): void {
    this.cuts.add(`${from}>${to}`)
  }

  heal(): void {
    this.cuts.clear()
  }

  /** The file is there; `told` are told of it. */
  publish(ring: Ring, ...told: NodeId[]): void {
    this.newest = ring
    for (const node of told) this.catchUp(this.of(node))
  }

  /** `node` asked `peer` for something else, and gets no answer. */
  findLate(node: NodeId, peer: NodeId): void {
    this.of(node).peers.late(addressOf(this.of(peer).member))
  }

  managerSays(node: NodeId): void {
    const ping = { kind: 'gossip.ping', id: 1, epoch: 1, rumors: [] } as const
    this.of(node).gossip.received('manager', ping)
  }

  managerOpens(node: NodeId): void {
    this.of(node).gossip.opened('manager')
  }

  epochOf(node: NodeId): number {
    return this.of(node).ring.epoch
  }

  isReachable(node: NodeId, peer: NodeId): boolean {
    return this.of(node).peers.isReachable(addressOf(this.of(peer).member))
  }

  mayAnswer(node: NodeId, peer: NodeId): boolean {
    return this.of(node).peers.mayAnswer(addressOf(this.of(peer).member))
  }

  /** What the node last reported to hold, as `n2 dead`. */
  heldBy(node: NodeId): readonly string[] {
    const last = this.reports.findLast((report) => report.node === node)
    return (last?.suspects ?? []).map((rumor) => `${rumor.node} ${rumor.health}`)
  }

  private of(node: NodeId): Seat {
    const seat = this.seats.get(node)
    if (seat === undefined) throw new Error(`no ${node} in this world`)
    return seat
  }

  private seat(member: Member): void {
    const runtime = this.runtimeOf(member)
    const peers = new Peers(runtime)
    const log = { ...quiet, info: (_: object, text: string) => this.noteVerdict(member.id, text) }
    const desk = {
      runtime,
      log,
      peers,
      get ring() {
        return seat.ring
      },
      catchUp: () => this.catchUp(seat),
    }
    const gossip = new Gossip(desk, member)
    const seat: Seat = { member, gossip, peers, ring: this.newest, isAlive: true, pausedUntil: 0 }
    this.seats.set(member.id, seat)
    gossip.ringChanged()
    gossip.start()
  }

  private noteVerdict(by: NodeId, text: string): void {
    this.verdicts.push(`${by}: ${text.replace(' is ', ' ')}`)
  }

  private catchUp(seat: Seat): void {
    if (this.newest.epoch <= seat.ring.epoch) return
    seat.ring = this.newest
    seat.gossip.ringChanged()
  }

  private runtimeOf(member: Member): Runtime {
    return {
      now: () => this.nowMs,
      hostMicros: () => this.nowMs * 1000,
      random: this.random,
      isAlive: ({ pid }) =>
        [...this.seats.values()].some((it) => it.isAlive && it.member.pid === pid),
      send: (to, message) => {
        this.transmit(member, to, message)
        return true
      },
      after: (ms, _label, fire) => {
        let isCancelled = false
        const lag = ms === 0 ? 0 : this.options.lag(member.id, this.random)
        this.later(ms + lag, () => this.handle(member.id, () => isCancelled || fire()))
        return () => {
          isCancelled = true
        }
      },
    }
  }

  private transmit(from: Member, to: Address, message: Message): void {
    this.trace.push(`${from.id} > ${to} ${message.kind}`)
    if ('rumors' in message) this.rumorsSent += message.rumors.length
    if (message.kind === 'health.report') this.reports.push(message)
    const target = [...this.seats.values()].find(({ member }) => addressOf(member) === to)
    if (target === undefined) return
    const { id } = target.member
    const isLost = this.random() < this.options.loss
    if (isLost) this.lost++
    if (isLost || this.cuts.has(`${from.id}>${id}`)) return
    const delay = 1 + this.random() + this.options.lag(id, this.random)
    const sender = addressOf(from)
    this.later(delay, () => {
      this.handle(id, () => {
        target.gossip.received(sender, message)
      })
    })
  }

  /** In the process of the node: not while it is paused, never once it is dead. */
  private handle(node: NodeId, task: () => void): void {
    const seat = this.of(node)
    if (!seat.isAlive) return
    if (this.nowMs >= seat.pausedUntil) return task()
    this.later(seat.pausedUntil - this.nowMs, () => this.handle(node, task))
  }

  private later(ms: Millis, run: () => void): void {
    this.tasks.add({ at: this.nowMs + ms, order: ++this.order, run })
  }
}

/** What is due first comes first (a binary heap): an hour has millions of tasks. */
class Heap {
  private readonly tasks: Task[] = []

  add(task: Task): void {
    const { tasks } = this
    let index = tasks.push(task) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (isBefore(tasks[parent] as Task, task)) break
      tasks[index] = tasks[parent] as Task
      index = parent
    }
    tasks[index] = task
  }

  takeUntil(end: Millis): Task | undefined {
    const { tasks } = this
    const first = tasks[0]
    if (first === undefined || first.at > end) return undefined
    const last = tasks.pop() as Task
    if (tasks.length > 0) this.sink(last)
    return first
  }

  private sink(task: Task): void {
    const { tasks } = this
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= tasks.length) break
      const right = child + 1
      if (right < tasks.length && isBefore(tasks[right] as Task, tasks[child] as Task))
        child = right
      if (isBefore(task, tasks[child] as Task)) break
      tasks[index] = tasks[child] as Task
      index = child
    }
    tasks[index] = task
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/** Mulberry32 (Tommy Ettinger): enough to choose delays by. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
