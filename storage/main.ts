/**
 * A storage node as a process: asks the manager who it is, opens its store, listens, and runs until it
 * left (SIGTERM), was stopped (`gtstore down`), or failed.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { mergeOf } from '../shared/data/merge.js'
import type { Mode } from '../shared/data/mode.js'
import { DamagedError } from '../shared/os/damage.js'
import { prepareDataDirectory, prepareRunDirectory } from '../shared/os/directories.js'
import { type ClosableDiskSpace, watchDiskSpace } from '../shared/os/disk-space.js'
import { openEngine } from '../shared/os/engine.js'
import { dismissedExitCode } from '../shared/os/exit-codes.js'
import { assertSupportedPlatform, ownProcessId } from '../shared/os/linux.js'
import { type ClosableLog, openLog } from '../shared/os/log.js'
import { writeProcessFile } from '../shared/os/process-files.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { openSocketRuntime } from '../shared/os/sockets.js'
import { finishRemovals, removeStore } from '../shared/os/store-removal.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { Durability, NodeEnrollOk } from '../shared/protocol/messages.js'
import { addressOf, type NodeId } from '../shared/ring/description.js'
import type { Engine } from '../shared/runtime/ports.js'
import type { Log } from '../shared/runtime/runtime.js'
import { Enrollment } from './enrollment.js'
import { hintMergeOf } from './hints/hint-store.js'
import { claimIdentity, type Identity } from './identity.js'
import { type StopReason, StorageNode, type StorageNodeOptions } from './node.js'

export interface NodeProcessOptions {
  readonly run: string
  readonly data: string
  /** The node to be again; empty for a new one. */
  readonly node: NodeId | ''
  readonly logLevel: string
  /** Directory of the logs; stderr without one, and until the node's id is known. */
  readonly logs?: string | undefined
}

/** Runs a node until it ends; the exit code: 0 if it ended as it was told to. */
export async function runNode(options: NodeProcessOptions): Promise<number> {
  assertSupportedPlatform()
  prepareRunDirectory(options.run)
  prepareDataDirectory(options.data)
  const log = nodeLog(options, options.node)
  const signals = new Signals()
  try {
    let node = options.node
    for (;;) {
      const enrolled = await enrollOrBegin(options, node, log, signals)
      if (enrolled === undefined) return 0
      const ownLog = nodeLog(options, enrolled.node)
      const reason = await live(options, enrolled, ownLog, signals)
      ownLog.close()
      if (reason !== 'evicted') return reason === 'failed' ? 1 : 0
      node = enrolled.node
    }
  } finally {
    signals.close()
    log.close()
  }
}

/** A log file is named after its node: before the id is known, stderr serves. */
function nodeLog({ logs, logLevel }: NodeProcessOptions, node: NodeId | ''): ClosableLog {
  const named = logs !== undefined && node !== ''
  if (named) mkdirSync(logs, { recursive: true, mode: 0o700 })
  const file = named ? { file: join(logs, `${node}.log`) } : {}
  return openLog({ ...file, level: logLevel, name: node || 'node' })
}

