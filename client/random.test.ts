/**
 * Whatever the nodes, the manager and the network do, and in whatever order: every call has exactly
 * one outcome, a success has happened, and a write that failed definitely has not and never will. A
 * write that keeps siblings is never tried again where it may have happened.
 */
import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import type { Mode } from '../shared/data/mode.js'
import { formatVersion, type Version } from '../shared/data/version.js'
import type { ErrorCode } from '../shared/protocol/errors.js'
import type { Put, Write } from '../shared/protocol/messages.js'
import type { Cancel, ClientCore } from './core.js'
import { nodeRegistrationId } from './registration.js'
import {
  bytes,
  client,
  drawn,
  isRequest,
  type Outcome,
  outcome,
  type Request,
  ringOf,
  type World,
} from './scripted.fixture.js'

const nodes = ['n1.1', 'n2.1', 'n3.1']
const codes: readonly ErrorCode[] = [
  'OVERLOADED',
  'STOPPING',
  'QUORUM_UNAVAILABLE',
  'FORMING',
  'TIMEOUT',
  'STORAGE_FAILED',
]

/** What a node does with a request that reached it. */
const deed = fc.oneof(
  { weight: 3, arbitrary: fc.constant('answers' as const) },
  fc.constantFrom('answers late' as const, 'applies silently' as const, 'loses it' as const),
  fc.record({ code: fc.constantFrom(...codes), definite: fc.boolean() }),
)

const node = fc.nat({ max: nodes.length - 1 })
const action = fc.oneof(
  fc.record({
    do: fc.constant('call' as const),
    kind: fc.constantFrom('put' as const, 'get' as const, 'delete' as const),
    timeoutMs: fc.integer({ min: 1, max: 8_000 }),
  }),
  { weight: 4, arbitrary: fc.record({ do: fc.constant('serve' as const), node, deed }) },
  fc.record({ do: fc.constant('answer late' as const), node }),
  fc.record({ do: fc.constant('close' as const), node }),
  fc.record({ do: fc.constant('move' as const), node }),
  fc.record({ do: fc.constant('fill' as const), node }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(2_000) }) },
  fc.record({ do: fc.constant('manage' as const), up: fc.boolean(), count: fc.nat(3) }),
  fc.record({ do: fc.constant('enlist' as const), node, count: fc.nat(3), refuses: fc.boolean() }),
  fc.record({ do: fc.constant('cancel' as const), call: fc.nat() }),
)
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never
type Deed = typeof deed extends fc.Arbitrary<infer D> ? D : never

interface Made {
  readonly kind: 'put' | 'get' | 'delete'
  readonly seen: Outcome<Version | { readonly existed: boolean }>
  readonly cancel: Cancel
  readonly key: string
}

class Story {
  readonly world: World
  readonly core: ClientCore
  readonly made: Made[] = []
  /** Keys of the writes that took effect, with the versions they were tried with. */
  readonly applied = new Map<string, number>()
  readonly stamps = new Map<string, Set<string>>()
  readonly ids = new Set<number>()
  private readonly inboxes = nodes.map((): Request[] => [])
  private readonly late = nodes.map((): Request[] => [])
  private readonly open = new Set<number>()
  private asked: number | undefined
  private readonly askedNodes = new Set<string>()

  private readonly mode: Mode

  constructor(mode: Mode) {
    this.mode = mode
    const { world, core } = client()
    this.world = world
    this.core = core
    core.register(5_000, () => {})
    this.collect()
    this.manage(true, nodes.length)
  }

  play(action: Action): void {
    switch (action.do) {
      case 'call':
        this.call(action.kind, action.timeoutMs)
        break
      case 'serve':
        this.serve(action.node, action.deed)
        break
      case 'answer late': {
        const request = this.late[action.node]?.shift()
        if (request !== undefined) this.answer(action.node, request)
        break
      }
      case 'close':
        this.close(action.node)
        break
      case 'move':
        if (this.open.has(action.node)) this.move(action.node)
        break
      case 'fill': {
        const address = nodes[action.node] as string
        if (!this.world.full.delete(address)) this.world.full.add(address)
        break
      }
      case 'pass':
        this.world.pass(action.ms)
        break
      case 'manage':
        this.manage(action.up, action.count)
        break
      case 'enlist':
        this.enlist(action.node, action.count, action.refuses)
        break
      case 'cancel':
        this.made[action.call % Math.max(1, this.made.length)]?.cancel()
        break
    }
    this.collect()
  }

  /** Nobody answers any more; then everything that still lies in a socket takes effect. */
  finish(): number {
    let finalized = 0
    this.core.finalize(() => finalized++)
    this.world.pass(70_000)
    this.collect()
    for (const inbox of this.inboxes) for (const request of inbox) this.apply(request)
    return finalized
  }

  private call(kind: Made['kind'], timeoutMs: number): void {
    const key = `k${this.made.length}`
    const [done, seen] = outcome<Version | { readonly existed: boolean }>()
    const cancel =
      kind === 'put'
        ? this.core.put(bytes(key), bytes('v'), { timeoutMs }, done)
        : kind === 'delete'
          ? this.core.delete(bytes(key), { timeoutMs }, done)
          : this.core.get(bytes(key), { timeoutMs }, (error) => done(error))
    this.made.push({ kind, seen, cancel, key })
  }

