/**
 * A world for the manager's tests: a clock that jumps, a disk that is durable a millisecond later,
 * and scripted nodes that join, copy, leave, die and come back. Every ring that is published is
 * checked against the journal and against what its gainers have copied. The manager can be killed at
 * any step of its journal, and starts again on what was durable by then.
 */
import { isDeepStrictEqual } from 'node:util'
import type {
  ChangeReport,
  Message,
  MessageKind,
  MessageOf,
  StatusReport,
} from '../shared/protocol/messages.js'
import { lacking } from '../shared/ring/chains.js'
import {
  addressOf,
  type Member,
  type NodeId,
  type RingDescription,
} from '../shared/ring/description.js'
import type { Done, Journal, RingFiles } from '../shared/runtime/ports.js'
import type { Address, Log, ProcessId, Runtime } from '../shared/runtime/runtime.js'
import { checkChains } from './chains.fixture.js'
import { Manager, type ManagerConfig } from './manager.js'
import { FakeNode, reconnectMs } from './node.fixture.js'
import { fold, initialState } from './state.js'
import type { Step } from './steps.js'

const testConfig: ManagerConfig = {
  swarm: 'test',
  replicas: 3,
  readQuorum: 2,
  writeQuorum: 2,
  virtualNodes: 3,
  durability: 'sync',
  valueBytesMax: 1024,
  evictAfterMs: 30_000,
  sloppy: false,
  mode: 'latest',
  logOperations: false,
  handoffBytesPerSecond: 0,
}

const hopMs = 1
const diskMs = 1
const silent = () => {}
const quiet: Log = { debug: silent, info: silent, warn: silent, error: silent }

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** Who may be killed: the manager, a node that data is copied from, and one that it is copied to. */
export type Victim = 'manager' | 'donor' | 'receiver'

/**
 * A kill at the manager's boundary number `at`: before or after a step is durable, before or after each
 * effect that follows (a ring file, a message, the kill of a process).
 */
export interface Kill {
  readonly at: number
  readonly victims: readonly Victim[]
}

/** Messages that do nothing but ask. */
const questions: readonly MessageKind[] = ['gossip.ping', 'node.stats']

export class World {
  now = 0
  bootId = 'boot-1'
  manager: Manager | undefined
  /** What is durable. */
  readonly steps: Step[] = []
  readonly files = new Map<number, RingDescription>()
  readonly nodes = new Map<Address, FakeNode>()
  /** What the manager sent to anybody who is not a node. */
  readonly inbox: { readonly to: Address; readonly message: Message }[] = []
  readonly alive = new Set<number>()
  /** `plan/node` of every copy that was finished. */
  readonly copied = new Set<string>()
  /** `epoch/node` of every reader that had its marks. */
  readonly ready = new Set<string>()
  readonly stopped: (Error | undefined)[] = []
  readonly config: ManagerConfig
  kill: Kill | undefined
  /** So many boundaries the manager has passed. */
  boundaries = 0
  /** `a>b`: nothing gets from a to b, each the manager or the id of a node. */
  readonly cuts = new Set<string>()
  /** Messages between the manager and nodes are lost, or come twice, as this says. */
  fate: () => 'lost' | 'twice' | 'delivered' = () => 'delivered'
  diskFails = false
  /** What the supervisor starts ends at once. */
  startsNothing = false
  /** How many nodes the supervisor starts by itself; undefined: there is no supervisor. */
  supervised: number | undefined
  #timers: Timer[] = []
  #life = 0
  readonly #processes: FakeNode[] = []
  #lastId = 0
  #pids = 100

  constructor(config: Partial<ManagerConfig> = {}) {
    this.config = { ...testConfig, ...config }
  }

  // --- The manager's life ---------------------------------------------------------------------

  /** SIGKILL from the manager. */
  killProcess({ pid, startTime }: ProcessId): void {
    const isIt = (node: FakeNode) => node.pid === pid && node.member.startTime === startTime
    for (const node of [...this.nodes.values()]) if (isIt(node)) node.die()
  }

