/**
 * A few storage nodes on a table, for tests that read like stories: messages wait in one queue, time
 * stands still until it is told to move, and everything that is said stands in `trace`.
 */
import { type Merge, mergeOf } from '../shared/data/merge.js'
import type { Mode } from '../shared/data/mode.js'
import type { StoredRecord } from '../shared/data/record.js'
import { compareVersions } from '../shared/data/version.js'
import type { Message } from '../shared/protocol/messages.js'
import { addressOf, type NodeId, type RingDescription } from '../shared/ring/description.js'
import { inRange, tokenOf } from '../shared/ring/token.js'
import type {
  Cursor,
  Done,
  Engine,
  Entry,
  Mark,
  Range,
  RingFiles,
  ScanPage,
} from '../shared/runtime/ports.js'
import type { Address, CancelTimer, Log, Millis, Runtime } from '../shared/runtime/runtime.js'
import { hintMergeOf } from './hints/hint-store.js'
import { type StopReason, StorageNode } from './node.js'

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Keeps everything at once; with `isHeld`, acknowledgements wait for `sync()`. */
class TableEngine implements Engine {
  readonly entries = new Map<string, Entry>()
  readonly metas = new Map<string, string>()
  isHeld = false
  private readonly mergeRecords: Merge
  private waiting: (() => void)[] = []

  constructor(merge: Merge) {
    this.mergeRecords = merge
  }

  sync(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const settle of waiting) settle()
  }

  /** Its process died: nobody is left to be told. What it held is kept. */
  abandon(): void {
    this.waiting = []
  }

  apply(entry: Entry, done: Done): void {
    this.merge(entry)
    this.settle(() => done(undefined))
  }

  applyBatch(entries: readonly Entry[], meta: Record<string, string>, done: Done): void {
    for (const entry of entries) this.merge(entry)
    for (const [name, value] of Object.entries(meta)) this.metas.set(name, value)
    this.settle(() => done(undefined))
  }

  update(
    token: number,
    key: Uint8Array,
    change: (held: StoredRecord | undefined) => StoredRecord | undefined,
    done: (error: Error | undefined, record: StoredRecord | undefined) => void,
  ): void {
    const held = this.entries.get(nameOf(key))?.record
    const record = change(held)
    if (record !== undefined) this.entries.set(nameOf(key), { token, key, record })
    this.settle(() => done(undefined, record ?? held))
  }

  discard(marks: readonly Mark[], done: Done): void {
    for (const { key, version } of marks) {
      const held = this.entries.get(nameOf(key))?.record
      if (held !== undefined && compareVersions(held.version, version) === 0) {
        this.entries.delete(nameOf(key))
      }
    }
    this.settle(() => done(undefined))
  }

  read(
    _token: number,
    key: Uint8Array,
    done: (error: Error | undefined, record: StoredRecord | undefined) => void,
  ): void {
    this.settle(() => done(undefined, this.entries.get(nameOf(key))?.record))
  }

  scan(
    range: Range,
    after: Cursor | undefined,
    limitBytes: number,
    done: (error: Error | undefined, page: ScanPage | undefined) => void,
  ): void {
    const distance = (token: number) => (token - range.from - 1 + 2 ** 32) % 2 ** 32
    const place = ({ token, key }: Cursor) => `${distance(token)}`.padStart(10, '0') + nameOf(key)
    const rest = [...this.entries.values()]
      .filter(({ token }) => inRange(token, range))
      .filter((entry) => after === undefined || place(entry) > place(after))
      .sort((a, b) => (place(a) < place(b) ? -1 : 1))
    let bytes = 0
    const entries = rest.filter(({ key, record }, index) => {
      bytes += key.length + (record.value?.length ?? 0)
      return index === 0 || bytes <= limitBytes
    })
    const last = entries.at(-1)
    const next = entries.length < rest.length && last !== undefined ? last : undefined
    const cursor = next === undefined ? undefined : { token: next.token, key: next.key }
    done(undefined, { entries, next: cursor })
  }

  erase(ranges: readonly Range[], meta: Record<string, string>, done: Done): void {
    for (const [name, { token }] of this.entries) {
      if (ranges.some((range) => inRange(token, range))) this.entries.delete(name)
    }
    this.applyBatch([], meta, done)
  }

  meta(name: string): string | undefined {
    return this.metas.get(name)
  }

  stats(done: Parameters<Engine['stats']>[0]): void {
    let keys = 0
    let bytes = 0
    for (const { key, record } of this.entries.values()) {
      if (record.value === null) continue
      keys++
      bytes += key.length + record.value.length
    }
    done(undefined, { keys, bytes })
  }

  close(done: Done): void {
    done(undefined)
  }

  private merge(entry: Entry): void {
    const name = nameOf(entry.key)
    const held = this.entries.get(name)?.record
    const record = this.mergeRecords(held, entry.record)
    if (record !== held) this.entries.set(name, { ...entry, record })
  }

  private settle(settle: () => void): void {
    if (this.isHeld) this.waiting.push(settle)
    else settle()
  }
}

