/**
 * The protocol: every message that GTStore's processes exchange. This file is its specification;
 * for each message it says who sends it, when, and what its loss means.
 *
 * Names are `noun.verb`, a successful reply adds `.ok`. `id` is chosen by the sender of a request,
 * unique on its connections, and returned in the reply; every request may be answered by `error`
 * instead. `epoch` is the ring under which a request was admitted. On the wire a message is an array:
 * its number, then its fields in the order of `messageFields` (see codec.ts).
 *
 * To add a message: add its interface to the union, and its row to `messageFields` with the next free
 * number; the compiler then names every switch that must learn it.
 */
import type { Condition, Mode } from '../data/mode.js'
import type { Micros, Version } from '../data/version.js'
import type { Member, NodeId, RingDescription, Token } from '../ring/description.js'
import type { Cursor, Entry, Mark } from '../runtime/ports.js'
import type { Address } from '../runtime/runtime.js'
import type { ErrorCode } from './errors.js'

/** Raised with every incompatible change of this file. */
export const protocolVersion = 3

// --- Connection -------------------------------------------------------------------------------

/** Whoever connects, first. Lost: the connection is closed after helloTimeoutMs. */
export interface Hello {
  readonly kind: 'hello'
  readonly protocol: number
  readonly from: Address
  /** Lanes keep bulk from delaying control: see laneOf. */
  readonly lane: Lane
}

/** The accepter, in answer to a hello it takes. Lost with its connection. */
export interface HelloOk {
  readonly kind: 'hello.ok'
  readonly protocol: number
  /** Random id of the swarm that the accepter is of; empty: it does not say. */
  readonly swarm: string
}

/** The accepter, before it closes: another protocol version, or no room. Lost: seen as a close. */
export interface HelloRefused {
  readonly kind: 'hello.refused'
  readonly protocol: number
  readonly reason: string
}

/** Anyone, in answer to a request that failed. Lost with its connection: the requester's deadline. */
export interface ErrorReply {
  readonly kind: 'error'
  readonly id: number
  readonly code: ErrorCode
  readonly definite: boolean
  readonly message: string
  /** With CONDITION_FAILED, what the condition met; absent where the key was missing. */
  readonly met?: Version | undefined
}

// --- Client and manager -----------------------------------------------------------------------

/**
 * Client to manager at init, and when every node it knew is gone; to a node where the manager does not
 * answer. Lost: asked again.
 */
export interface ClientRegister {
  readonly kind: 'client.register'
  readonly id: number
  /** The id of an earlier registration; 0 asks for a new one. */
  readonly client: number
}

/** Manager, or a node in its place, to client. Lost: the client asks again, and an id is skipped. */
export interface ClientRegisterOk {
  readonly kind: 'client.register.ok'
  readonly id: number
  readonly client: number
  /** For the client's stamps: lives of the host. */
  readonly boot: number
  /** The nodes that may forward, the client's own (round-robin) first; empty while there is none. */
  readonly nodes: readonly Address[]
  readonly valueBytesMax: number
  /** N: bounds the r and w of a call. */
  readonly replicas: number
  readonly mode: Mode
}

// --- Client and forwarder ---------------------------------------------------------------------

/** Client to forwarder: write a value, or a tombstone. Lost: retried with the same version. */
export interface Put {
  readonly kind: 'put'
  readonly id: number
  readonly key: Uint8Array
  /** null deletes. */
  readonly value: Uint8Array | null
  readonly version: Version
  /** Write quorum of this call; 0 is the swarm's. */
  readonly w: number
  /** Host clock at which the client gives up. */
  readonly deadline: Micros
}

/** Forwarder to client: W owners hold the write. Lost: the client retries, to no second effect. */
export interface PutOk {
  readonly kind: 'put.ok'
  readonly id: number
}

/**
 * Client to forwarder, instead of a put, in the modes `siblings` and `chain`. Lost: in a chain retried
 * with the same stamp; siblings only where it surely did not happen, since a retry would be another.
 */
export interface Write {
  readonly kind: 'write'
  readonly id: number
  readonly key: Uint8Array
  /** null deletes. */
  readonly value: Uint8Array | null
  /** When it was called, in a chain first sent, and by whom: names it. Not the version that it gets. */
  readonly stamp: Version
  /** Chain alone: what the key must be like. */
  readonly condition: Condition | null
  /** Siblings alone: the context of the get before it (siblings.ts); null: of none. */
  readonly context: Uint8Array | null
  /** Siblings alone: write quorum of this call; 0 is the swarm's. */
  readonly w: number
  readonly deadline: Micros
}

/** Forwarder to client: all that must hold it do. */
export interface WriteOk {
  readonly kind: 'write.ok'
  readonly id: number
  /** Of what was written. */
  readonly version: Version
}

/** Client to forwarder: read a key. Lost: retried. */
export interface Get {
  readonly kind: 'get'
  readonly id: number
  readonly key: Uint8Array
  /** Read quorum of this call; 0 is the swarm's. */
  readonly r: number
  /** Host clock when the get was called. */
  readonly born: Micros
  readonly deadline: Micros
}

