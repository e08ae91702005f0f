/**
 * What a seed stands for: the swarm, its load, its changes and the weather, all drawn from the seed
 * so that a run needs nothing else to be repeated.
 */
import type { Mode } from '../shared/data/mode.js'
import type { Micros } from '../shared/data/version.js'
import type { MessageKind } from '../shared/protocol/messages.js'
import { callTimeoutMs } from '../shared/runtime/limits.js'
import type { Millis } from '../shared/runtime/runtime.js'
import { type FaultSettings, faultsOf, type RestartSettings, restartsOf } from './fault-settings.js'
import { Random } from './random.js'
import type { Climate } from './weather.js'

export interface Settings {
  readonly seed: number
  readonly mode: Mode
  /** Nodes at the start. */
  readonly nodes: number
  readonly replicas: number
  readonly readQuorum: number
  readonly writeQuorum: number
  readonly virtualNodes: number
  readonly clients: number
  /** Calls that one client keeps in flight. */
  readonly inFlight: number
  readonly keys: number
  /** Share of the calls that go to one key. */
  readonly hotShare: number
  readonly operations: number
  readonly changes: number
  /** The swarm may fall below N members for a while; its requests are refused then. */
  readonly mayForm: boolean
  /** Longest pause between two changes; short ones make them queue. */
  readonly changePauseMs: Millis
  /** Share of gets among the calls: a stale read shows where few writes come between. */
  readonly readShare: number
  /** Longest pause of a client between two calls. */
  readonly thinkMicros: Micros
  /** Of a call that is in no hurry. A chain remembers its writes for so long. */
  readonly callMs: Millis
  /** Chain: share of the writes that ask something of the key they meet. */
  readonly conditionShare: number
  /** Siblings: share of the writes that carry a context; 1: always that of a get made for the purpose. */
  readonly contextShare: number
  readonly climate: Climate
  /** Longest time that one process gets no processor; 0: none is ever starved. */
  readonly stallMicros: Micros
  /** Longest pause between two connections that break; 0: none does. */
  readonly cutPauseMs: Millis
  readonly reorder: boolean
  /** Every message passes the codec, as over a socket. */
  readonly throughCodec: boolean
  readonly syncMicrosMax: Micros
  readonly pageEntriesMax: number
  readonly evictAfterMs: Millis
  /** undefined: nothing dies, and nothing is lost. */
  readonly faults: FaultSettings | undefined
  readonly restarts: RestartSettings
}

/** The least that a seed must do to count: totals below fail the run. */
export const leastOperations = 1_000
export const leastClients = 4
export const mostKeys = 10
export const leastChanges = 5

/** Calls that outlive their deadline need a deadline that the weather can miss. */
export const hastyShare = 0.02
export const hastyMs: readonly [Millis, Millis] = [5, 60]

/** How long the dead and the silent keep their ranges. */
const evictAfterMs: readonly Millis[] = [1_000, 10_000, 30_000, 120_000]
/** Where nodes die for good, the run waits for their eviction. */
const soonEvicted: readonly Millis[] = [500, 2_000, 8_000]

/** Every so often a seed passes its messages through the codec, which costs time. */
const codecEvery = 10

/** The kinds of which a late one may make others see something half done. */
const heldUpKinds: Readonly<Record<Mode, readonly MessageKind[]>> = {
  latest: [
    'hello',
    'hello',
    'coordinate.put',
    'coordinate.get.ok',
    'replica.put',
    'replica.put',
    'replica.put.ok',
    'replica.get',
    'replica.get.ok',
    'ring.publish',
    'ring.publish',
    'handoff.pull',
    'handoff.batch',
    'handoff.complete',
  ],
  siblings: [
    'hello',
    'coordinate.write',
    'coordinate.get.ok',
    'replica.put',
    'replica.put',
    'replica.put.ok',
    'replica.get.ok',
    'ring.publish',
    'handoff.batch',
  ],
  chain: [
    'hello',
    'hello',
    'coordinate.write',
    'coordinate.write.ok',
    'coordinate.get.ok',
    'chain.put',
    'chain.put',
    'chain.ack',
    'chain.mark',
    'chain.mark',
    'chain.ready',
    'ring.publish',
    'ring.publish',
    'handoff.pull',
    'handoff.batch',
    'handoff.complete',
  ],
}

export function settingsOf(seed: number, mode: Mode): Settings {
  const random = new Random(seed, 'settings')
  const faults = faultsOf(seed)
  const replicas = random.pick([1, 2, 3, 3, 3, 5])
  const majority = Math.floor(replicas / 2) + 1
  // R + W > N in all of them: outside of that nothing is promised.
  const quorums = random.pick<readonly [number, number]>([
    [majority, majority],
    [majority, majority],
    [majority, majority],
    [1, replicas],
    [replicas, 1],
  ])
  // All members of a chain confirm, and one reads.
  const [readQuorum, writeQuorum] = mode === 'chain' ? ([1, replicas] as const) : quorums
  const heldUp = heldUpKinds[mode]
  const ofMode = new Random(seed, `settings of mode ${mode}`)
  const hurried = mode === 'chain' ? ofMode.pick([2_000, 4_000, callTimeoutMs]) : callTimeoutMs
  // Without faults no call may fail: a chain needs its time where hops are slow and rings follow quickly.
  const patient = mode === 'chain' ? 2 * callTimeoutMs : callTimeoutMs
  return {
    seed,
    mode,
    nodes: replicas + random.between(0, 3),
    replicas,
    readQuorum,
    writeQuorum,
    virtualNodes: random.pick([1, 3, 3, 8]),
    clients: random.between(leastClients, 6),
    inFlight: random.between(1, 3),
    keys: random.between(2, mostKeys),
    hotShare: random.pick([0, 0.5, 0.8]),
    operations: faults === undefined ? 2 * leastOperations : leastOperations,
    changes: random.between(leastChanges, leastChanges + 4),
    mayForm: random.chance(0.1),
    changePauseMs: random.pick([1, 40, 150, 300]),
    readShare: random.pick([0.4, 0.7, 0.9]),
    thinkMicros: random.pick([200, 2_000, 10_000]),
    callMs: faults === undefined ? patient : hurried,
    conditionShare: ofMode.pick([0, 0.3, 0.7]),
    contextShare: ofMode.pick([1, 1, 0.9, 0.6]),
    climate: {
      quickMicros: random.pick([50, 300, 1_500]),
      slowShare: random.pick([0, 0.02, 0.3]),
      slowMicros: random.pick([2_000, 20_000, 80_000]),
      heldUp: [random.pick(heldUp), random.pick(heldUp)],
      driftMicros: random.pick([5_000, 60_000, 300_000]),
    },
    stallMicros: random.pick([0, 30_000, 300_000]),
    cutPauseMs: random.pick([0, 0, 0, 1_000]),
    reorder: random.chance(0.7),
    throughCodec: seed % codecEvery === 0,
    syncMicrosMax: random.pick([200, 2_000, 10_000]),
    pageEntriesMax: random.pick([1, 2, 1_000]),
    evictAfterMs: random.pick(faults?.kinds.includes('node lost') ? soonEvicted : evictAfterMs),
    faults,
    restarts: restartsOf(seed),
  }
}