interface Timer {
  readonly at: Millis
  readonly fire: () => void
}

interface Seat {
  readonly node: StorageNode
  readonly engine: TableEngine
  readonly hints: TableEngine
  ended: StopReason | undefined
}

export class Cluster {
  readonly trace: string[] = []
  /** What reached each address that is not a node: clients and the manager. */
  readonly inbox = new Map<Address, Message[]>()
  /** Pids of processes that are gone, whatever became of their connections. */
  readonly dead = new Set<number>()
  /** Nodes whose disks have too little room. */
  readonly fullDisks = new Set<NodeId>()
  /** `from>to`: nothing more is taken for it. */
  readonly fullQueues = new Set<string>()
  /** Of nodes that are added from now on. */
  sloppy = false
  mode: Mode = 'latest'
  handoffBytesPerSecond = 0
  logOperations = false
  log: Log = quiet
  /** What every node draws. */
  random: () => number = () => 0.5
  /** Looks at each message before it arrives; what it returns false for is kept back. */
  mayArrive: (message: Message, from: Address, to: Address) => boolean = () => true
  private readonly seats = new Map<Address, Seat>()
  private readonly muted = new Set<Address>()
  /** What waits for them. */
  private readonly paused = new Map<Address, (() => void)[]>()
  private readonly gone = new Set<Address>()
  private readonly rings = new Map<number, RingDescription>()
  private queue: { from: Address; to: Address; message: Message }[] = []
  private keptBack: { from: Address; to: Address; message: Message }[] = []
  private turnEnds: (() => void)[] = []
  private timers: Timer[] = []
  private nowMs = 1_000

  get hostMicros(): number {
    return this.nowMs * 1000
  }

  /** Puts a node on the table, with the stores of an earlier life or new ones. */
  add(
    id: NodeId,
    engine = new TableEngine(mergeOf(this.mode)),
    incarnation = 1,
    hints: TableEngine = new TableEngine(hintMergeOf(this.mode)),
  ): Seat {
    const member = { id, incarnation, pid: 1, startTime: '1' }
    const address = addressOf(member)
    const returning = engine.metas.size > 0
    this.gone.delete(address)
    const node = new StorageNode({
      member,
      store: `store of ${id}`,
      returning,
      swarm: 'test',
      swarmName: 'test',
      durability: 'sync',
      runDirectory: '/run/test',
      boot: 1,
      valueBytesMax: 1024,
      runtime: this.runtimeOf(address),
      engine,
      hints,
      disk: { isLow: () => this.fullDisks.has(id) },
      sloppy: this.sloppy,
      mode: this.mode,
      logOperations: this.logOperations,
      handoffBytesPerSecond: this.handoffBytesPerSecond,
      ringFiles: this.ringFiles(),
      log: this.log,
      onStopped: (reason) => {
        seat.ended = reason
      },
    })
    const seat: Seat = { node, engine, hints, ended: undefined }
    this.seats.set(address, seat)
    node.start()
    this.run()
    return seat
  }

  seat(address: Address): Seat {
    const seat = this.seats.get(address)
    if (seat === undefined) throw new Error(`nobody sits at ${address}`)
    return seat
  }