/**
 * Forwarder to client: the newest value, or null for both where the key is missing. In mode `siblings`
 * the value is what encodeSiblings makes (siblings.ts), also where no sibling is left of the key.
 */
export interface GetOk {
  readonly kind: 'get.ok'
  readonly id: number
  readonly value: Uint8Array | null
  readonly version: Version | null
  /** The coordinator that answered. */
  readonly node: NodeId
}

/** A leaving node to its clients, before it stops. Lost: the client sees the close and moves itself. */
export interface ForwarderMoved {
  readonly kind: 'forwarder.moved'
  readonly nodes: readonly Address[]
}

// --- Forwarder and coordinator ----------------------------------------------------------------

/** Forwarder to an owner: coordinate this write. Lost with the connection: another owner is asked. */
export interface CoordinatePut {
  readonly kind: 'coordinate.put'
  readonly id: number
  readonly epoch: number
  readonly token: Token
  readonly key: Uint8Array
  readonly value: Uint8Array | null
  readonly version: Version
  readonly w: number
  readonly deadline: Micros
}

/** Coordinator to forwarder. Lost: the forwarder or client retries with the same version. */
export interface CoordinatePutOk {
  readonly kind: 'coordinate.put.ok'
  readonly id: number
}

/** Forwarder to an owner, in a chain to its head: as `write`. */
export interface CoordinateWrite {
  readonly kind: 'coordinate.write'
  readonly id: number
  readonly epoch: number
  readonly token: Token
  readonly key: Uint8Array
  readonly value: Uint8Array | null
  readonly stamp: Version
  readonly condition: Condition | null
  readonly context: Uint8Array | null
  readonly w: number
  readonly deadline: Micros
}

/** Coordinator, in a chain its end, to forwarder. Lost: as with `write`. */
export interface CoordinateWriteOk {
  readonly kind: 'coordinate.write.ok'
  readonly id: number
  readonly version: Version
}

/** Forwarder to an owner: coordinate this read. Lost with the connection: another owner is asked. */
export interface CoordinateGet {
  readonly kind: 'coordinate.get'
  readonly id: number
  readonly epoch: number
  readonly token: Token
  readonly key: Uint8Array
  readonly r: number
  readonly born: Micros
  readonly deadline: Micros
}

/** Coordinator to forwarder: the newest record; null for both where no owner has one. */
export interface CoordinateGetOk {
  readonly kind: 'coordinate.get.ok'
  readonly id: number
  /** null: missing or deleted. */
  readonly value: Uint8Array | null
  readonly version: Version | null
  readonly node: NodeId
}

// --- Coordinator and replica ------------------------------------------------------------------

/** Coordinator to owner: merge this record, answer once it is durable. Lost: counts as no answer. */
export interface ReplicaPut {
  readonly kind: 'replica.put'
  readonly id: number
  readonly epoch: number
  readonly token: Token
  readonly key: Uint8Array
  readonly value: Uint8Array | null
  readonly version: Version
  /** Of the record (record.ts); null: nothing. */
  readonly attached: Uint8Array | null
  /** When the message's content set out: the put's stamp, or the start of the get that repairs. */
  readonly born: Micros
}

/** Owner to coordinator: durable, under the request's epoch. */
export interface ReplicaPutOk {
  readonly kind: 'replica.put.ok'
  readonly id: number
}

/** Coordinator to owner: what do you hold? Lost: a further owner is asked. */
export interface ReplicaGet {
  readonly kind: 'replica.get'
  readonly id: number
  readonly epoch: number
  readonly token: Token
  readonly key: Uint8Array
}

/** Owner to coordinator: its durable record; version null where it has none, value null: tombstone. */
export interface ReplicaGetOk {
  readonly kind: 'replica.get.ok'
  readonly id: number
  readonly value: Uint8Array | null
  readonly version: Version | null
  readonly attached: Uint8Array | null
}

/** Any node, instead of a reply: the request's epoch is not (or no longer) mine. Lost: as no answer. */
export interface Stale {
  readonly kind: 'stale'
  readonly id: number
  /** The epoch that the sender holds. */
  readonly epoch: number
}

// --- Handoff ----------------------------------------------------------------------------------

/**
 * Gainer to source: the next batch of a range. The source keeps no state between pulls: the cursor
 * is the gainer's, so a pull may be repeated and goes on after a crash of either. Lost: asked again.
 */
export interface HandoffPull {
  readonly kind: 'handoff.pull'
  readonly id: number
  readonly epoch: number
  readonly plan: number
  readonly reason: HandoffReason
  readonly from: Token
  readonly to: Token
  readonly cursor: Cursor | null
  readonly limitBytes: number
}

/** Why a range is streamed. */
export type HandoffReason = 'ownership' | 'hinted' | 'repair'

/** Source to gainer: durable entries, tombstones included; `next` null at the range's end. */
export interface HandoffBatch {
  readonly kind: 'handoff.batch'
  readonly id: number
  readonly entries: readonly Entry[]
  readonly next: Cursor | null
}

/** Gainer to manager: everything of the plan is durable here. Lost: repeated on each new connection. */
export interface HandoffComplete {
  readonly kind: 'handoff.complete'
  readonly plan: number
  readonly node: NodeId
}

