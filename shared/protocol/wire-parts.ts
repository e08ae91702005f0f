/** The types on the wire of what messages hold: versions, entries, rings, reports. */

import { Malformed } from '../data/byte-stream.js'
import {
  bool,
  bytes,
  double,
  expectArray,
  type Field,
  list,
  nullable,
  oneOf,
  record,
  text,
  uint,
  uint32,
  writeArray,
} from '../data/cbor.js'
import type { Condition, Mode } from '../data/mode.js'
import type { Version } from '../data/version.js'
import { version } from '../data/version-field.js'
import type {
  Chain,
  Change,
  Member,
  Placement,
  RingDescription,
  Transfer,
} from '../ring/description.js'
import type { Cursor, Entry, Mark } from '../runtime/ports.js'
import type { ErrorCode } from './errors.js'
import type {
  ChangeReport,
  ExplainReport,
  HandoffProgress,
  HintCount,
  NodeReport,
  OperationCounts,
  OutcomeCounts,
  OwnerReport,
  RepairReport,
  Rumor,
  StatusReport,
} from './messages.js'

export const maybeBytes = nullable(bytes)
export const maybeVersion = nullable(version)
export const optionalVersion: Field<Version | undefined> = {
  write: (out, value) => maybeVersion.write(out, value ?? null),
  read: (input) => maybeVersion.read(input) ?? undefined,
}
export const mode: Field<Mode> = oneOf('latest', 'siblings', 'chain')

const conditionFields = record({
  is: oneOf('absent', 'present', 'version'),
  version: maybeVersion,
})
const condition: Field<Condition> = {
  write(out, value) {
    conditionFields.write(out, {
      is: value.is,
      version: value.is === 'version' ? value.version : null,
    })
  },
  read(input) {
    const { is, version } = conditionFields.read(input)
    if (is !== 'version') return { is }
    if (version === null) throw new Malformed('a condition without its version')
    return { is, version }
  },
}

/** Flat: the record's version and value stand beside the key. */
const entry: Field<Entry> = {
  write(out, value) {
    writeArray(out, 5)
    uint.write(out, value.token)
    bytes.write(out, value.key)
    version.write(out, value.record.version)
    maybeBytes.write(out, value.record.value)
    maybeBytes.write(out, value.record.attached ?? null)
  },
  read(input) {
    expectArray(input, 5)
    const token = uint32.read(input)
    const key = bytes.read(input)
    const held = { version: version.read(input), value: maybeBytes.read(input) }
    const attached = maybeBytes.read(input)
    return { token, key, record: attached === null ? held : { ...held, attached } }
  },
}

const cursor: Field<Cursor> = record({ token: uint32, key: bytes })
export const entries = list(entry)
export const maybeCursor = nullable(cursor)

export const member: Field<Member> = record({
  id: text,
  incarnation: uint,
  pid: uint,
  startTime: text,
})

const placement: Field<Placement> = record({
  replicas: uint,
  readQuorum: uint,
  writeQuorum: uint,
  tokens: list(uint32),
  nodes: list(text),
})

const transfer: Field<Transfer> = record({
  from: uint32,
  to: uint32,
  gainer: text,
  sources: list(text),
  needed: uint,
  wipe: bool,
})

const changeFields: Field<Required<Change>> = record({
  plan: uint,
  next: placement,
  transfers: list(transfer),
  switching: bool,
})
const change: Field<Change> = {
  write: (out, value) => changeFields.write(out, { ...value, switching: value.switching ?? false }),
  read(input) {
    const { switching, ...copying } = changeFields.read(input)
    return switching ? { ...copying, switching } : copying
  },
}

const chain: Field<Chain> = record({
  from: uint32,
  to: uint32,
  members: list(text),
  full: uint,
  reader: text,
})

interface RingFields extends Omit<RingDescription, 'change' | 'chains'> {
  readonly change: Change | null
  readonly chains: readonly Chain[] | null
}

const ringFields: Field<RingFields> = record({
  epoch: uint,
  swarm: text,
  boot: uint,
  members: list(member),
  placement,
  change: nullable(change),
  chains: nullable(list(chain)),
})