  /** The file alone; `publish` also tells the members. */
  writeRing(ring: RingDescription): void {
    this.rings.set(ring.epoch, ring)
  }

  publish(ring: RingDescription): void {
    this.writeRing(ring)
    for (const [address, seat] of this.seats) {
      this.whenAwake(address, () => seat.node.received('manager', { kind: 'ring.publish', ring }))
    }
    this.run()
  }

  /** The processes are gone: everybody who talked to them sees their connections close. */
  kill(...gone: Address[]): void {
    this.crash(...gone)
    this.run()
  }

  /** The same, and nothing else happens yet. */
  crash(...gone: Address[]): void {
    for (const address of gone) {
      this.seats.get(address)?.engine.abandon()
      this.seats.delete(address)
      this.paused.delete(address)
      this.gone.add(address)
    }
    this.queue = this.queue.filter(({ from, to }) => !gone.includes(from) && !gone.includes(to))
    for (const [survivor, seat] of this.seats) {
      for (const address of gone) this.whenAwake(survivor, () => seat.node.closed(address))
    }
  }

  /** The processes are stopped: what is said to them waits, and their timers. */
  pause(...addresses: Address[]): void {
    for (const address of addresses) this.paused.set(address, this.paused.get(address) ?? [])
  }

  wake(...addresses: Address[]): void {
    for (const address of addresses) {
      const waiting = this.paused.get(address) ?? []
      this.paused.delete(address)
      for (const act of waiting) act()
    }
  }

  private whenAwake(address: Address, act: () => void): void {
    const waiting = this.paused.get(address)
    if (waiting === undefined) act()
    else waiting.push(act)
  }

  /** The processes are stopped: they say nothing, what is said to them is lost, and nobody sees it. */
  mute(...addresses: Address[]): void {
    for (const address of addresses) this.muted.add(address)
  }

  unmute(...addresses: Address[]): void {
    for (const address of addresses) this.muted.delete(address)
  }

  send(from: Address, to: Address, message: Message): void {
    this.queue.push({ from, to, message })
  }

  put(client: Address, to: Address, key: string, value: string | null, id = 1, w = 0): void {
    const version = { boot: 1, micros: this.hostMicros, writer: client }
    const deadline = this.hostMicros + 5_000_000
    const bytes = value === null ? null : Buffer.from(value)
    this.send(client, to, {
      kind: 'put',
      id,
      key: Buffer.from(key),
      value: bytes,
      version,
      w,
      deadline,
    })
  }

  get(client: Address, to: Address, key: string, id = 1, r = 0): void {
    const born = this.hostMicros
    const deadline = born + 5_000_000
    this.send(client, to, { kind: 'get', id, key: Buffer.from(key), r, born, deadline })
  }

  /** Delivers until nothing is under way, in the order of sending. */
  run(): void {
    while (this.step()) {}
  }

  /** One delivery, then the end of its turn; false when there was nothing to do. */
  step(): boolean {
    const next = this.queue.shift()
    if (next !== undefined) this.deliver(next.from, next.to, next.message)
    const isIdle = next === undefined && this.turnEnds.length === 0
    this.endTurn()
    return !isIdle
  }

  /** Nothing is on its way. */
  get isQuiet(): boolean {
    return this.queue.length === 0
  }

  /** One delivery over a link that `choose` picks by its index, in the order of sending there. */
  stepOver(choose: (links: number) => number): boolean {
    const links = [...new Set(this.queue.map(({ from, to }) => `${from}>${to}`))]
    const link = links[choose(links.length)]
    const index = this.queue.findIndex(({ from, to }) => `${from}>${to}` === link)
    const [next] = index < 0 ? [] : this.queue.splice(index, 1)
    if (next !== undefined) this.deliver(next.from, next.to, next.message)
    this.endTurn()
    return next !== undefined
  }

  endTurn(): void {
    const turnEnds = this.turnEnds
    this.turnEnds = []
    for (const fire of turnEnds) fire()
  }

