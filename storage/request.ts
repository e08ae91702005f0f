/**
 * A request as a node works on it, wherever it came from: a client that this node serves as its
 * forwarder, or another forwarder that chose this node as coordinator. It keeps its stamp through
 * every restart, so that it takes effect at most once.
 */

import type { Condition, Mode } from '../shared/data/mode.js'
import type { StoredRecord } from '../shared/data/record.js'
import { encodeSiblings, siblingsOf } from '../shared/data/siblings.js'
import type { Micros, Version } from '../shared/data/version.js'
import type { ErrorCode } from '../shared/protocol/errors.js'
import type {
  ChainAck,
  ChainMark,
  ChainPut,
  CoordinateExplain,
  CoordinateGet,
  CoordinatePut,
  CoordinateWrite,
  Explain,
  ExplainReport,
  Get,
  HandoffPull,
  HandoffPush,
  HintPut,
  HintQuery,
  MerkleGet,
  Put,
  ReplicaGet,
  ReplicaPut,
  TombstoneCollect,
  TombstoneConfirm,
  Write,
} from '../shared/protocol/messages.js'
import type { NodeId, Token } from '../shared/ring/description.js'
import type { Arc, Ring } from '../shared/ring/ring.js'
import { keyBytesMax, maxFlightMs } from '../shared/runtime/limits.js'
import type { Address, Runtime } from '../shared/runtime/runtime.js'

export type ClientRequest = Put | Get | Write | Explain
export type CoordinateRequest = CoordinatePut | CoordinateGet | CoordinateWrite | CoordinateExplain
/** Requests that are answered under their own epoch or not at all. */
export type EpochRequest =
  | CoordinateRequest
  | ReplicaPut
  | ReplicaGet
  | HandoffPull
  | HandoffPush
  | HintPut
  | HintQuery
  | MerkleGet
  | TombstoneConfirm
  | TombstoneCollect
  | ChainPut
  | ChainAck
  | ChainMark

interface RequestBase {
  readonly from: Address
  /** The id that `from` gave it. */
  readonly id: number
  /** From a client: the node is its forwarder. */
  readonly direct: boolean
  readonly token: Token
  readonly key: Uint8Array
  readonly deadline: Micros
  /** Something of it may have been written: from now on no error is definite. */
  begun: boolean
}

export interface PutRequest extends RequestBase {
  readonly kind: 'put'
  readonly value: Uint8Array | null
  readonly version: Version
  readonly w: number
}

export interface GetRequest extends RequestBase {
  readonly kind: 'get'
  readonly r: number
  readonly born: Micros
}

/** A get whose every step is told. */
export interface ExplainRequest extends Omit<GetRequest, 'kind'> {
  readonly kind: 'explain'
}

export interface WriteRequest extends RequestBase {
  readonly kind: 'write'
  readonly value: Uint8Array | null
  readonly stamp: Version
  readonly condition: Condition | null
  readonly context: Uint8Array | null
  readonly w: number
  /** Siblings alone: what the one dot of the write has made of the key; set when it is made. */
  made?: StoredRecord | undefined
}

export type Request = PutRequest | GetRequest | ExplainRequest | WriteRequest

/** Who may coordinate it: in a chain its head a write, its reader a get; else any owner. */
export function coordinatorsOf({ owners, chain }: Arc, kind: Request['kind']): readonly NodeId[] {
  if (chain === undefined) return owners
  const { members, reader } = chain
  if (kind === 'write') return members.slice(0, 1)
  const readers = reader === '' ? [] : [reader]
  if (kind === 'get') return readers
  return [...readers, ...members.filter((member) => member !== reader)]
}

/** What a get answers. */
export interface Found {
  readonly value: Uint8Array | null
  readonly version: Version | null
}

