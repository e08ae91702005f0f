/** Random messages of every kind, for the tests of codec, frames and sockets. */
import fc from 'fast-check'
import type { Message, MessageKind, MessageOf } from './messages.js'

const uint = fc.oneof(
  fc.constantFrom(
    0,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    2 ** 32 - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
  ),
  fc.maxSafeNat(),
)
const token = fc.oneof(
  fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
)
const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 40 }))
const bytes = fc
  .oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.integer({ min: 0, max: 20_000 }).map((n) => new Uint8Array(n).fill(n)),
  )
  .map((array) => Buffer.from(array))
const value = fc.option(bytes)
const writer = fc.stringMatching(/^[0-9a-f]{16}$/)
const version = fc.record({ boot: token, micros: uint, writer }, { noNullPrototype: true })
const cursor = plain({ token, key: bytes })
const attached = fc.option(bytes)
const record = { version, value, attached }
const entry = plain({
  token,
  key: bytes,
  record: fc.oneof(plain({ version, value }), plain({ version, value, attached: bytes })),
})
const member = plain({ id: text, incarnation: uint, pid: uint, startTime: text })
const vnodes = fc.array(fc.tuple(token, text), { maxLength: 6 })
const placement = fc
  .tuple(uint, uint, uint, vnodes)
  .map(([replicas, readQuorum, writeQuorum, owners]) => ({
    replicas,
    readQuorum,
    writeQuorum,
    tokens: owners.map(([at]) => at),
    nodes: owners.map(([, node]) => node),
  }))
const transfer = plain({
  from: token,
  to: token,
  gainer: text,
  sources: fc.array(text, { maxLength: 3 }),
  needed: uint,
  wipe: fc.boolean(),
})
const copying = { plan: uint, next: placement, transfers: fc.array(transfer, { maxLength: 4 }) }
const change = fc.oneof(plain(copying), plain({ ...copying, switching: fc.constant(true) }))
const chains = fc.array(
  plain({
    from: token,
    to: token,
    members: fc.array(text, { maxLength: 3 }),
    full: uint,
    reader: text,
  }),
  { maxLength: 4 },
)
const settled = {
  epoch: uint,
  swarm: text,
  boot: uint,
  members: fc.array(member, { maxLength: 4 }),
  placement,
}
const ring = fc.oneof(
  plain(settled),
  plain({ ...settled, change }),
  plain({ ...settled, chains }),
  plain({ ...settled, change, chains }),
)
const mode = fc.constantFrom('latest' as const, 'siblings' as const, 'chain' as const)
const durability = fc.constantFrom('sync' as const, 'write' as const, 'memory' as const)
const nodeState = fc.constantFrom(
  'starting' as const,
  'active' as const,
  'left' as const,
  'down' as const,
)
const progress = plain({ rangesDone: uint, rangesTotal: uint, keys: uint, bytes: uint })
const changeKind = fc.constantFrom('add' as const, 'remove' as const, 'replace' as const)
const report = plain({
  ticket: uint,
  change: changeKind,
  node: text,
  state: fc.constantFrom('waiting' as const, 'copying' as const, 'aborted' as const),
  reason: text,
  progress,
})
const hints = plain({ keys: uint, bytes: uint })
const repair = plain({
  pass: uint,
  running: fc.boolean(),
  rangesDone: uint,
  rangesTotal: uint,
  received: uint,
  given: uint,
  skipped: uint,
})
const outcomes = plain({
  puts: uint,
  putsFailed: uint,
  deletes: uint,
  deletesFailed: uint,
  gets: uint,
  getsMissed: uint,
  getsFailed: uint,
})
const operations = plain({ coordinated: outcomes, replicated: outcomes })
const rumors = fc.array(
  plain({
    node: text,
    incarnation: uint,
    refutation: uint,
    health: fc.constantFrom('alive' as const, 'suspect' as const, 'dead' as const),
  }),
  { maxLength: 4 },
)
const marks = fc.array(plain({ token, key: bytes, version }), { maxLength: 4 })
const nodeReport = plain({
  id: text,
  incarnation: uint,
  pid: uint,
  state: nodeState,
  reason: text,
  socket: text,
  vnodes: uint,
  keys: fc.option(uint),
  bytes: fc.option(uint),
  ownership: fc.double({ min: 0, max: 1, noNaN: true }),
  handoff: fc.option(progress),
  hints: fc.option(hints),
  repair: fc.option(repair),
  readOnly: fc.boolean(),
  operations: fc.option(operations),
})
const status = plain({
  swarm: text,
  state: fc.constantFrom('forming' as const, 'serving' as const),
  epoch: uint,
  replicas: uint,
  readQuorum: uint,
  writeQuorum: uint,
  durability,
  mode,
  manager: fc.option(plain({ pid: uint })),
  nodes: fc.array(nodeReport, { maxLength: 3 }),
  changes: fc.array(report, { maxLength: 3 }),
  notices: fc.array(text, { maxLength: 3 }),
})
const addresses = fc.array(text, { maxLength: 4 })
const id = uint
const condition = fc.oneof(
  plain({ is: fc.constant('absent' as const) }),
  plain({ is: fc.constant('present' as const) }),
  plain({ is: fc.constant('version' as const), version }),
)
const writing = {
  stamp: version,
  condition: fc.option(condition),
  context: fc.option(bytes),
  w: uint,
  deadline: uint,
}
const ownerReport = plain({
  node: text,
  role: text,
  state: text,
  version: fc.option(version),
  isDeleted: fc.boolean(),
  counted: fc.boolean(),
  tookMicros: fc.option(uint),
})
const explanation = plain({
  mode,
  epoch: uint,
  token,
  path: fc.array(text, { maxLength: 3 }),
  quorums: plain({ n: uint, r: uint, w: uint }),
  owners: fc.array(ownerReport, { maxLength: 3 }),
  version: fc.option(version),
  value,
  refusal: fc.option(text),
  reasons: fc.array(text, { maxLength: 3 }),
})
const entries = fc.array(entry, { maxLength: 4 })
const next = fc.option(cursor)