// --- Node and manager -------------------------------------------------------------------------

/** A starting node to the manager: who am I? Lost: asked again, and an incarnation is skipped. */
export interface NodeEnroll {
  readonly kind: 'node.enroll'
  readonly id: number
  /** The id of the data directory; empty asks for a new one. */
  readonly node: NodeId | ''
}

/** Manager to node: its id and the number of this life, journaled before. */
export interface NodeEnrollOk {
  readonly kind: 'node.enroll.ok'
  readonly id: number
  readonly node: NodeId
  readonly incarnation: number
  readonly boot: number
  readonly swarm: string
  /** As the user called it; `swarm` is its random id. */
  readonly swarmName: string
  readonly durability: Durability
  readonly valueBytesMax: number
  /** Hints count towards W (outside the promise of linearizable keys). */
  readonly sloppy: boolean
  /** What one node may receive by handoffs; 0: as fast as it can. */
  readonly handoffBytesPerSecond: number
  readonly mode: Mode
  /** Each operation is logged, with its outcome. */
  readonly logOperations: boolean
}

export type Durability = 'sync' | 'write' | 'memory'

/**
 * A node that listens, to the manager, on every new connection to it. The manager adds it to the ring
 * (a new node, or one whose store did not survive) or publishes its new life (a known one with its
 * store). Lost with its connection: repeated.
 */
export interface NodeJoin {
  readonly kind: 'node.join'
  readonly id: number
  /** Of the store: the manager of another swarm has no say over it. */
  readonly swarm: string
  readonly member: Member
  /** Random id written with the store: tells a store that survived from a new one. */
  readonly store: string
  /** Highest epoch and boot this store has seen: the manager never goes below either. */
  readonly epoch: number
  readonly boot: number
}

/** Manager to node: planned; a ring that names the node follows. */
export interface NodeJoinOk {
  readonly kind: 'node.join.ok'
  readonly id: number
}

/** A node told to leave (SIGTERM), to the manager, on every new connection. Lost: repeated. */
export interface NodeLeave {
  readonly kind: 'node.leave'
  readonly id: number
  readonly node: NodeId
  readonly incarnation: number
}

/** Manager to node: queued; a ring without the node follows. */
export interface NodeLeaveOk {
  readonly kind: 'node.leave.ok'
  readonly id: number
}

/** Manager to every member after it published a ring file. Lost: the file says the same. */
export interface RingPublish {
  readonly kind: 'ring.publish'
  readonly ring: RingDescription
}

/** Manager (or `gtstore down`) to a node: stop now, keep your data; this is not a leave. */
export interface NodeStop {
  readonly kind: 'node.stop'
}

/** Manager to node, for `status`. Lost: the node's counts are shown as unknown. */
export interface NodeStats {
  readonly kind: 'node.stats'
  readonly id: number
}

/** Node to manager: what it holds and how far it is. Lost: as if it had not been asked. */
export interface NodeStatsOk {
  readonly kind: 'node.stats.ok'
  readonly id: number
  readonly state: NodeState
  readonly epoch: number
  readonly keys: number
  readonly bytes: number
  /** Of the plan under way, where this node gains; zeros otherwise. */
  readonly handoff: HandoffProgress
  /** Kept for others here. */
  readonly hints: HintCount
  readonly repair: RepairReport
  /** The disk is nearly full: reads go on, writes are refused. */
  readonly readOnly: boolean
  readonly operations: OperationCounts
}

/** Operations of this life of a node, by their outcome. */
export interface OperationCounts {
  readonly coordinated: OutcomeCounts
  readonly replicated: OutcomeCounts
}

/** A put that failed may have happened. */
export interface OutcomeCounts {
  readonly puts: number
  readonly putsFailed: number
  readonly deletes: number
  readonly deletesFailed: number
  /** Those that found nothing were answered, too. */
  readonly gets: number
  readonly getsMissed: number
  readonly getsFailed: number
}

export interface HintCount {
  readonly keys: number
  readonly bytes: number
}

/** Where a node's anti-entropy stands; the counts are of the last pass, or of the one under way. */
export interface RepairReport {
  /** Passes begun in this life. */
  readonly pass: number
  readonly running: boolean
  /** Pairs of a range and another owner of it: compared, and all of this pass. */
  readonly rangesDone: number
  readonly rangesTotal: number
  /** Records that this node received, and gave, because one of the two lacked them. */
  readonly received: number
  readonly given: number
  /** Ranges that could not be compared in this pass (an owner was down, the ring changed). */
  readonly skipped: number
}

/** As the node's state machine names them, plus `down` where the manager knows it is dead. */
export type NodeState =
  | 'starting'
  | 'joining'
  | 'active'
  | 'recovering'
  | 'leaving'
  | 'left'
  | 'down'

export interface HandoffProgress {
  readonly rangesDone: number
  readonly rangesTotal: number
  readonly keys: number
  readonly bytes: number
}

// --- Supervisor and manager -------------------------------------------------------------------