export const ring: Field<RingDescription> = {
  write(out, value) {
    const { change = null, chains = null } = value
    ringFields.write(out, { ...value, change, chains })
  },
  read(input) {
    const { change, chains, ...settled } = ringFields.read(input)
    if (settled.placement.tokens.length !== settled.placement.nodes.length) {
      throw new Malformed('a ring with tokens without nodes')
    }
    return {
      ...settled,
      ...(change !== null && { change }),
      ...(chains !== null && { chains }),
    }
  },
}

export const durability = oneOf('sync', 'write', 'memory')
export const nodeState = oneOf(
  'starting',
  'joining',
  'active',
  'recovering',
  'leaving',
  'left',
  'down',
)
export const changeKind = oneOf('add', 'remove', 'replace')

export const progress: Field<HandoffProgress> = record({
  rangesDone: uint,
  rangesTotal: uint,
  keys: uint,
  bytes: uint,
})

export const hints: Field<HintCount> = record({ keys: uint, bytes: uint })

export const repair: Field<RepairReport> = record({
  pass: uint,
  running: bool,
  rangesDone: uint,
  rangesTotal: uint,
  received: uint,
  given: uint,
  skipped: uint,
})

const outcomes: Field<OutcomeCounts> = record({
  puts: uint,
  putsFailed: uint,
  deletes: uint,
  deletesFailed: uint,
  gets: uint,
  getsMissed: uint,
  getsFailed: uint,
})
export const operations: Field<OperationCounts> = record({
  coordinated: outcomes,
  replicated: outcomes,
})

const nodeReport: Field<NodeReport> = record({
  id: text,
  incarnation: uint,
  pid: uint,
  state: nodeState,
  reason: text,
  socket: text,
  vnodes: uint,
  keys: nullable(uint),
  bytes: nullable(uint),
  ownership: double,
  handoff: nullable(progress),
  hints: nullable(hints),
  repair: nullable(repair),
  readOnly: bool,
  operations: nullable(operations),
})

export const changeReport: Field<ChangeReport> = record({
  ticket: uint,
  change: oneOf('add', 'remove', 'replace', 'evict'),
  node: text,
  state: oneOf('waiting', 'queued', 'copying', 'done', 'aborted'),
  reason: text,
  progress,
})

export const status: Field<StatusReport> = record({
  swarm: text,
  state: oneOf('forming', 'serving', 'changing', 'stopping'),
  epoch: uint,
  replicas: uint,
  readQuorum: uint,
  writeQuorum: uint,
  durability,
  mode,
  manager: nullable(record({ pid: uint })),
  nodes: list(nodeReport),
  changes: list(changeReport),
  notices: list(text),
})

export const errorCode: Field<ErrorCode> = oneOf(
  'FORMING',
  'QUORUM_UNAVAILABLE',
  'TIMEOUT',
  'CANNOT_CONNECT',
  'INVALID_ARGUMENT',
  'TOO_LARGE',
  'OVERLOADED',
  'STOPPING',
  'CLOSED',
  'ABORTED',
  'EXPIRED',
  'STORAGE_FAILED',
  'VERSION_MISMATCH',
  'CHANGE_REFUSED',
  'NOT_FOUND',
  'DISK_FULL',
  'CONDITION_FAILED',
  'UNSUPPORTED',
  'TOO_MANY_SIBLINGS',
)

const rumor: Field<Rumor> = record({
  node: text,
  incarnation: uint,
  refutation: uint,
  health: oneOf('alive', 'suspect', 'dead'),
})
export const rumors = list(rumor)

const mark: Field<Mark> = record({ token: uint32, key: bytes, version })
export const marks = list(mark)
export const reason = oneOf('ownership', 'hinted', 'repair')

export const id = uint
export const epoch = uint

export const writing = {
  stamp: version,
  condition: nullable(condition),
  context: maybeBytes,
  w: uint,
  deadline: uint,
}

const owner: Field<OwnerReport> = record({
  node: text,
  role: text,
  state: text,
  version: maybeVersion,
  isDeleted: bool,
  counted: bool,
  tookMicros: nullable(uint),
})
export const explanation: Field<ExplainReport> = record({
  mode,
  epoch,
  token: uint32,
  path: list(text),
  quorums: record({ n: uint, r: uint, w: uint }),
  owners: list(owner),
  version: maybeVersion,
  value: maybeBytes,
  refusal: nullable(text),
  reasons: list(text),
})
