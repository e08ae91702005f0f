/**
 * A chain under random crashes, pauses, drops, rejoins and delays, with clients that retry; and a manager
 * of a few lines. Everything is drawn from one seed.
 */
import type { Condition } from '../../shared/data/mode.js'
import { compareVersions, formatVersion, type Version } from '../../shared/data/version.js'
import type { Message } from '../../shared/protocol/messages.js'
import type { NodeId, RingDescription } from '../../shared/ring/description.js'
import { ChainCluster, chained } from './chains.fixture.js'
import type { Operation } from './linear.fixture.js'

const keys = ['a', 'b'] as const
const nodes: readonly NodeId[] = ['n1', 'n2', 'n3', 'n4']

class SteppedCluster extends ChainCluster {
  isStepped = true
  override run(): void {
    if (!this.isStepped) super.run()
  }
}

interface Call {
  readonly client: string
  readonly key: string
  readonly operation: Operation
  readonly stamp: Version
  attempts: number
  heard: number
  settled: boolean
}

/** A generator of 32 bits (mulberry32). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export class Chaos {
  readonly cluster: SteppedCluster
  readonly history = new Map<string, Operation[]>(keys.map((key) => [key, []]))
  /** Of writes by their values. */
  readonly versions = new Map<string, Version>()
  /** Of one request two results. */
  readonly contradictions: string[] = []
  private readonly random: () => number
  private readonly lives = new Map<NodeId, number>()
  private readonly up = new Set<NodeId>()
  private readonly asleep = new Set<NodeId>()
  private readonly calls: Call[] = []
  private readonly known = new Map<string, Version>()
  private epoch = 0
  private plan = 0
  private members: NodeId[] = []
  private full = 0
  private step: 'settled' | 'copying' | 'switching' = 'settled'
  private clock = 0
  private ring: RingDescription | undefined

  constructor(seed: number) {
    this.random = generator(seed)
    this.cluster = new SteppedCluster()
    for (const id of nodes) this.start(id)
    this.members = ['n1', 'n2', 'n3']
    this.full = 3
    this.publish()
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.act()
  }

  /** All come back, everything arrives, and each key is read. */
  end(): void {
    for (const id of nodes) {
      if (this.asleep.has(id)) this.wake(id)
      if (!this.up.has(id)) this.restart(id)
    }
    for (let i = 0; i < 400 && !this.isWhole; i++) {
      this.manage(true)
      this.tellAll(1)
      this.deliverAll()
    }
    for (const call of this.calls) if (!call.settled) this.retry(call)
    this.deliverAll()
    for (const key of keys) this.ask(key, 'get')
    this.deliverAll()
    this.hear()
  }

  /** Published so far. */
  get rings(): number {
    return this.epoch
  }

  get isWhole(): boolean {
    return this.step === 'settled' && this.members.length === nodes.length
  }

  /** What differs between members, at the end. */
  get differences(): string[] {
    return keys.flatMap((key) => {
      const held = this.members.map((id) => {
        const record = this.cluster.seat(this.address(id)).engine.entries.get(key)?.record
        const value = record?.value ? Buffer.from(record.value).toString() : null
        return JSON.stringify([record?.version ?? null, value])
      })
      return new Set(held).size === 1 ? [] : [`${key}: ${held.join(' ')}`]
    })
  }

  get uncommitted(): number {
    const counts = this.members.map((id) => this.cluster.seat(this.address(id)).node.uncommitted)
    return counts.reduce((sum, count) => sum + count, 0)
  }

  private act(): void {
    const { cluster } = this
    const dice = this.random()
    if (dice < 0.62) cluster.stepOver((links) => Math.floor(this.random() * links))
    else if (dice < 0.8) this.sync(this.pick(nodes))
    else if (dice < 0.86) this.ask(this.pick(keys), this.random() < 0.4 ? 'get' : 'write')
    else if (dice < 0.88) this.retry(this.pick(this.calls))
    else if (dice < 0.9) this.hear()
    else if (dice < 0.94) cluster.elapse(this.random() < 0.2 ? 300 : 10)
    else if (dice < 0.945) this.crash(this.pick(nodes))
    else if (dice < 0.955) this.restart(this.pick(nodes))
    else if (dice < 0.96) this.sleep(this.pick(nodes))
    else if (dice < 0.97) this.wake(this.pick(nodes))
    else if (dice < 0.972) this.suspect(this.pick(this.members))
    else if (dice < 0.98) this.tellAll(0.5)
    else this.manage(this.random() < 0.5)
    this.clock++
  }

  private deliverAll(): void {
    for (let round = 0; round < 60; round++) {
      while (this.cluster.stepOver((links) => Math.floor(this.random() * links))) {}
      for (const id of nodes) this.sync(id)
      this.cluster.elapse(20)
    }
    this.hear()
  }

  private pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] as T
  }

  private address(id: NodeId): string {
    return `${id}.${this.lives.get(id)}`
  }

  // --- Processes ---

  private start(id: NodeId, engine?: ReturnType<SteppedCluster['seat']>['engine']): void {
    const life = (this.lives.get(id) ?? 0) + 1
    this.lives.set(id, life)
    const seat = this.cluster.add(id, engine, life)
    seat.engine.isHeld = true
    this.up.add(id)
  }

  private sync(id: NodeId): void {
    if (this.up.has(id) && !this.asleep.has(id)) this.cluster.seat(this.address(id)).engine.sync()
  }

  private crash(id: NodeId): void {
    if (!this.up.has(id) || this.up.size <= 1) return
    this.engines.set(id, this.cluster.seat(this.address(id)).engine)
    this.asleep.delete(id)
    this.up.delete(id)
    this.cluster.crash(this.address(id))
  }

  private readonly engines = new Map<NodeId, ReturnType<SteppedCluster['seat']>['engine']>()

  private restart(id: NodeId): void {
    if (this.up.has(id)) return
    this.start(id, this.engines.get(id))
    this.publish()
  }

  private sleep(id: NodeId): void {
    if (!this.up.has(id) || this.asleep.size > 1) return
    this.asleep.add(id)
    this.cluster.pause(this.address(id))
  }

  private wake(id: NodeId): void {
    if (!this.asleep.delete(id)) return
    this.cluster.wake(this.address(id))
  }

  // --- The manager ---

  private manage(dropsSleepers: boolean): void {
    const isUp = (id: NodeId) => this.up.has(id) && !(dropsSleepers && this.asleep.has(id))
    const holders = this.members.slice(0, this.full)
    if (!this.members.every(isUp) && holders.some(isUp)) return this.drop(isUp)
    if (!holders.some(isUp)) return
    const joiners = nodes.filter((id) => !this.members.includes(id) && isUp(id))
    if (this.step === 'settled' && joiners.length > 0) {
      this.plan++
      this.step = 'copying'
      const some = joiners.slice(0, this.random() < 0.5 ? 1 : 2)
      this.members = [...this.members, ...some]
      return this.publish()
    }
    if (this.step === 'copying' && this.isCopied) {
      this.step = 'switching'
      return this.publish()
    }
    if (this.step === 'switching' && this.isReady) {
      this.step = 'settled'
      this.full = this.members.length
      this.publish()
    }
  }

  /** Whoever is not up leaves, and a change is given up with it. */
  private drop(isUp: (id: NodeId) => boolean): void {
    this.members = this.members.slice(0, this.full).filter(isUp)
    this.full = this.members.length
    this.step = 'settled'
    this.publish()
  }

  private get told(): readonly Message[] {
    return this.cluster.inbox.get('manager') ?? []
  }

  private get isCopied(): boolean {
    return this.members.slice(this.full).every((id) =>
      this.told.some((each) => {
        return each.kind === 'handoff.complete' && each.plan === this.plan && each.node === id
      }),
    )
  }

  private get isReady(): boolean {
    const reader = this.members.at(-1)
    return this.told.some((each) => {
      return each.kind === 'chain.ready' && each.epoch === this.epoch && each.node === reader
    })
  }

  private publish(): void {
    const { members, full, step, plan } = this
    this.epoch++
    const isSwitching = step === 'switching'
    const reader = isSwitching ? members.at(-1) : members[full - 1]
    const change = { plan, next: members, ...(isSwitching && { switching: true }) }
    const ring = chained({
      epoch: this.epoch,
      members,
      full,
      reader: reader ?? '',
      placed: nodes,
      ...(step !== 'settled' && { change }),
      incarnations: Object.fromEntries(this.lives),
    })
    this.ring = ring
    this.cluster.writeRing(ring)
    this.tellAll(0.4)
  }

  /** Others read it from its file, once they hear of the epoch. */
  private tellAll(share: number): void {
    const { ring } = this
    if (ring === undefined) return
    for (const id of this.up) {
      if (this.random() >= share) continue
      this.cluster.send('manager', this.address(id), { kind: 'ring.publish', ring })
    }
  }

  /** It answers nobody, or so it seems. */
  private suspect(id: NodeId): void {
    const holders = this.members.slice(0, this.full)
    if (holders.some((each) => each !== id && this.up.has(each))) this.drop((each) => each !== id)
  }

  // --- Clients ---

  private ask(key: string, kind: 'get' | 'write'): void {
    const client = `c${this.calls.length}`
    const stamp = this.cluster.stamp(client)
    const value = kind === 'get' || this.random() < 0.1 ? null : client
    const condition = kind === 'get' ? null : this.conditionFor(key)
    const operation: Operation = {
      kind,
      begun: this.clock++,
      ended: Number.POSITIVE_INFINITY,
      value,
      name: client,
      condition,
      result: undefined,
    }
    const call = { client, key, operation, stamp, attempts: 0, heard: 0, settled: false }
    this.calls.push(call)
    this.history.get(key)?.push(operation)
    this.retry(call)
  }

  private conditionFor(key: string): Condition | null {
    const dice = this.random()
    const version = this.known.get(key)
    if (dice < 0.4) return null
    if (dice < 0.55) return { is: 'absent' }
    if (dice < 0.65) return { is: 'present' }
    return version === undefined ? null : { is: 'version', version }
  }

  /** Through any node, with the stamp of the first attempt. */
  private retry(call: Call | undefined): void {
    if (call === undefined || call.settled || call.attempts > 4) return
    const awake = nodes.filter((id) => this.up.has(id))
    const { client, key, operation, stamp } = call
    const to = this.address(this.pick(awake))
    const id = ++call.attempts
    const { value, condition } = operation
    if (operation.kind === 'get') this.cluster.get(client, to, key, id)
    else {
      this.cluster.write(client, to, key, value, {
        id,
        stamp,
        timeoutMs: 50_000,
        ...(condition !== null && { condition }),
      })
    }
  }

  private hear(): void {
    for (const call of this.calls) {
      const answers = this.cluster.answersOf(call.client)
      for (const answer of answers.slice(call.heard)) this.heard(call, answer)
      call.heard = answers.length
    }
  }

  private heard(call: Call, answer: Message): void {
    const { operation, key } = call
    if (answer.kind === 'get.ok') {
      if (call.settled) return
      operation.value = answer.value === null ? null : Buffer.from(answer.value).toString()
      const { version } = answer
      if (operation.value !== null && version !== null) this.learn(key, operation.value, version)
      this.settle(call)
    } else if (answer.kind === 'write.ok') this.decided(call, 'ok', answer.version)
    else if (answer.kind === 'error' && answer.code === 'CONDITION_FAILED') {
      this.decided(call, 'failed', undefined)
    }
  }

  private decided(call: Call, result: 'ok' | 'failed', version: Version | undefined): void {
    const { operation, client } = call
    if (operation.result !== undefined && operation.result !== result) {
      this.contradictions.push(`${client}: ${operation.result}, ${result}`)
    }
    operation.result = result
    if (version !== undefined) this.learn(call.key, client, version)
    this.settle(call)
  }

  /** One write has one version, whoever tells of it. */
  private learn(key: string, write: string, version: Version): void {
    this.known.set(key, version)
    const before = this.versions.get(write) ?? version
    if (compareVersions(before, version) !== 0) {
      this.contradictions.push(`${write}: ${formatVersion(before)}, ${formatVersion(version)}`)
    }
    this.versions.set(write, version)
  }

  private settle(call: Call): void {
    if (call.settled) return
    call.settled = true
    call.operation.ended = this.clock++
  }
}