const fields: {
  readonly [K in MessageKind]: {
    readonly [F in Exclude<keyof MessageOf<K>, 'kind'>]: fc.Arbitrary<MessageOf<K>[F]>
  }
} = {
  hello: { protocol: uint, from: text, lane: fc.constantFrom('data', 'control', 'bulk') },
  'hello.ok': { protocol: uint, swarm: text },
  'hello.refused': { protocol: uint, reason: text },
  error: {
    id,
    code: fc.constantFrom('FORMING', 'NOT_FOUND'),
    definite: fc.boolean(),
    message: text,
    met: fc.option(version, { nil: undefined }),
  },
  'client.register': { id, client: uint },
  'client.register.ok': {
    id,
    client: uint,
    boot: uint,
    nodes: addresses,
    valueBytesMax: uint,
    replicas: uint,
    mode,
  },
  put: { id, key: bytes, value, version, w: uint, deadline: uint },
  'put.ok': { id },
  get: { id, key: bytes, r: uint, born: uint, deadline: uint },
  'get.ok': { id, value, version: fc.option(version), node: text },
  'forwarder.moved': { nodes: addresses },
  'coordinate.put': { id, epoch: uint, token, key: bytes, value, version, w: uint, deadline: uint },
  'coordinate.put.ok': { id },
  'coordinate.get': { id, epoch: uint, token, key: bytes, r: uint, born: uint, deadline: uint },
  'coordinate.get.ok': { id, value, version: fc.option(version), node: text },
  'replica.put': { id, epoch: uint, token, key: bytes, ...record, born: uint },
  'replica.put.ok': { id },
  'replica.get': { id, epoch: uint, token, key: bytes },
  'replica.get.ok': { id, value, version: fc.option(version), attached },
  stale: { id, epoch: uint },
  'handoff.pull': {
    id,
    epoch: uint,
    plan: uint,
    reason: fc.constantFrom('ownership', 'hinted', 'repair'),
    from: token,
    to: token,
    cursor: next,
    limitBytes: uint,
  },
  'handoff.batch': { id, entries, next },
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
    sloppy: fc.boolean(),
    handoffBytesPerSecond: uint,
    mode,
    logOperations: fc.boolean(),
  },
  'node.join': { id, swarm: text, member, store: text, epoch: uint, boot: uint },
  'node.join.ok': { id },
  'node.leave': { id, node: text, incarnation: uint },
  'node.leave.ok': { id },
  'ring.publish': { ring },
  'node.stop': {},
  'node.stats': { id },
  'node.stats.ok': {
    id,
    state: nodeState,
    epoch: uint,
    keys: uint,
    bytes: uint,
    handoff: progress,
    hints,
    repair,
    readOnly: fc.boolean(),
    operations,
  },
  'supervisor.register': { id, nodes: uint },
  'supervisor.register.ok': { id, nodes: addresses },
  'node.spawn': { node: text },
  'node.ended': { node: text },
  'swarm.status': { id },
  'swarm.status.ok': { id, status },
  'change.submit': {
    id,
    change: changeKind,
    node: text,
    force: fc.boolean(),
    acceptLoss: fc.boolean(),
  },
  'change.submit.ok': { id, ticket: uint, node: text },
  'change.query': { id, ticket: uint },
  'change.query.ok': { id, report },
  'swarm.stop': { id },
  'swarm.stop.ok': { id },
  'node.dump': { id, keysOnly: fc.boolean(), cursor: next, limitBytes: uint },
  'node.dump.ok': { id, entries, next },
  'gossip.ping': { id, epoch: uint, rumors },
  'gossip.ack': { id, epoch: uint, rumors },
  'gossip.probe': { id, target: text },
  'gossip.probe.ok': { id },
  'health.report': { node: text, incarnation: uint, suspects: rumors },
  'hint.put': { id, epoch: uint, token, key: bytes, ...record, born: uint },
  'hint.put.ok': { id },
  'hint.query': { id, epoch: uint, from: token, to: token },
  'hint.query.ok': { id, hasHints: fc.boolean() },
  'handoff.push': {
    id,
    epoch: uint,
    reason: fc.constantFrom('hinted', 'repair'),
    entries,
    born: uint,
  },
  'handoff.push.ok': { id },
  'merkle.get': { id, epoch: uint, from: token, to: token, leaves: uint },
  'merkle.get.ok': { id, hashes: bytes },
  'repair.start': { id },
  'repair.start.ok': { id, pass: uint },
  'tombstone.confirm': { id, epoch: uint, marks },
  'tombstone.confirm.ok': { id, held: fc.array(uint, { maxLength: 4 }) },
  'tombstone.collect': { id, epoch: uint, marks },
  'tombstone.collect.ok': { id },
  'clients.grant': { id },
  'clients.grant.ok': { id, from: uint, upTo: uint },
  write: { id, key: bytes, value, ...writing },
  'write.ok': { id, version },
  'coordinate.write': { id, epoch: uint, token, key: bytes, value, ...writing },
  'coordinate.write.ok': { id, version },
  'chain.put': {
    id,
    epoch: uint,
    token,
    key: bytes,
    ...record,
    origin: text,
    request: uint,
    stamp: fc.option(version),
  },
  'chain.ack': { id, epoch: uint, token, key: bytes, stamps: fc.array(version, { maxLength: 3 }) },
  'chain.mark': { id, epoch: uint, from: token, to: token },
  'chain.ready': { node: text, epoch: uint },
  explain: { id, key: bytes, r: uint, born: uint, deadline: uint },
  'explain.ok': { id, report: explanation },
  'coordinate.explain': { id, epoch: uint, token, key: bytes, r: uint, born: uint, deadline: uint },
  'coordinate.explain.ok': { id, report: explanation },
}

/** With the prototype of a literal, so that deepEqual compares. */
function plain<T>(model: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>
}

export function messageOf<K extends MessageKind>(kind: K): fc.Arbitrary<MessageOf<K>> {
  const model = { kind: fc.constant(kind), ...fields[kind] }
  return plain(model as never) as fc.Arbitrary<MessageOf<K>>
}

export const messageKinds = Object.keys(fields) as MessageKind[]
export const anyMessage: fc.Arbitrary<Message> = fc.constantFrom(...messageKinds).chain(messageOf)