  startManager(): void {
    const life = ++this.#life
    const appended = [...this.steps]
    this.manager = new Manager({
      config: this.config,
      runtime: this.#runtime(life),
      journal: this.#journal(life, appended),
      steps: [...this.steps],
      ringFiles: this.#ringFiles(life),
      self: { pid: 1, startTime: '1' },
      kill: (process) => {
        if (this.#passes(life)) this.killProcess(process)
        this.#passes(life)
      },
      bootId: this.bootId,
      newSwarmId: 'swarm-1',
      runDirectory: '/run',
      log: quiet,
      onStopped: (error) => {
        if (life !== this.#life) throw new Error('a dead manager stops')
        this.stopped.push(error)
      },
    })
    this.manager.start()
    this.#connectAll()
  }

  /** kill -9: nothing that it planned to do happens any more. */
  killManager(): void {
    this.#life++
    this.manager = undefined
  }

  /** Everybody who lives finds the manager again. */
  #connectAll(): void {
    for (const node of this.nodes.values()) this.after(reconnectMs, () => node.connect())
    if (this.supervised !== undefined) this.registerSupervisor(this.supervised)
  }

  registerSupervisor(nodes: number): void {
    this.supervised = nodes
    this.after(hopMs, () => {
      this.manager?.opened('supervisor')
      this.manager?.received('supervisor', { kind: 'supervisor.register', id: 1, nodes })
    })
  }

  // --- Time -----------------------------------------------------------------------------------

  after(ms: number, fire: () => void): () => void {
    const timer = { at: this.now + ms, fire }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((it) => it !== timer)
    }
  }

