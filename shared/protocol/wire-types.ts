/**
 * The type on the wire of each field of each message. The compiler checks that none is missing and
 * that each holds what messages.ts declares, so that whatever codec.ts reads has exactly the declared
 * shape, nested parts included.
 */
import type { Condition, Mode } from '../data/mode.js'
import type { Version } from '../data/version.js'
import type {
  Chain,
  Change,
  Member,
  Placement,
  RingDescription,
  Transfer,
} from '../ring/description.js'
import type { Cursor, Entry, Mark } from '../runtime/ports.js'
import {
  bool,
  bytes,
  double,
  expectArray,
  type Field,
  list,
  Malformed,
  nullable,
  oneOf,
  record,
  text,
  uint,
  uint32,
  writeArray,
} from './cbor.js'
import type { ErrorCode } from './errors.js'
import type {
  ChangeReport,
  ExplainReport,
  HandoffProgress,
  HintCount,
  MessageKind,
  MessageOf,
  NodeReport,
  OperationCounts,
  OutcomeCounts,
  OwnerReport,
  RepairReport,
  Rumor,
  StatusReport,
} from './messages.js'

/** Writers are 16 characters long; what is far longer is none, and no store could keep it. */
const writerLengthMax = 32

const version: Field<Version> = {
  write(out, value) {
    writeArray(out, 3)
    uint.write(out, value.boot)
    uint.write(out, value.micros)
    text.write(out, value.writer)
  },
  read(input) {
    expectArray(input, 3)
    const value = { boot: uint32.read(input), micros: uint.read(input), writer: text.read(input) }
    if (value.writer.length > writerLengthMax) throw new Malformed('a version without a writer')
    return value
  },
}

const maybeBytes = nullable(bytes)
const maybeVersion = nullable(version)
const optionalVersion: Field<Version | undefined> = {
  write: (out, value) => maybeVersion.write(out, value ?? null),
  read: (input) => maybeVersion.read(input) ?? undefined,
}
const mode: Field<Mode> = oneOf('latest', 'siblings', 'chain')

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
const entries = list(entry)
const maybeCursor = nullable(cursor)

const member: Field<Member> = record({ id: text, incarnation: uint, pid: uint, startTime: text })

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

