/**
 * The options of a swarm live beside its data: the first `up` writes them, every later one reads
 * them. Data that was written with N=3 is not N=5 because a flag says so; an `up` that asks for
 * something else than what is stored is refused, with both values named.
 */
import type { Mode } from '../shared/data/mode.js'
import type { SwarmOptions } from '../shared/os/swarm-file.js'
import { evictAfterMsDefault, valueBytesMaxDefault } from '../shared/runtime/limits.js'
import { CommandError, exitCodes } from './errors.js'
import { formatDuration } from './quantities.js'

type Asked = { readonly [K in keyof Omit<SwarmOptions, 'swarm'>]?: SwarmOptions[K] | undefined }

type Replication = 'quorum' | 'chain'
type Conflicts = 'latest' | 'siblings'

/** What was asked for, by the names of the command line; what is left out is stored or has a default. */
export interface SwarmFlags extends Omit<Asked, 'evictAfterMs' | 'handoffBytesPerSecond' | 'mode'> {
  readonly replication?: Replication
  readonly conflicts?: Conflicts
  /** Milliseconds. */
  readonly evictAfter?: number
  /** Bytes per second. */
  readonly handoffRate?: number
}

/** A bound against slips of the keyboard: each node is a process. */
export const nodesMax = 256
export const virtualNodesMax = 256
/** A value must fit a peer's bounded queue (limits.ts) several times over. */
export const valueBytesLimit = 32 * 1024 * 1024
/** Below, a slow start would count as a death; above, nobody waits. */
export const evictAfterMsLeast = 1_000
export const evictAfterMsMost = 24 * 60 * 60_000
/** Below, one batch of a handoff would take minutes. */
export const handoffRateLeast = 1_024

const flagNames: { readonly [K in Exclude<keyof Asked, 'mode'>]-?: string } = {
  nodes: '--nodes',
  replicas: '--replicas',
  readQuorum: '--read-quorum',
  writeQuorum: '--write-quorum',
  virtualNodes: '--virtual-nodes',
  durability: '--durability',
  restart: '--restart',
  valueBytesMax: '--value-bytes-max',
  evictAfterMs: '--evict-after',
  sloppy: '--sloppy',
  handoffBytesPerSecond: '--handoff-rate',
  logOperations: '--log-operations',
}

/** The options to run with: those stored if there are any, else those asked for and the defaults. */
export function settleOptions(
  swarm: string,
  flags: SwarmFlags,
  stored: SwarmOptions | undefined,
): SwarmOptions {
  const { replication, conflicts } = flags
  const asked: Asked = {
    ...flags,
    evictAfterMs: flags.evictAfter,
    handoffBytesPerSecond: flags.handoffRate,
    mode: stored?.mode ?? modeOf(replication, conflicts),
  }
  if (stored === undefined) {
    if (asked.mode === 'chain') refuseQuorumOptions(asked, ', or choose --replication quorum')
    return withDefaults(swarm, asked)
  }
  refuseContradiction('--swarm', swarm, stored.swarm)
  const { mode } = stored
  const made = { replication: mode === 'chain' ? mode : 'quorum', conflicts: conflictsOf(mode) }
  refuseContradiction('--replication', replication ?? made.replication, made.replication)
  refuseContradiction('--conflicts', conflicts ?? made.conflicts, made.conflicts)
  if (mode === 'chain') refuseQuorumOptions(asked)
  for (const name of Object.keys(flagNames) as (keyof typeof flagNames)[]) {
    const value = asked[name]
    if (value === undefined) continue
    const write = (option: unknown) =>
      name === 'evictAfterMs' ? formatDuration(Number(option)) : String(option)
    refuseContradiction(flagNames[name], write(value), write(stored[name]))
  }
  return stored
}

function modeOf(replication: Replication = 'quorum', conflicts: Conflicts = 'latest'): Mode {
  if (replication === 'quorum') return conflicts
  if (conflicts === 'latest') return 'chain'
  throw new CommandError(
    exitCodes.usage,
    'a chain orders all writes of a key: with --replication chain there are no siblings',
    'leave out --conflicts siblings, or --replication chain',
  )
}

/** A chain has no concurrent writes: its conflicts are none. */
function conflictsOf(mode: Mode): Conflicts {
  return mode === 'siblings' ? mode : 'latest'
}

/** In a chain all members confirm a write and one answers a read, whatever somebody asks for. */
function refuseQuorumOptions({ readQuorum, writeQuorum, sloppy }: Asked, otherwise = ''): void {
  const asked = [
    readQuorum === undefined ? [] : ['--read-quorum'],
    writeQuorum === undefined ? [] : ['--write-quorum'],
    sloppy === true ? ['--sloppy'] : [],
  ].flat()
  const [first] = asked
  if (first === undefined) return
  throw new CommandError(
    exitCodes.usage,
    `${asked.join(' and ')} belongs to quorum replication: in a chain every member confirms a ` +
      'write, and one answers a read',
    `leave ${first} out${otherwise}`,
  )
}

function refuseContradiction(flag: string, asked: string, stored: string): void {
  if (asked === stored) return
  // A flag without a value.
  const made = stored === 'false' ? `without ${flag}` : `with ${flag} ${stored}`
  const wanted = asked === 'true' ? flag : `${flag} ${asked}`
  throw new CommandError(
    exitCodes.usage,
    `the data was made ${made}, but ${wanted} is asked for`,
    `leave ${flag} out, name another swarm, or start anew with \`gtstore down --volumes\``,
  )
}

function withDefaults(swarm: string, asked: Asked): SwarmOptions {
  const replicas = asked.replicas ?? 3
  const { mode = 'latest' } = asked
  const majority = Math.floor(replicas / 2) + 1
  const readQuorum = asked.readQuorum ?? (mode === 'chain' ? 1 : majority)
  const writeQuorum = asked.writeQuorum ?? (mode === 'chain' ? replicas : majority)
  refuseQuorum('--read-quorum', readQuorum, replicas)
  refuseQuorum('--write-quorum', writeQuorum, replicas)
  return {
    swarm,
    nodes: asked.nodes ?? 6,
    replicas,
    readQuorum,
    writeQuorum,
    virtualNodes: asked.virtualNodes ?? 3,
    durability: asked.durability ?? 'sync',
    restart: asked.restart ?? 'on-failure',
    valueBytesMax: asked.valueBytesMax ?? valueBytesMaxDefault,
    evictAfterMs: asked.evictAfterMs ?? evictAfterMsDefault,
    sloppy: asked.sloppy ?? false,
    handoffBytesPerSecond: asked.handoffBytesPerSecond ?? 0,
    mode,
    logOperations: asked.logOperations ?? false,
  }
}

function refuseQuorum(flag: string, quorum: number, replicas: number): void {
  if (quorum <= replicas) return
  throw new CommandError(
    exitCodes.usage,
    `${flag} ${quorum} is more than the ${replicas} replicas of a key (--replicas)`,
    `choose ${flag} from 1 to ${replicas}, or more replicas`,
  )
}