  private serve(index: number, deed: Deed): void {
    const request = this.inboxes[index]?.shift()
    if (request === undefined) return
    if (!this.open.has(index)) this.core.opened(nodes[index] as string)
    this.open.add(index)
    if (deed === 'loses it') return
    if (typeof deed === 'object') {
      if (!deed.definite) this.apply(request)
      const { id } = request
      this.core.received(nodes[index] as string, { kind: 'error', id, ...deed, message: 'no' })
      return
    }
    this.apply(request)
    if (deed === 'answers') this.answer(index, request)
    if (deed === 'answers late') this.late[index]?.push(request)
  }

  private answer(index: number, { kind, id }: Request): void {
    const address = nodes[index] as string
    if (kind === 'put') this.core.received(address, { kind: 'put.ok', id })
    else if (kind === 'write') this.core.received(address, { kind: 'write.ok', id, version: drawn })
    else this.core.received(address, { kind: 'get.ok', id, value: null, version: null, node: 'n1' })
  }

  private apply(request: Request): void {
    if (request.kind !== 'put' && request.kind !== 'write') return
    const key = Buffer.from(request.key).toString()
    this.applied.set(key, (this.applied.get(key) ?? 0) + 1)
  }

  /** What had not been read is lost; where the connection never opened, all of it. */
  private close(index: number): void {
    this.inboxes[index] = []
    this.late[index] = []
    this.open.delete(index)
    this.askedNodes.delete(nodes[index] as string)
    this.core.closed(nodes[index] as string)
  }

  private move(index: number): void {
    const others = nodes.filter((_, i) => i !== index)
    this.core.received(nodes[index] as string, { kind: 'forwarder.moved', nodes: others })
  }

  private manage(up: boolean, count: number): void {
    if (this.asked === undefined) return
    const id = this.asked
    this.asked = undefined
    this.world.ring = count === 0 ? undefined : ringOf([1, 2, 3].slice(0, count), 1)
    if (!up) this.core.closed('manager')
    else this.register('manager', id, count)
  }

  /** A node that was asked in the manager's place. */
  private enlist(index: number, count: number, refuses: boolean): void {
    const address = nodes[index] as string
    if (!this.askedNodes.delete(address)) return
    this.core.opened(address)
    this.open.add(index)
    const id = nodeRegistrationId
    if (!refuses) return this.register(address, id, count)
    const code = 'OVERLOADED'
    this.core.received(address, { kind: 'error', id, code, definite: true, message: 'no' })
  }

  private register(from: string, id: number, count: number): void {
    this.core.received(from, {
      kind: 'client.register.ok',
      mode: this.mode,
      id,
      client: 1,
      boot: 1,
      nodes: nodes.slice(0, count),
      valueBytesMax: 1_000,
      replicas: 3,
    })
  }

  private collect(): void {
    for (const sent of this.world.take()) {
      const { to, message } = sent
      if (message.kind === 'client.register') {
        if (to === 'manager') this.asked = message.id
        else this.askedNodes.add(to)
      }
      if (!isRequest(sent)) continue
      const request = sent.message
      this.inboxes[nodes.indexOf(to)]?.push(request)
      if (this.ids.has(request.id)) throw new Error(`id ${request.id} was used before`)
      this.ids.add(request.id)
      if (request.kind === 'put') this.remember(request, request.version)
      if (request.kind === 'write') this.remember(request, request.stamp)
    }
  }

  private remember({ key }: Put | Write, version: Version): void {
    if (version.micros > this.world.hostMicros()) throw new Error('sent before its stamp')
    const name = Buffer.from(key).toString()
    this.stamps.set(name, (this.stamps.get(name) ?? new Set()).add(formatVersion(version)))
  }
}

function judge(mode: Mode, story: Story): void {
  assert.equal(story.finish(), 1)
  assert.equal(story.world.timerCount, 0)
  const versions = [...story.stamps.values()].flatMap((stamps) => [...stamps])
  assert.equal(new Set(versions).size, versions.length, 'no stamp is given twice')
  for (const { kind, seen, key } of story.made) {
    const applied = story.applied.get(key) ?? 0
    assert.equal(seen.settled, 1)
    assert((story.stamps.get(key)?.size ?? 0) <= 1, 'a write has one stamp')
    // Of siblings a delete that read none writes none: all gets here find nothing.
    const writes = kind === 'put' || (kind === 'delete' && mode !== 'siblings')
    if (seen.error === undefined && writes) assert(applied > 0)
    if (seen.error?.definite) assert.equal(applied, 0, seen.error.message)
    if (mode === 'siblings') assert(applied <= 1, 'a write is made once')
  }
}

for (const [mode, numRuns] of [
  ['latest', 2_000],
  ['siblings', 1_000],
  ['chain', 1_000],
] as const) {
  test(`${mode}: one outcome a call, and definite means definite`, (t) => {
    t.timeout(60_000)
    const property = fc.property(fc.array(action, { maxLength: 120, size: 'max' }), (actions) => {
      const story = new Story(mode)
      for (const action of actions) story.play(action)
      judge(mode, story)
    })
    fc.assert(property, { numRuns })
    t.pass()
  })
}