/** Supervisor to manager on every new connection: I can start processes. Lost: repeated. */
export interface SupervisorRegister {
  readonly kind: 'supervisor.register'
  readonly id: number
  /** How many nodes the supervisor starts by itself: the first ring waits for them a moment. */
  readonly nodes: number
}

/** Manager to supervisor. Lost with its connection: the supervisor registers again. */
export interface SupervisorRegisterOk {
  readonly kind: 'supervisor.register.ok'
  readonly id: number
  /** The nodes of the ring: those to start after a `down`; empty for a new swarm. */
  readonly nodes: readonly NodeId[]
}

/** Manager to supervisor: start this node. Lost: the change waits, `node add` says so. */
export interface NodeSpawn {
  readonly kind: 'node.spawn'
  readonly node: NodeId
}

/** Supervisor to manager: this process ended for good, it is not started again. Lost: a change that
 * awaits the node goes on waiting until the supervisor registers anew and is asked for it. */
export interface NodeEnded {
  readonly kind: 'node.ended'
  readonly node: NodeId
}

// --- Commands and manager ---------------------------------------------------------------------

/** CLI to manager. Lost: asked again by the user. */
export interface SwarmStatus {
  readonly kind: 'swarm.status'
  readonly id: number
}

/**
 * Manager, or a node in its place, to whoever asked, once the nodes said what they hold. Lost: asked
 * again.
 */
export interface SwarmStatusOk {
  readonly kind: 'swarm.status.ok'
  readonly id: number
  readonly status: StatusReport
}

export type SwarmState = 'forming' | 'serving' | 'changing' | 'stopping'

export interface StatusReport {
  readonly swarm: string
  readonly state: SwarmState
  readonly epoch: number
  readonly replicas: number
  readonly readQuorum: number
  readonly writeQuorum: number
  readonly durability: Durability
  readonly mode: Mode
  /** null: it is down, and a node answers in its place. */
  readonly manager: { readonly pid: number } | null
  readonly nodes: readonly NodeReport[]
  /** The change under way and those queued behind it. */
  readonly changes: readonly ChangeReport[]
  /** What somebody should know or do; empty when all is well. */
  readonly notices: readonly string[]
}

export interface NodeReport {
  readonly id: NodeId
  readonly incarnation: number
  readonly pid: number
  readonly state: NodeState
  /** Why it is `down`: `exited`, or `not answering`; empty otherwise. */
  readonly reason: string
  readonly socket: string
  readonly vnodes: number
  /** null where the node did not say. */
  readonly keys: number | null
  readonly bytes: number | null
  /** Share of the ring, primary ranges: 0 to 1. */
  readonly ownership: number
  /** The three kinds of handoff, as node.stats.ok has them; null where the node did not say. */
  readonly handoff: HandoffProgress | null
  readonly hints: HintCount | null
  readonly repair: RepairReport | null
  readonly readOnly: boolean
  /** null where the node did not say. */
  readonly operations: OperationCounts | null
}

/**
 * CLI to manager: change the membership. `add` and `replace` name the new node in the answer and
 * have the supervisor start it. Lost before it arrived: nothing happened; after: `change.query`.
 */
export interface ChangeSubmit {
  readonly kind: 'change.submit'
  readonly id: number
  readonly change: 'add' | 'remove' | 'replace'
  /** The node to remove or replace; empty for `add`. */
  readonly node: NodeId | ''
  /** The node is to go without its help: it is killed, its ranges are copied from the others. */
  readonly force: boolean
  /** With force: go on where too few owners are left to have every acknowledged write. */
  readonly acceptLoss: boolean
}

/** Manager to CLI: the change is journaled and queued. Lost: `status` shows the change. */
export interface ChangeSubmitOk {
  readonly kind: 'change.submit.ok'
  readonly id: number
  readonly ticket: number
  /** The node that is added, removed, or stands in for the replaced one. */
  readonly node: NodeId
}

/** CLI to manager, while it shows progress. Lost: asked again. */
export interface ChangeQuery {
  readonly kind: 'change.query'
  readonly id: number
  readonly ticket: number
}

/** Manager to CLI: where the change stands now. Lost: asked again. */
export interface ChangeQueryOk {
  readonly kind: 'change.query.ok'
  readonly id: number
  readonly report: ChangeReport
}

export interface ChangeReport {
  /** 0: no command asked for it. */
  readonly ticket: number
  readonly change: 'add' | 'remove' | 'replace' | 'evict'
  readonly node: NodeId
  readonly state: 'waiting' | 'queued' | 'copying' | 'done' | 'aborted'
  /** Why it waits or was aborted; empty otherwise. */
  readonly reason: string
  readonly progress: HandoffProgress
}

/** CLI or supervisor to manager: stop every process, keep the data. Lost: `down` uses pids. */
export interface SwarmStop {
  readonly kind: 'swarm.stop'
  readonly id: number
}

/** Manager to CLI or supervisor: every node was told. Lost: the close says the same. */
export interface SwarmStopOk {
  readonly kind: 'swarm.stop.ok'
  readonly id: number
}

// --- Inspection -------------------------------------------------------------------------------