export function requestOf(
  from: Address,
  message: ClientRequest | CoordinateRequest,
  token: Token,
): Request {
  const { id, key } = message
  switch (message.kind) {
    case 'put':
    case 'coordinate.put': {
      const { value, version, w } = message
      const direct = message.kind === 'put'
      const deadline = withinFlight(version.micros, message.deadline)
      const begun = false
      return { kind: 'put', from, id, direct, token, key, deadline, begun, value, version, w }
    }
    case 'write':
    case 'coordinate.write': {
      const { value, stamp, condition, context, w } = message
      const direct = message.kind === 'write'
      const deadline = withinFlight(stamp.micros, message.deadline)
      const common = { from, id, direct, token, key, deadline, begun: false }
      return { kind: 'write', ...common, value, stamp, condition, context, w }
    }
    case 'get':
    case 'coordinate.get':
    case 'explain':
    case 'coordinate.explain': {
      const { r, born } = message
      const direct = message.kind === 'get' || message.kind === 'explain'
      const isGet = message.kind === 'get' || message.kind === 'coordinate.get'
      const kind = isGet ? 'get' : 'explain'
      const deadline = withinFlight(born, message.deadline)
      return { kind, from, id, direct, token, key, deadline, begun: false, r, born }
    }
  }
}

/** Never that of a floor, which a chain keeps beside a key in place of requests (chain/decide.ts). */
const writerForm = /^[^+]{1,16}$/

/** Why a request is refused. A client library checks all this; another program may not. */
export function wrongWith(
  message: ClientRequest,
  ring: Ring,
  valueBytesMax: number,
): string | undefined {
  const { key } = message
  if (key.length === 0 || key.length > keyBytesMax) {
    return `a key has 1 to ${keyBytesMax} bytes, not ${key.length}`
  }
  const { replicas } = ring.description.placement
  const quorum = 'w' in message ? message.w : message.r
  if (quorum < 0 || quorum > replicas) return `r and w are 1 to ${replicas}, not ${quorum}`
  if (!('value' in message)) return undefined
  const { writer } = message.kind === 'put' ? message.version : message.stamp
  if (!writerForm.test(writer)) return 'a writer is 16 hexadecimal digits'
  if (message.value === null) return undefined
  if (message.value.length <= valueBytesMax) return undefined
  return `a value has at most ${valueBytesMax} bytes, not ${message.value.length}`
}

/** No request outlives the time after which replicas refuse what it carries. */
function withinFlight(born: Micros, deadline: Micros): Micros {
  return Math.min(deadline, born + maxFlightMs * 1000)
}

export function replyPut(runtime: Runtime, request: PutRequest): void {
  const { id } = request
  runtime.send(request.from, { kind: request.direct ? 'put.ok' : 'coordinate.put.ok', id })
}

export function replyWrite(runtime: Runtime, request: WriteRequest, version: Version): void {
  const { id } = request
  const kind = request.direct ? 'write.ok' : 'coordinate.write.ok'
  runtime.send(request.from, { kind, id, version })
}

export function replyGet(
  runtime: Runtime,
  mode: Mode,
  request: GetRequest,
  record: StoredRecord | undefined,
  node: NodeId,
): void {
  const { value, version } = answerOf(mode, record)
  const kind = request.direct ? 'get.ok' : 'coordinate.get.ok'
  runtime.send(request.from, { kind, id: request.id, value, version, node })
}

/**
 * What a get answers: value null for a missing or deleted key. Siblings come with their context, also
 * where none of them is left: a put after a delete supersedes that.
 */
export function answerOf(mode: Mode, record: StoredRecord | undefined): Found {
  const held = record?.value ?? null
  const version = record === undefined || held === null ? null : record.version
  if (mode !== 'siblings') return { value: held, version }
  return { value: encodeSiblings(siblingsOf(record)), version }
}

export function replyExplain(
  runtime: Runtime,
  request: ExplainRequest,
  report: ExplainReport,
): void {
  const { id } = request
  const kind = request.direct ? 'explain.ok' : 'coordinate.explain.ok'
  runtime.send(request.from, { kind, id, report })
}

/** Definite as long as nothing of the request can have been written; a get writes nothing new. */
export function replyError(
  runtime: Runtime,
  request: Request,
  code: ErrorCode,
  message: string,
  met?: Version,
): void {
  const definite = isDefinite(request)
  const more = met === undefined ? {} : { met }
  runtime.send(request.from, { kind: 'error', id: request.id, code, definite, message, ...more })
}

export function isDefinite(request: Request): boolean {
  return request.kind === 'get' || request.kind === 'explain' || !request.begun
}