  run(ms: number): void {
    const end = this.now + ms
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end)
      const [next] = due.sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.now = Math.max(this.now, next.at)
      next.fire()
    }
    this.now = Math.max(this.now, end)
  }

  /** The manager gets no processor for so long: what is due meanwhile comes late, nodes go on. */
  hold(ms: number): void {
    this.now += ms
  }

  /** Runs until `condition` holds; a virtual minute is as good as never. */
  until(condition: () => boolean, what: string): void {
    const end = this.now + 60_000
    while (!condition()) {
      if (this.now >= end) throw new Error(`never: ${what}`)
      const next = Math.min(end, ...this.#timers.map(({ at }) => at))
      this.run(Math.max(1, next - this.now))
    }
  }

  // --- Processes ------------------------------------------------------------------------------

  /** Starts a node process; without an id it asks for one. */
  startNode(id: NodeId | '' = '', store = `store-${++this.#lastId}`): FakeNode {
    // The lock of the store keeps two lives of a node apart.
    for (const other of this.#processes) if (id !== '' && other.id === id) other.die()
    const pid = ++this.#pids
    this.alive.add(pid)
    const node = new FakeNode(this, pid, id, store)
    this.#processes.push(node)
    node.enroll()
    return node
  }

  startNodes(count: number): FakeNode[] {
    return Array.from({ length: count }, () => this.startNode())
  }

  /** The process ends; the manager sees its connection close. */
  end(node: FakeNode): void {
    this.alive.delete(node.pid)
    const { address } = node
    if (address === undefined) return
    if (this.nodes.get(address) === node) this.nodes.delete(address)
    this.after(hopMs, () => this.manager?.closed(address))
  }

  /** Stopped, dead, or cut off: `by` gets no answer from it. */
  isReachable(by: NodeId, about: Member): boolean {
    const node = this.nodes.get(addressOf(about))
    const isCut = this.cuts.has(`${by}>${about.id}`) || this.cuts.has(`${about.id}>${by}`)
    return node?.isAlive === true && !node.paused && !isCut
  }

  isServing(id: NodeId): boolean {
    const lives = [...this.nodes.values()].filter((node) => node.id === id)
    return lives.some((node) => node.isAlive && !node.paused)
  }

  /** The manager goes on; false: it was just killed, or had been. */
  #passes(life: number): boolean {
    if (life !== this.#life) return false
    this.boundaries++
    const { kill } = this
    if (kill?.at !== this.boundaries) return true
    this.kill = undefined
    for (const victim of kill.victims) {
      if (victim === 'manager') this.#dieAndReturn()
      else this.#strike(victim)
    }
    return life === this.#life
  }

  /** Kills a node that takes part in the change under way, or would; it is soon started again. */
  #strike(victim: Victim): void {
    const change = this.manager?.state.ring?.change ?? this.ring?.change
    const [transfer] = change?.transfers ?? []
    const members = this.ring?.placement.nodes ?? []
    const takesPart = (it: FakeNode) => it.isAlive && it.incarnation > 0 && !it.paused
    const alive = this.#processes.filter(takesPart)
    const id = victim === 'donor' ? transfer?.sources[0] : transfer?.gainer
    const role = (node: FakeNode) => members.includes(node.id) === (victim === 'donor')
    const node = alive.find((it) => (id === undefined ? role(it) : it.id === id))
    if (node === undefined) return
    node.die()
    this.after(300, () => this.startNode(node.id, node.store))
  }

  // --- Messages -------------------------------------------------------------------------------

  toManager(from: Address, message: Message): void {
    const life = this.#life
    const [id = ''] = from.split('.')
    if (this.cuts.has(`${id}>manager`)) return
    this.#carry(this.nodes.has(from), () => {
      if (life === this.#life) this.manager?.received(from, message)
    })
  }

  #carry(isUnsafe: boolean, arrive: () => void): void {
    const fate = isUnsafe ? this.fate() : 'delivered'
    if (fate !== 'lost') this.after(hopMs, arrive)
    if (fate === 'twice') this.after(3 * hopMs, arrive)
  }

  /** Sends a request and returns the reply, whatever it is. */
  ask(message: Message & { id: number }, from = 'cli'): Message {
    const reply = () =>
      this.inbox.find((it) => it.to === from && 'id' in it.message && it.message.id === message.id)
    this.toManager(from, message)
    this.until(() => reply() !== undefined, `an answer to ${message.kind}`)
    return (reply() as { message: Message }).message
  }

  /** Like `ask`, and fails on any other kind of reply. */
  call<K extends MessageKind>(kind: K, message: MessageWithoutId): MessageOf<K> {
    const id = 1_000 + ++this.#lastId
    const reply = this.ask({ ...message, id } as Message & { id: number })
    if (reply.kind !== kind) throw new Error(`expected ${kind}, got ${JSON.stringify(reply)}`)
    return reply as MessageOf<K>
  }

  get status(): StatusReport {
    return this.call('swarm.status.ok', { kind: 'swarm.status' }).status
  }

  report(ticket: number): ChangeReport {
    return this.call('change.query.ok', { kind: 'change.query', ticket }).report
  }

  get ring(): RingDescription | undefined {
    return this.files.get(Math.max(...this.files.keys()))
  }

  /** A settled ring of exactly these nodes, held by each of them, with nothing left to do. */
  isSettled(ids: readonly NodeId[]): boolean {
    const { ring } = this
    if (ring === undefined || ring.change !== undefined || this.manager === undefined) return false
    if (this.manager.state.ring?.epoch !== ring.epoch) return false
    const lives = [...this.nodes.values()]
    const holds = (id: NodeId) => lives.some((it) => it.id === id && it.ring?.epoch === ring.epoch)
    if (!ids.every(holds)) return false
    const members = ring.members.map((member) => member.id)
    return (
      isDeepStrictEqual([...new Set(ring.placement.nodes)].sort(), [...ids].sort()) &&
      isDeepStrictEqual(members.sort(), [...ids].sort()) &&
      (ring.chains === undefined || lacking(ring.chains, ring.placement, () => true).length === 0)
    )
  }

  untilSettled(nodes: readonly FakeNode[]): void {
    this.until(() => this.isSettled(nodes.map((node) => node.id)), 'a settled ring of these nodes')
  }

  // --- Ports ----------------------------------------------------------------------------------

  #runtime(life: number): Runtime {
    return {
      now: () => this.now,
      hostMicros: () => this.now * 1_000,
      random: () => 0.5,
      isAlive: (process: ProcessId) => this.alive.has(process.pid),
      after: (ms, _label, fire) =>
        this.after(ms, () => {
          if (life === this.#life) fire()
        }),
      send: (to, message) => {
        const isQuestion = questions.includes(message.kind)
        if (isQuestion ? life !== this.#life : !this.#passes(life)) return true
        const [id = ''] = to.split('.')
        if (this.cuts.has(`manager>${id}`)) return true
        this.#carry(this.nodes.has(to), () => this.#deliver(to, message))
        return true
      },
    }
  }

  #deliver(to: Address, message: Message): void {
    const node = this.nodes.get(to)
    if (node !== undefined) node.received(message)
    else this.inbox.push({ to, message })
    this.#processes.find((it) => it.temporary === to)?.received(message)
    if (message.kind === 'node.spawn') this.#spawn(message.node)
  }

  /** As a supervisor: with the data directory of that node, if there is one; not while it runs. */
  #spawn(id: NodeId): void {
    const last = this.#processes.findLast((node) => node.id === id)
    if (last?.isAlive !== true && !this.startsNothing) this.startNode(id, last?.store)
  }

  #journal(life: number, appended: Step[]): Journal<Step> {
    const write = (step: Step, isWhole: boolean, done: Done) => {
      if (life !== this.#life) return
      appended.push(step)
      const expected = appended.reduce(fold, initialState)
      if (!isDeepStrictEqual(this.manager?.state ?? expected, expected)) {
        throw new Error('the state is not the fold of the journal')
      }
      this.after(diskMs, () => {
        if (life !== this.#life) return
        if (this.diskFails) return done(new Error('EIO'))
        if (!this.#passes(life)) return
        if (isWhole) this.steps.length = 0
        this.steps.push(step)
        if (this.#passes(life)) done(undefined)
      })
    }
    return {
      append: (step, done) => write(step, false, done),
      compact: (step, done) => write(step, true, done),
      close: (done) => done(undefined),
    }
  }

  #dieAndReturn(): void {
    this.killManager()
    this.after(10, () => this.startManager())
  }

  #ringFiles(life: number): RingFiles {
    return {
      publish: (ring) => {
        if (!this.#passes(life)) return 'published'
        this.#check(ring)
        if (this.files.has(ring.epoch)) return 'exists'
        this.files.set(ring.epoch, ring)
        this.#passes(life)
        return 'published'
      },
      exists: (epoch) => this.files.has(epoch),
      newest: () => this.ring,
      prune: (keep) => {
        if (life !== this.#life) return
        const old = [...this.files.keys()].sort((a, b) => b - a).slice(keep)
        for (const epoch of old) this.files.delete(epoch)
      },
    }
  }

  #check(ring: RingDescription): void {
    const journaled = this.steps.map((step) => {
      if (step.step === 'swarm.snapshot') return step.state.ring
      return step.step === 'ring.published' ? step.ring : undefined
    })
    if (!journaled.some((it) => isDeepStrictEqual(it, ring)))
      throw new Error(`ring ${ring.epoch} is published before it is durable`)
    const before = this.ring
    if (before === undefined || before.swarm !== ring.swarm || before.epoch >= ring.epoch) return
    const isLost = before.members.every(({ pid }) => !this.alive.has(pid))
    const isFounded = this.config.durability === 'memory' && isLost
    if (this.config.mode === 'chain' && !isFounded) checkChains(before, ring, this)
    if (isDeepStrictEqual(before.placement, ring.placement)) return
    const change = before.change
    if (change === undefined || !isDeepStrictEqual(change.next, ring.placement)) {
      if (this.config.durability === 'memory') return
      throw new Error(`ring ${ring.epoch} has a placement that was not copied to`)
    }
    for (const { gainer } of change.transfers) {
      if (this.copied.has(`${change.plan}/${gainer}`)) continue
      throw new Error(`ring ${ring.epoch} settled before ${gainer} had its data`)
    }
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
type MessageWithoutId = DistributiveOmit<Extract<Message, { id: number }>, 'id'>

/** A world with a serving swarm of this many nodes. */
export function servingWorld(
  count: number,
  config: Partial<ManagerConfig> = {},
): { world: World; nodes: FakeNode[] } {
  const world = new World(config)
  world.startManager()
  const nodes = world.startNodes(count)
  world.until(() => nodes.every((node) => node.incarnation > 0), 'enrolled nodes')
  world.untilSettled(nodes)
  return { world, nodes }
}