/** CLI or driver to a node: what do you store? (`dump`; the same shape as a pull.) */
export interface NodeDump {
  readonly kind: 'node.dump'
  readonly id: number
  /** Values are left out: an entry says only its version, and whether it is a tombstone. */
  readonly keysOnly: boolean
  readonly cursor: Cursor | null
  readonly limitBytes: number
}

/** Node to whoever asked: a page of entries; `next` null at the end. Lost: asked again. */
export interface NodeDumpOk {
  readonly kind: 'node.dump.ok'
  readonly id: number
  readonly entries: readonly Entry[]
  readonly next: Cursor | null
}

// --- Failure detection ------------------------------------------------------------------------

/**
 * What one process holds of one life of a node. A suspected node refutes by a higher `refutation`,
 * which only it raises (SWIM calls it an incarnation; here that word numbers lives).
 */
export interface Rumor {
  readonly node: NodeId
  readonly incarnation: number
  readonly refutation: number
  /** `dead`: its process is gone, or it was suspected for suspicionMs. */
  readonly health: Health
}

export type Health = 'alive' | 'suspect' | 'dead'

/**
 * Node to node once a period, or manager to node: do you answer? `epoch` is the sender's, so that
 * whoever missed a ring hears of it. Lost: counts as no answer.
 */
export interface GossipPing {
  readonly kind: 'gossip.ping'
  readonly id: number
  readonly epoch: number
  readonly rumors: readonly Rumor[]
}

/** In answer, at once. Lost: the pinger asks others to probe. */
export interface GossipAck {
  readonly kind: 'gossip.ack'
  readonly id: number
  readonly epoch: number
  readonly rumors: readonly Rumor[]
}

/** Node to node: ping this one for me, I got no answer. Lost: others were asked too. */
export interface GossipProbe {
  readonly kind: 'gossip.probe'
  readonly id: number
  readonly target: Address
}

/** In answer, once the target acknowledged. Lost: as if it had not. */
export interface GossipProbeOk {
  readonly kind: 'gossip.probe.ok'
  readonly id: number
}

/**
 * Node to manager, on each change, each period while it holds somebody suspect or dead, and on every
 * new connection: all whom it holds suspect or dead. Lost: repeated. It advises; the manager decides.
 */
export interface HealthReport {
  readonly kind: 'health.report'
  readonly node: NodeId
  readonly incarnation: number
  readonly suspects: readonly Rumor[]
}

// --- Hints, repair and tombstones -------------------------------------------------------------

/**
 * Coordinator to a fallback, the next node on the ring after the owners: keep this write for an owner
 * that cannot be reached. Lost: as if there were no fallback; repair finds what the owner missed.
 */
export interface HintPut {
  readonly kind: 'hint.put'
  readonly id: number
  readonly epoch: number
  readonly token: Token
  readonly key: Uint8Array
  readonly value: Uint8Array | null
  readonly version: Version
  readonly attached: Uint8Array | null
  readonly born: Micros
}

/** Fallback to coordinator: the hint is durable. Counts towards W only in a sloppy swarm. */
export interface HintPutOk {
  readonly kind: 'hint.put.ok'
  readonly id: number
}

/** Collector to member: do you keep hints for this range? Lost: the tombstones wait. */
export interface HintQuery {
  readonly kind: 'hint.query'
  readonly id: number
  readonly epoch: number
  readonly from: Token
  readonly to: Token
}

/** Member to collector. */
export interface HintQueryOk {
  readonly kind: 'hint.query.ok'
  readonly id: number
  readonly hasHints: boolean
}

/**
 * Whoever keeps hints, or repairs, to an owner: merge these. `born` is when they were read from the
 * sender's store. Lost: sent again, or found by the next pass.
 */
export interface HandoffPush {
  readonly kind: 'handoff.push'
  readonly id: number
  readonly epoch: number
  readonly reason: HandoffReason
  readonly entries: readonly Entry[]
  readonly born: Micros
}

/** Owner: all of it is durable here, under the epoch of the push. */
export interface HandoffPushOk {
  readonly kind: 'handoff.push.ok'
  readonly id: number
}

/** Owner to owner: the leaves of your Merkle tree over this range. Lost: the range is skipped. */
export interface MerkleGet {
  readonly kind: 'merkle.get'
  readonly id: number
  readonly epoch: number
  readonly from: Token
  readonly to: Token
  /** The range is cut into so many equal parts. */
  readonly leaves: number
}

/** Owner to owner: merkleHashBytes of each leaf, one after the other. */
export interface MerkleGetOk {
  readonly kind: 'merkle.get.ok'
  readonly id: number
  readonly hashes: Uint8Array
}

/** CLI to node: compare all you own with its other owners, now. Lost: asked again. */
export interface RepairStart {
  readonly kind: 'repair.start'
  readonly id: number
}

/** Node to CLI: the pass that begins now (one under way is ended first). `node.stats` shows it. */
export interface RepairStartOk {
  readonly kind: 'repair.start.ok'
  readonly id: number
  readonly pass: number
}

/** First owner to the others: do you hold these tombstones durably? Lost: they wait. */
export interface TombstoneConfirm {
  readonly kind: 'tombstone.confirm'
  readonly id: number
  readonly epoch: number
  readonly marks: readonly Mark[]
}