  /** What was kept back arrives now. */
  letArrive(): void {
    const { keptBack } = this
    this.keptBack = []
    this.mayArrive = () => true
    this.queue.push(...keptBack)
    this.run()
  }

  /** Time passes while all processes are stopped: no timer fires. */
  sleep(ms: Millis): void {
    this.nowMs += ms
  }

  advance(ms: Millis): void {
    const end = this.nowMs + ms
    for (;;) {
      this.run()
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.timers = this.timers.filter((timer) => timer !== due)
      this.nowMs = Math.max(this.nowMs, due.at)
      due.fire()
    }
    this.nowMs = end
    this.run()
  }

  /** Time passes and timers fire, but nothing arrives. */
  elapse(ms: Millis): void {
    const end = this.nowMs + ms
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.timers = this.timers.filter((timer) => timer !== due)
      this.nowMs = Math.max(this.nowMs, due.at)
      due.fire()
    }
    this.nowMs = end
  }

  /** The newest answer that a client got. */
  answer(client: Address): Message | undefined {
    return this.inbox.get(client)?.at(-1)
  }

  /** null: a tombstone; undefined: nothing. */
  stored(address: Address, key: string): string | null | undefined {
    const record = this.seat(address).engine.entries.get(key)?.record
    if (record === undefined || record.value === null)
      return record === undefined ? undefined : null
    return Buffer.from(record.value).toString()
  }

  private deliver(from: Address, to: Address, message: Message): void {
    this.trace.push(`${from} > ${to} ${message.kind}`)
    if (this.muted.has(to) || this.muted.has(from)) return
    if (!this.mayArrive(message, from, to)) {
      this.keptBack.push({ from, to, message })
      return
    }
    const seat = this.seats.get(to)
    if (seat !== undefined) this.whenAwake(to, () => seat.node.received(from, message))
    else if (/^n\d/.test(to)) this.seats.get(from)?.node.closed(to)
    else this.inbox.set(to, [...(this.inbox.get(to) ?? []), message])
  }

  private runtimeOf(self: Address): Runtime {
    return {
      now: () => this.nowMs,
      hostMicros: () => this.hostMicros,
      random: () => this.random(),
      send: (to, message) => {
        if (this.fullQueues.has(`${self}>${to}`)) return false
        this.queue.push({ from: self, to, message })
        return true
      },
      after: (ms, _label, fire): CancelTimer => {
        const fireAlive = () => {
          if (!this.gone.has(self)) this.whenAwake(self, fire)
        }
        if (ms === 0) {
          this.turnEnds.push(fireAlive)
          return () => {}
        }
        const timer = { at: this.nowMs + ms, fire: fireAlive }
        this.timers.push(timer)
        return () => {
          this.timers = this.timers.filter((other) => other !== timer)
        }
      },
      isAlive: ({ pid }) => !this.dead.has(pid),
    }
  }

  private ringFiles(): RingFiles {
    return {
      publish: () => 'exists',
      exists: (epoch) => this.rings.has(epoch),
      newest: () => this.rings.get(Math.max(...this.rings.keys())),
      prune: () => {},
    }
  }
}

/** Tokens of `count` nodes n1..n<count>, one each, evenly spread. */
export function evenRing(epoch: number, nodes: readonly NodeId[], replicas = 3): RingDescription {
  const share = 2 ** 32 / nodes.length
  return {
    epoch,
    swarm: 'test',
    boot: 1,
    members: nodes.map((id, index) => ({ id, incarnation: 1, pid: index + 1, startTime: '1' })),
    placement: {
      replicas,
      readQuorum: Math.floor(replicas / 2) + 1,
      writeQuorum: Math.floor(replicas / 2) + 1,
      tokens: nodes.map((_, index) => Math.floor((index + 1) * share) - 1),
      nodes: [...nodes],
    },
  }
}

/** A key whose primary owner is the node at this index of an even ring. */
export function keyOf(index: number, count: number): string {
  for (let i = 0; ; i++) {
    const key = `key${i}`
    if (Math.floor((tokenOf(Buffer.from(key)) / 2 ** 32) * count) === index) return key
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString()
}
