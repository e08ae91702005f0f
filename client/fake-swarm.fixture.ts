/**
 * A manager and nodes that keep everything in one map, on real sockets in a directory of their own:
 * for tests of what stands between the user and the protocol.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Mode } from '../shared/data/mode.js'
import type { StoredRecord } from '../shared/data/record.js'
import { openSocketRuntime, type SocketRuntime } from '../shared/os/sockets.js'
import type { Get, Message, Put } from '../shared/protocol/messages.js'
import type { Address } from '../shared/runtime/runtime.js'
import { silent } from './scripted.fixture.js'

/** False: the request gets no answer of the usual kind. */
type Handler = (from: Address, message: Message, node: FakeProcess) => boolean

export interface FakeProcess {
  readonly address: Address
  readonly runtime: SocketRuntime
  readonly clients: Set<Address>
}

export interface FakeSwarm {
  readonly run: string
  readonly records: Map<string, StoredRecord>
  /** Those that run. */
  readonly processes: Set<FakeProcess>
  /** Of which swarm the nodes say they are that are started from now on; empty: they do not say. */
  swarm: string
  /** What the manager says of the swarm; each key holds one record in all of them. */
  mode: Mode
  /** Whom the manager names. */
  nodes: readonly Address[]
  /** Looks at every message first. */
  handler: Handler
  start(address: Address): Promise<FakeProcess>
  stop(address: Address): Promise<void>
}

/** Starts manager and nodes; they end with the test. */
export async function fakeSwarm(
  t: ExecutionContext,
  nodes: readonly Address[] = ['n1.1'],
): Promise<FakeSwarm> {
  const run = mkdtempSync(join(tmpdir(), 'gts-client-'))
  t.teardown(async () => {
    await Promise.all([...swarm.processes].map(({ address }) => swarm.stop(address)))
    rmSync(run, { recursive: true })
  })
  const swarm: FakeSwarm = {
    run,
    records: new Map(),
    processes: new Set(),
    swarm: '',
    mode: 'latest',
    nodes,
    handler: () => true,
    async start(address) {
      const options = { run, self: address, listen: true, log: silent }
      const said = address === 'manager' ? '' : swarm.swarm
      const runtime = await openSocketRuntime({ ...options, swarm: said })
      const fake: FakeProcess = { address, runtime, clients: new Set() }
      swarm.processes.add(fake)
      runtime.attach({
        opened: (peer) => fake.clients.add(peer),
        closed: (peer) => fake.clients.delete(peer),
        received(from, message) {
          if (swarm.handler(from, message, fake)) answer(swarm, fake, from, message)
        },
      })
      return fake
    },
    async stop(address) {
      for (const fake of swarm.processes) {
        if (fake.address !== address) continue
        swarm.processes.delete(fake)
        await fake.runtime.close()
      }
    },
  }
  for (const address of ['manager', ...nodes]) await swarm.start(address)
  return swarm
}

function answer(swarm: FakeSwarm, { runtime }: FakeProcess, from: Address, message: Message): void {
  if (message.kind === 'client.register') {
    runtime.send(from, {
      kind: 'client.register.ok',
      mode: swarm.mode,
      id: message.id,
      client: 42,
      boot: 3,
      nodes: swarm.nodes,
      valueBytesMax: 100_000,
      replicas: 3,
    })
  } else if (message.kind === 'put') {
    put(swarm, message)
    runtime.send(from, { kind: 'put.ok', id: message.id })
  } else if (message.kind === 'write') {
    const { id, stamp: version } = message
    put(swarm, { ...message, version })
    runtime.send(from, { kind: 'write.ok', id, version })
  } else if (message.kind === 'get')
    runtime.send(from, { kind: 'get.ok', id: message.id, node: 'n1', ...held(swarm, message) })
}

function put(swarm: FakeSwarm, { key, value, version }: Pick<Put, 'key' | 'value' | 'version'>) {
  const kept = value === null ? null : Uint8Array.from(value)
  swarm.records.set(Buffer.from(key).toString('hex'), { value: kept, version })
}

function held(swarm: FakeSwarm, { key }: Get) {
  const record = swarm.records.get(Buffer.from(key).toString('hex'))
  return record === undefined || record.value === null ? { value: null, version: null } : record
}