/** Owner: the indexes of those that it holds, in exactly these versions, durably. */
export interface TombstoneConfirmOk {
  readonly kind: 'tombstone.confirm.ok'
  readonly id: number
  readonly held: readonly number[]
}

/** First owner to the others: everybody has confirmed these and the wait is over. Lost: sent again. */
export interface TombstoneCollect {
  readonly kind: 'tombstone.collect'
  readonly id: number
  readonly epoch: number
  readonly marks: readonly Mark[]
}

/** Owner: it holds none of these versions any more. */
export interface TombstoneCollectOk {
  readonly kind: 'tombstone.collect.ok'
  readonly id: number
}

// --- Without the manager ----------------------------------------------------------------------

/** Node to manager: a block of client ids, to register clients while you are down. Lost: repeated. */
export interface ClientsGrant {
  readonly kind: 'clients.grant'
  readonly id: number
}

/** Manager to node, journaled before: the ids from..upTo are yours. Lost: they are skipped. */
export interface ClientsGrantOk {
  readonly kind: 'clients.grant.ok'
  readonly id: number
  readonly from: number
  readonly upTo: number
}

// --- Chains -----------------------------------------------------------------------------------

/**
 * Member of a chain to the next one: what the key holds by the head's order. Sent once it is durable at
 * the sender, and again for every request that is not committed there on each new epoch and connection.
 * What cannot be taken is answered by `stale` or `error`: all is sent again, in another session.
 */
export interface ChainPut {
  readonly kind: 'chain.put'
  /** The session of the sender's link, above all ids of requests. */
  readonly id: number
  readonly epoch: number
  readonly token: Token
  readonly key: Uint8Array
  readonly value: Uint8Array | null
  readonly version: Version
  /** The requests beside it (chain-record.ts). */
  readonly attached: Uint8Array | null
  /** Whom the end answers, and as what: empty and 0 where nobody waits any more. */
  readonly origin: Address | ''
  readonly request: number
  /** Which of the requests is to be answered; null: none. */
  readonly stamp: Version | null
}

/**
 * Member of a chain to the one before: these requests of the key reached the end, with all before
 * them. Lost: on the next epoch or connection they are sent down once more.
 */
export interface ChainAck {
  readonly kind: 'chain.ack'
  /** 0: no request. */
  readonly id: number
  readonly epoch: number
  readonly token: Token
  readonly key: Uint8Array
  readonly stamps: readonly Version[]
}

/**
 * The head of an arc to the next member, and on: everything that this epoch owes the arc went before.
 * A reader serves only after it. Lost: sent again with what the connection lost.
 */
export interface ChainMark {
  readonly kind: 'chain.mark'
  /** As in chain.put. */
  readonly id: number
  readonly epoch: number
  readonly from: Token
  readonly to: Token
}

/** Node to manager: as a reader of this ring I have the marks of all my arcs. Lost: repeated. */
export interface ChainReady {
  readonly kind: 'chain.ready'
  readonly node: NodeId
  readonly epoch: number
}

// --- Explain ----------------------------------------------------------------------------------

/** Client to forwarder: read a key, and say how. Lost: asked again. */
export interface Explain {
  readonly kind: 'explain'
  readonly id: number
  readonly key: Uint8Array
  readonly r: number
  readonly born: Micros
  readonly deadline: Micros
}

/** Forwarder to client: what became of a get, also where it was not answered. Lost: asked again. */
export interface ExplainOk {
  readonly kind: 'explain.ok'
  readonly id: number
  readonly report: ExplainReport
}

/**
 * Forwarder to an owner, in a chain to its reader, or where that cannot be reached to another member.
 * Lost: another one is asked.
 */
export interface CoordinateExplain {
  readonly kind: 'coordinate.explain'
  readonly id: number
  readonly epoch: number
  readonly token: Token
  readonly key: Uint8Array
  readonly r: number
  readonly born: Micros
  readonly deadline: Micros
}

/** Coordinator to forwarder, which puts itself before its path. Lost: as with `explain`. */
export interface CoordinateExplainOk {
  readonly kind: 'coordinate.explain.ok'
  readonly id: number
  readonly report: ExplainReport
}

/** One get, seen from its coordinator. */
export interface ExplainReport {
  readonly mode: Mode
  readonly epoch: number
  readonly token: Token
  /** Whom the request passed: forwarder, coordinator. */
  readonly path: readonly NodeId[]
  /** The numbers that held: N, and the R and W of this call. */
  readonly quorums: { readonly n: number; readonly r: number; readonly w: number }
  readonly owners: readonly OwnerReport[]
  /** What a get answered at that moment; null: missing, or deleted. */
  readonly version: Version | null
  readonly value: Uint8Array | null
  /** Why a get got no answer at that moment: then the two above say nothing. */
  readonly refusal: string | null
  /** In words: why this value, and what is wrong, if something is. */
  readonly reasons: readonly string[]
}

