/**
 * The type on the wire of each field of each message. The compiler checks that none is missing and
 * that each holds what messages.ts declares, so that whatever codec.ts reads has exactly the declared
 * shape, nested parts included.
 */
import type { Version } from '../data/version.js'
import type { Change, Member, Placement, RingDescription, Transfer } from '../ring/description.js'
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
  HandoffProgress,
  HintCount,
  MessageKind,
  MessageOf,
  NodeReport,
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

/** Flat: the record's version and value stand beside the key. */
const entry: Field<Entry> = {
  write(out, value) {
    writeArray(out, 4)
    uint.write(out, value.token)
    bytes.write(out, value.key)
    version.write(out, value.record.version)
    maybeBytes.write(out, value.record.value)
  },
  read(input) {
    expectArray(input, 4)
    return {
      token: uint32.read(input),
      key: bytes.read(input),
      record: { version: version.read(input), value: maybeBytes.read(input) },
    }
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

const change: Field<Change> = record({ plan: uint, next: placement, transfers: list(transfer) })

const ringFields: Field<Omit<RingDescription, 'change'> & { change: Change | null }> = record({
  epoch: uint,
  swarm: text,
  boot: uint,
  members: list(member),
  placement,
  change: nullable(change),
})

const ring: Field<RingDescription> = {
  write: (out, value) => ringFields.write(out, { ...value, change: value.change ?? null }),
  read(input) {
    const { change, ...settled } = ringFields.read(input)
    if (settled.placement.tokens.length !== settled.placement.nodes.length) {
      throw new Malformed('a ring with tokens without nodes')
    }
    return change === null ? settled : { ...settled, change }
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

export const messageTypes: {
  readonly [K in MessageKind]: {
    readonly [F in Exclude<keyof MessageOf<K>, 'kind'>]: Field<MessageOf<K>[F]>
  }
} = {
  hello: { protocol: uint, from: text, lane: oneOf('data', 'control', 'bulk') },
  'hello.ok': { protocol: uint },
  'hello.refused': { protocol: uint, reason: text },
  error: { id, code: errorCode, definite: bool, message: text },
  'client.register': { id, client: uint },
  'client.register.ok': {
    id,
    client: uint,
    boot: uint,
    nodes: list(text),
    valueBytesMax: uint,
    replicas: uint,
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
  'replica.put': { id, epoch, token: uint32, key: bytes, value: maybeBytes, version, born: uint },
  'replica.put.ok': { id },
  'replica.get': { id, epoch, token: uint32, key: bytes },
  'replica.get.ok': { id, value: maybeBytes, version: maybeVersion },
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
  'hint.put': { id, epoch, token: uint32, key: bytes, value: maybeBytes, version, born: uint },
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
}