/** SIGTERM is a leave; the terminal's signals are for the supervisor alone. */
class Signals {
  isTerminated = false
  onTerminate: () => void = () => {}
  readonly #ignore = () => {}
  readonly #terminate = () => {
    this.isTerminated = true
    this.onTerminate()
  }

  constructor() {
    process.on('SIGTERM', this.#terminate)
    process.on('SIGINT', this.#ignore)
    process.on('SIGHUP', this.#ignore)
  }

  close(): void {
    process.off('SIGTERM', this.#terminate)
    process.off('SIGINT', this.#ignore)
    process.off('SIGHUP', this.#ignore)
  }
}

/** A node that lost its place for good goes on as a new one; who was taken out by a command ends. */
async function enrollOrBegin(
  options: NodeProcessOptions,
  node: NodeId | '',
  log: Log,
  signals: Signals,
): Promise<NodeEnrollOk | undefined> {
  try {
    return await enroll(options.run, node, log, signals)
  } catch (error) {
    const isForgotten = error instanceof GTStoreError && error.code === 'NOT_FOUND'
    if (node === '' || !isForgotten) throw error
    log.warn({}, `${node} has lost its place in the swarm: it gives up its data, and joins as new`)
    await giveUpStore(options, node, log)
    return await enroll(options.run, '', log, signals)
  }
}

/** Others hold what it held. What is not surely of this swarm, and of this node, stays. */
async function giveUpStore(
  { run, data }: NodeProcessOptions,
  node: NodeId,
  log: Log,
): Promise<void> {
  const path = join(data, 'nodes', node)
  const swarm = openRingFiles(run).newest()?.swarm
  if (!existsSync(path) || swarm === undefined || isNeeded(run, { swarm, node })) return
  try {
    const engine = await openEngine({ path, durability: 'write', node })
    await identify(engine, { swarm, node }).finally(() => closed(engine))
  } catch (error) {
    log.warn({ err: error, path }, 'left a store alone that may be another one')
    return
  }
  await removeStore(path)
}

/** Undefined: told to end before the manager answered. */
async function enroll(
  run: string,
  node: NodeId | '',
  log: Log,
  signals: Signals,
): Promise<NodeEnrollOk | undefined> {
  const self = `enroll-${process.pid}-${randomBytes(4).toString('hex')}`
  let refusal: (error: GTStoreError) => void = () => {}
  const onRefused = (_peer: string, error: GTStoreError) => refusal(error)
  const runtime = await openSocketRuntime({ run, self, listen: false, log, onRefused })
  // `gtstore down` must find a node that waits for a manager, too.
  const forget = writeProcessFile(run, { role: 'node', address: self, ...ownProcessId() })
  try {
    return await new Promise((resolve, reject) => {
      refusal = reject
      const enrollment = new Enrollment({
        runtime,
        node,
        log,
        onEnrolled: resolve,
        onRefused: reject,
      })
      signals.onTerminate = () => {
        enrollment.stop()
        resolve(undefined)
      }
      if (signals.isTerminated) return resolve(undefined)
      runtime.attach(enrollment)
      enrollment.start()
    })
  } finally {
    signals.onTerminate = () => {}
    forget()
    await runtime.close()
  }
}

/** One life, from opening the store to letting go of it. */
async function live(
  options: NodeProcessOptions,
  enrolled: NodeEnrollOk,
  log: Log,
  signals: Signals,
): Promise<StopReason> {
  const { node, durability, mode } = enrolled
  const nodes = join(options.data, 'nodes')
  prepareDataDirectory(nodes)
  await finishRemovals(nodes)
  const path = join(nodes, node)
  let reason: StopReason
  try {
    reason = await withStores(path, durability, mode, log, (stores) =>
      serve(options, enrolled, stores, log, signals),
    )
  } catch (error) {
    if (!(error instanceof DamagedError) || isNeeded(options.run, enrolled)) throw error
    log.error({ err: error }, 'removed a damaged store that no ring names any more')
    reason = 'evicted'
  }
  const isAbandoned = reason === 'left' && !isNeeded(options.run, enrolled)
  if (reason === 'evicted' || isAbandoned) await removeStore(path)
  return reason
}

/** False once a ring of the swarm shows that it goes on without the node. */
function isNeeded(run: string, { swarm, node }: Pick<NodeEnrollOk, 'swarm' | 'node'>): boolean {
  const newest = openRingFiles(run).newest()
  return newest?.swarm !== swarm || newest.members.some((member) => member.id === node)
}

type Stores = Pick<StorageNodeOptions, 'engine' | 'hints' | 'disk'>

/** The hints lie within the node's directory: they come and go with it. */
async function withStores(
  path: string,
  durability: Durability,
  mode: Mode,
  log: Log,
  use: (stores: Stores) => Promise<StopReason>,
): Promise<StopReason> {
  const node = basename(path)
  const merge = mergeOf(mode)
  const engine = await openEngine({ path, durability, node, merge })
  try {
    const hintsPath = join(path, 'hints')
    const hints = await openEngine({ path: hintsPath, durability, node, merge: hintMergeOf(mode) })
    const disk = await watchDisk(path, durability, log)
    try {
      return await use({ engine, hints, disk })
    } finally {
      disk.close()
      await closed(hints)
    }
  } finally {
    await closed(engine)
  }
}

/** What is kept in memory needs no disk. */
async function watchDisk(
  path: string,
  durability: Durability,
  log: Log,
): Promise<ClosableDiskSpace> {
  if (durability === 'memory') return { isLow: () => false, close: () => {} }
  return watchDiskSpace({
    path,
    changed: (isLow, freeBytes) => {
      const fields = { path, freeBytes }
      if (isLow) log.warn(fields, 'the disk is nearly full: reads go on, writes are refused')
      else log.info(fields, 'the disk has room again: writes go on')
    },
  })
}

async function serve(
  { run }: NodeProcessOptions,
  enrolled: NodeEnrollOk,
  stores: Stores,
  log: Log,
  signals: Signals,
): Promise<StopReason> {
  const { node, incarnation, valueBytesMax, swarm } = enrolled
  const { identity, isNew } = await identify(stores.engine, enrolled)
  const address = addressOf({ id: node, incarnation })
  const listening = { run, self: address, listen: true, swarm, log, valueBytesMax }
  const runtime = await openSocketRuntime(listening)
  const self = ownProcessId()
  const forget = writeProcessFile(run, { role: 'node', address, ...self })
  try {
    return await new Promise<StopReason>((resolve) => {
      const storageNode = new StorageNode({
        ...enrolled,
        runDirectory: run,
        member: { id: node, incarnation, ...self },
        store: identity.store,
        returning: !isNew,
        runtime,
        ...stores,
        ringFiles: openRingFiles(run),
        log,
        onStopped: resolve,
      })
      signals.onTerminate = () => storageNode.leave()
      runtime.attach(storageNode)
      storageNode.start()
      if (signals.isTerminated) storageNode.leave()
    })
  } finally {
    signals.onTerminate = () => {}
    await runtime.close()
    forget()
  }
}

async function identify(
  engine: Engine,
  { node, swarm }: Pick<NodeEnrollOk, 'swarm' | 'node'>,
): Promise<{ identity: Identity; isNew: boolean }> {
  return await new Promise((resolve, reject) => {
    claimIdentity(engine, { swarm, node, store: randomUUID() }, (error, identity, isNew) => {
      if (identity === undefined) reject(error)
      else resolve({ identity, isNew })
    })
  })
}

/** A store that failed has said so already. */
async function closed(engine: Engine): Promise<void> {
  await new Promise<void>((resolve) => engine.close(() => resolve()))
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      run: { type: 'string' },
      data: { type: 'string' },
      node: { type: 'string', default: '' },
      logs: { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
    },
  })
  const { run, data, node, logs, 'log-level': logLevel } = values
  if (run === undefined || data === undefined) {
    throw new GTStoreError('INVALID_ARGUMENT', 'a node needs --run and --data')
  }
  process.exitCode = await runNode({ run, data, node, logs, logLevel })
}

if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) {
  main().catch((error: unknown) => {
    const message = error instanceof GTStoreError ? error.message : String(error)
    process.stderr.write(`gtstore node: ${message}\n`)
    const isDismissed = error instanceof GTStoreError && error.code === 'CHANGE_REFUSED'
    process.exitCode = isDismissed ? dismissedExitCode : 1
  })
}