/** One owner's part in a get. */
export interface OwnerReport {
  readonly node: NodeId
  /**
   * Its place: `primary` or `owner`, `next` in a change; in a chain `head`, `middle`, `tail`, and `joiner`
   * where it is still being copied to.
   */
  readonly role: string
  /** `current`, `stale` (an older version), `missing`, `late`, `down`, `refused`, `other epoch`. */
  readonly state: string
  /** null: it has none, or did not say. */
  readonly version: Version | null
  readonly isDeleted: boolean
  /** Its reply counted towards the quorum of the answer. */
  readonly counted: boolean
  /** How long its reply took; null: it did not answer. */
  readonly tookMicros: number | null
}

export type Message =
  | Hello
  | HelloOk
  | HelloRefused
  | ErrorReply
  | ClientRegister
  | ClientRegisterOk
  | Put
  | PutOk
  | Write
  | WriteOk
  | Get
  | GetOk
  | ForwarderMoved
  | CoordinatePut
  | CoordinatePutOk
  | CoordinateWrite
  | CoordinateWriteOk
  | CoordinateGet
  | CoordinateGetOk
  | ReplicaPut
  | ReplicaPutOk
  | ReplicaGet
  | ReplicaGetOk
  | Stale
  | HandoffPull
  | HandoffBatch
  | HandoffComplete
  | NodeEnroll
  | NodeEnrollOk
  | NodeJoin
  | NodeJoinOk
  | NodeLeave
  | NodeLeaveOk
  | RingPublish
  | NodeStop
  | NodeStats
  | NodeStatsOk
  | SupervisorRegister
  | SupervisorRegisterOk
  | NodeSpawn
  | NodeEnded
  | SwarmStatus
  | SwarmStatusOk
  | ChangeSubmit
  | ChangeSubmitOk
  | ChangeQuery
  | ChangeQueryOk
  | SwarmStop
  | SwarmStopOk
  | NodeDump
  | NodeDumpOk
  | GossipPing
  | GossipAck
  | GossipProbe
  | GossipProbeOk
  | HealthReport
  | HintPut
  | HintPutOk
  | HintQuery
  | HintQueryOk
  | HandoffPush
  | HandoffPushOk
  | MerkleGet
  | MerkleGetOk
  | RepairStart
  | RepairStartOk
  | TombstoneConfirm
  | TombstoneConfirmOk
  | TombstoneCollect
  | TombstoneCollectOk
  | ClientsGrant
  | ClientsGrantOk
  | ChainPut
  | ChainAck
  | ChainMark
  | ChainReady
  | Explain
  | ExplainOk
  | CoordinateExplain
  | CoordinateExplainOk

export type MessageKind = Message['kind']
export type MessageOf<K extends MessageKind> = Extract<Message, { kind: K }>

/** Each connection between two processes has up to one socket a lane. */
export type Lane = 'data' | 'control' | 'bulk'

type Fields<K extends MessageKind> = readonly Exclude<keyof MessageOf<K>, 'kind'>[]