const ring: Field<RingDescription> = {
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

const durability = oneOf('sync', 'write', 'memory')
const nodeState = oneOf('starting', 'joining', 'active', 'recovering', 'leaving', 'left', 'down')
const changeKind = oneOf('add', 'remove', 'replace')

const progress: Field<HandoffProgress> = record({
  rangesDone: uint,
  rangesTotal: uint,
  keys: uint,
  bytes: uint,
})

const hints: Field<HintCount> = record({ keys: uint, bytes: uint })

const repair: Field<RepairReport> = record({
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
const operations: Field<OperationCounts> = record({ coordinated: outcomes, replicated: outcomes })

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

const changeReport: Field<ChangeReport> = record({
  ticket: uint,
  change: oneOf('add', 'remove', 'replace', 'evict'),
  node: text,
  state: oneOf('waiting', 'queued', 'copying', 'done', 'aborted'),
  reason: text,
  progress,
})

const status: Field<StatusReport> = record({
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

const errorCode: Field<ErrorCode> = oneOf(
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
const rumors = list(rumor)

const mark: Field<Mark> = record({ token: uint32, key: bytes, version })
const marks = list(mark)
const reason = oneOf('ownership', 'hinted', 'repair')

const id = uint
const epoch = uint

const writing = {
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
const explanation: Field<ExplainReport> = record({
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

export const messageTypes: {
  readonly [K in MessageKind]: {
    readonly [F in Exclude<keyof MessageOf<K>, 'kind'>]: Field<MessageOf<K>[F]>
  }
} = {
  hello: { protocol: uint, from: text, lane: oneOf('data', 'control', 'bulk') },
  'hello.ok': { protocol: uint },
  'hello.refused': { protocol: uint, reason: text },
  error: { id, code: errorCode, definite: bool, message: text, met: optionalVersion },
  'client.register': { id, client: uint },
  'client.register.ok': {
    id,
    client: uint,
    boot: uint,
    nodes: list(text),
    valueBytesMax: uint,
    replicas: uint,
    mode,
  },
  put: { id, key: bytes, value: maybeBytes, version, w: uint, deadline: uint },
  'put.ok': { id },
  get: { id, key: bytes, r: uint, born: uint, deadline: uint },
  'get.ok': { id, value: maybeBytes, version: maybeVersion, node: text },
  'forwarder.moved': { nodes: list(text) },
  'coordinate.put': {
    id,
    epoch,
    token: uint32,
    key: bytes,
    value: maybeBytes,
    version,
    w: uint,
    deadline: uint,
  },
  'coordinate.put.ok': { id },
  'coordinate.get': {
    id,
    epoch,
    token: uint32,
    key: bytes,
    r: uint,
    born: uint,
    deadline: uint,
  },
  'coordinate.get.ok': { id, value: maybeBytes, version: maybeVersion, node: text },
  'replica.put': {
    id,
    epoch,
    token: uint32,
    key: bytes,
    value: maybeBytes,
    version,
    attached: maybeBytes,
    born: uint,
  },
  'replica.put.ok': { id },
  'replica.get': { id, epoch, token: uint32, key: bytes },
  'replica.get.ok': { id, value: maybeBytes, version: maybeVersion, attached: maybeBytes },
  stale: { id, epoch },
  'handoff.pull': {
    id,
    epoch,
    plan: uint,
    reason,
    from: uint32,
    to: uint32,
    cursor: maybeCursor,
    limitBytes: uint,
  },
  'handoff.batch': { id, entries, next: maybeCursor },
  'handoff.complete': { plan: uint, node: text },
  'node.enroll': { id, node: text },
  'node.enroll.ok': {
    id,
    node: text,
    incarnation: uint,
    boot: uint,
    swarm: text,
    swarmName: text,
    durability,
    valueBytesMax: uint,
    sloppy: bool,
    handoffBytesPerSecond: uint,
    mode,
    logOperations: bool,
  },
  'node.join': { id, swarm: text, member, store: text, epoch, boot: uint },
  'node.join.ok': { id },
  'node.leave': { id, node: text, incarnation: uint },
  'node.leave.ok': { id },
  'ring.publish': { ring },
  'node.stop': {},
  'node.stats': { id },
  'node.stats.ok': {
    id,
    state: nodeState,
    epoch,
    keys: uint,
    bytes: uint,
    handoff: progress,
    hints,
    repair,
    readOnly: bool,
    operations,
  },
  'supervisor.register': { id, nodes: uint },
  'supervisor.register.ok': { id, nodes: list(text) },
  'node.spawn': { node: text },
  'node.ended': { node: text },
  'swarm.status': { id },
  'swarm.status.ok': { id, status },
  'change.submit': { id, change: changeKind, node: text, force: bool, acceptLoss: bool },
  'change.submit.ok': { id, ticket: uint, node: text },
  'change.query': { id, ticket: uint },
  'change.query.ok': { id, report: changeReport },
  'swarm.stop': { id },
  'swarm.stop.ok': { id },
  'node.dump': { id, keysOnly: bool, cursor: maybeCursor, limitBytes: uint },
  'node.dump.ok': { id, entries, next: maybeCursor },
  'gossip.ping': { id, epoch, rumors },
  'gossip.ack': { id, epoch, rumors },
  'gossip.probe': { id, target: text },
  'gossip.probe.ok': { id },
  'health.report': { node: text, incarnation: uint, suspects: rumors },
  'hint.put': {
    id,
    epoch,
    token: uint32,
    key: bytes,
    value: maybeBytes,
    version,
    attached: maybeBytes,
    born: uint,
  },
  'hint.put.ok': { id },
  'hint.query': { id, epoch, from: uint32, to: uint32 },
  'hint.query.ok': { id, hasHints: bool },
  'handoff.push': { id, epoch, reason, entries, born: uint },
  'handoff.push.ok': { id },
  'merkle.get': { id, epoch, from: uint32, to: uint32, leaves: uint },
  'merkle.get.ok': { id, hashes: bytes },
  'repair.start': { id },
  'repair.start.ok': { id, pass: uint },
  'tombstone.confirm': { id, epoch, marks },
  'tombstone.confirm.ok': { id, held: list(uint) },
  'tombstone.collect': { id, epoch, marks },
  'tombstone.collect.ok': { id },
  'clients.grant': { id },
  'clients.grant.ok': { id, from: uint, upTo: uint },
  write: { id, key: bytes, value: maybeBytes, ...writing },
  'write.ok': { id, version },
  'coordinate.write': { id, epoch, token: uint32, key: bytes, value: maybeBytes, ...writing },
  'coordinate.write.ok': { id, version },
  'chain.put': {
    id,
    epoch,
    token: uint32,
    key: bytes,
    value: maybeBytes,
    version,
    attached: maybeBytes,
    origin: text,
    request: uint,
    stamp: maybeVersion,
  },
  'chain.ack': { id, epoch, token: uint32, key: bytes, stamps: list(version) },
  'chain.mark': { id, epoch, from: uint32, to: uint32 },
  'chain.ready': { node: text, epoch },
  explain: { id, key: bytes, r: uint, born: uint, deadline: uint },
  'explain.ok': { id, report: explanation },
  'coordinate.explain': {
    id,
    epoch,
    token: uint32,
    key: bytes,
    r: uint,
    born: uint,
    deadline: uint,
  },
  'coordinate.explain.ok': { id, report: explanation },
}