/** Wire number, lane and fields in wire order. Numbers are never reused. */
export const messageFields: {
  readonly [K in MessageKind]: readonly [number, Lane, Fields<K>]
} = {
  hello: [0, 'data', ['protocol', 'from', 'lane']],
  'hello.ok': [1, 'data', ['protocol', 'swarm']],
  'hello.refused': [2, 'data', ['protocol', 'reason']],
  error: [3, 'data', ['id', 'code', 'definite', 'message', 'met']],
  'client.register': [4, 'control', ['id', 'client']],
  'client.register.ok': [
    5,
    'control',
    ['id', 'client', 'boot', 'nodes', 'valueBytesMax', 'replicas', 'mode'],
  ],
  put: [6, 'data', ['id', 'key', 'value', 'version', 'w', 'deadline']],
  'put.ok': [7, 'data', ['id']],
  get: [8, 'data', ['id', 'key', 'r', 'born', 'deadline']],
  'get.ok': [9, 'data', ['id', 'value', 'version', 'node']],
  'forwarder.moved': [10, 'data', ['nodes']],
  'coordinate.put': [
    11,
    'data',
    ['id', 'epoch', 'token', 'key', 'value', 'version', 'w', 'deadline'],
  ],
  'coordinate.put.ok': [12, 'data', ['id']],
  'coordinate.get': [13, 'data', ['id', 'epoch', 'token', 'key', 'r', 'born', 'deadline']],
  'coordinate.get.ok': [14, 'data', ['id', 'value', 'version', 'node']],
  'replica.put': [
    15,
    'data',
    ['id', 'epoch', 'token', 'key', 'value', 'version', 'attached', 'born'],
  ],
  'replica.put.ok': [16, 'data', ['id']],
  'replica.get': [17, 'data', ['id', 'epoch', 'token', 'key']],
  'replica.get.ok': [18, 'data', ['id', 'value', 'version', 'attached']],
  stale: [19, 'data', ['id', 'epoch']],
  'handoff.pull': [
    20,
    'bulk',
    ['id', 'epoch', 'plan', 'reason', 'from', 'to', 'cursor', 'limitBytes'],
  ],
  'handoff.batch': [21, 'bulk', ['id', 'entries', 'next']],
  'handoff.complete': [22, 'control', ['plan', 'node']],
  'node.enroll': [23, 'control', ['id', 'node']],
  'node.enroll.ok': [
    24,
    'control',
    [
      'id',
      'node',
      'incarnation',
      'boot',
      'swarm',
      'swarmName',
      'durability',
      'valueBytesMax',
      'sloppy',
      'handoffBytesPerSecond',
      'mode',
      'logOperations',
    ],
  ],
  'node.join': [25, 'control', ['id', 'swarm', 'member', 'store', 'epoch', 'boot']],
  'node.join.ok': [26, 'control', ['id']],
  'node.leave': [27, 'control', ['id', 'node', 'incarnation']],
  'node.leave.ok': [28, 'control', ['id']],
  'ring.publish': [29, 'control', ['ring']],
  'node.stop': [30, 'control', []],
  'node.stats': [31, 'control', ['id']],
  'node.stats.ok': [
    32,
    'control',
    [
      'id',
      'state',
      'epoch',
      'keys',
      'bytes',
      'handoff',
      'hints',
      'repair',
      'readOnly',
      'operations',
    ],
  ],
  'supervisor.register': [33, 'control', ['id', 'nodes']],
  'supervisor.register.ok': [34, 'control', ['id', 'nodes']],
  'node.spawn': [35, 'control', ['node']],
  'swarm.status': [36, 'control', ['id']],
  'swarm.status.ok': [37, 'control', ['id', 'status']],
  'change.submit': [38, 'control', ['id', 'change', 'node', 'force', 'acceptLoss']],
  'change.submit.ok': [39, 'control', ['id', 'ticket', 'node']],
  'change.query': [40, 'control', ['id', 'ticket']],
  'change.query.ok': [41, 'control', ['id', 'report']],
  'swarm.stop': [42, 'control', ['id']],
  'swarm.stop.ok': [43, 'control', ['id']],
  'node.dump': [44, 'bulk', ['id', 'keysOnly', 'cursor', 'limitBytes']],
  'node.dump.ok': [45, 'bulk', ['id', 'entries', 'next']],
  'node.ended': [46, 'control', ['node']],
  'gossip.ping': [47, 'control', ['id', 'epoch', 'rumors']],
  'gossip.ack': [48, 'control', ['id', 'epoch', 'rumors']],
  'gossip.probe': [49, 'control', ['id', 'target']],
  'gossip.probe.ok': [50, 'control', ['id']],
  'health.report': [51, 'control', ['node', 'incarnation', 'suspects']],
  'hint.put': [52, 'data', ['id', 'epoch', 'token', 'key', 'value', 'version', 'attached', 'born']],
  'hint.put.ok': [53, 'data', ['id']],
  'hint.query': [54, 'bulk', ['id', 'epoch', 'from', 'to']],
  'hint.query.ok': [55, 'bulk', ['id', 'hasHints']],
  'handoff.push': [56, 'bulk', ['id', 'epoch', 'reason', 'entries', 'born']],
  'handoff.push.ok': [57, 'bulk', ['id']],
  'merkle.get': [58, 'bulk', ['id', 'epoch', 'from', 'to', 'leaves']],
  'merkle.get.ok': [59, 'bulk', ['id', 'hashes']],
  'repair.start': [60, 'control', ['id']],
  'repair.start.ok': [61, 'control', ['id', 'pass']],
  'tombstone.confirm': [62, 'bulk', ['id', 'epoch', 'marks']],
  'tombstone.confirm.ok': [63, 'bulk', ['id', 'held']],
  'tombstone.collect': [64, 'bulk', ['id', 'epoch', 'marks']],
  'tombstone.collect.ok': [65, 'bulk', ['id']],
  'clients.grant': [66, 'control', ['id']],
  'clients.grant.ok': [67, 'control', ['id', 'from', 'upTo']],
  write: [68, 'data', ['id', 'key', 'value', 'stamp', 'condition', 'context', 'w', 'deadline']],
  'write.ok': [69, 'data', ['id', 'version']],
  'coordinate.write': [
    70,
    'data',
    ['id', 'epoch', 'token', 'key', 'value', 'stamp', 'condition', 'context', 'w', 'deadline'],
  ],
  'coordinate.write.ok': [71, 'data', ['id', 'version']],
  'chain.put': [
    72,
    'data',
    ['id', 'epoch', 'token', 'key', 'value', 'version', 'attached', 'origin', 'request', 'stamp'],
  ],
  'chain.ack': [73, 'data', ['id', 'epoch', 'token', 'key', 'stamps']],
  'chain.mark': [74, 'data', ['id', 'epoch', 'from', 'to']],
  'chain.ready': [75, 'control', ['node', 'epoch']],
  explain: [76, 'data', ['id', 'key', 'r', 'born', 'deadline']],
  'explain.ok': [77, 'data', ['id', 'report']],
  'coordinate.explain': [78, 'data', ['id', 'epoch', 'token', 'key', 'r', 'born', 'deadline']],
  'coordinate.explain.ok': [79, 'data', ['id', 'report']],
}

/** Lanes keep bulk from delaying control, and both from delaying requests. */
export function laneOf(kind: MessageKind): Lane {
  return messageFields[kind][1]
}
