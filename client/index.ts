/// <reference types="node" preserve="true" />
/**
 * GTStore's library: `init` connects to a swarm of this machine, the client puts, gets and deletes.
 *
 * ```ts
 * import { init } from 'gtstore'
 * const store = await init()
 * await store.put('city', 'Bochum')
 * const found = await store.get('city') // { value: 'Bochum', version: '1.841.5f…', node: 'n2' }
 * await store.finalize() // or declare it with `await using`
 * ```
 *
 * An open client does not keep its process alive, a call without an outcome does.
 */
import { randomBytes } from 'node:crypto'
import { swarmDirectories } from '../shared/os/directories.js'
import { cannotConnect, checkRunDirectory } from '../shared/os/reach.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { openSocketRuntime, type SocketRuntime } from '../shared/os/sockets.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import { callTimeoutMs } from '../shared/runtime/limits.js'
import type { RingFiles } from '../shared/runtime/ports.js'
import type { Log } from '../shared/runtime/runtime.js'
import type { Client, InitOptions } from './api.js'
import { ClientCore } from './core.js'
import { encodingNamed } from './encodings.js'
import { checkOptions, checkText } from './options.js'
import { timeoutRefusal } from './refusals.js'
import { aborted, cancelOn } from './signals.js'
import { type Connections, SwarmClient } from './swarm-client.js'

export type { Mode } from '../shared/data/mode.js'
export { type ErrorCode, GTStoreError } from '../shared/protocol/errors.js'
export type {
  CallOptions,
  Client,
  Conditions,
  DeleteOptions,
  ExplainedOwner,
  Explanation,
  Found,
  GetOptions,
  InitOptions,
  Key,
  PutOptions,
  UpdateOptions,
  WriteOptions,
  Written,
} from './api.js'
export type { ValueEncoding, ValueTypes } from './encodings.js'

/**
 * Connects to a swarm. Asks its manager for an id and a forwarder; where that is down, one of the
 * nodes that the published ring names. Fails with CANNOT_CONNECT when neither works within
 * `timeoutMs`.
 */
export function init(options?: InitOptions<'utf8'>): Promise<Client<string>>
export function init(options: InitOptions<'buffer'>): Promise<Client<Uint8Array, Buffer>>
export function init<T = unknown>(options: InitOptions<'json' | 'cbor'>): Promise<Client<T>>
export async function init(options: InitOptions = {}): Promise<Client<unknown>> {
  checkOptions('init', options)
  const { timeoutMs = callTimeoutMs, valueEncoding = 'utf8', via, signal } = options
  const encoding = encodingNamed(valueEncoding)
  const refusal = timeoutRefusal(timeoutMs)
  if (refusal !== undefined) throw refusal
  checkText('swarm', options.swarm)
  checkText('via', via)
  const { run } = swarmDirectories({ swarm: options.swarm, dir: options.dir })
  checkRunDirectory(run)
  const writer = randomBytes(8).toString('hex')
  const runtime = await openSocketRuntime({
    run,
    self: `c-${writer}`,
    listen: false,
    log: silent,
    valueBytesMax: valueBytesCap,
    unref: true,
    isOurs: (swarm) => core.isOurs(swarm),
    onRefused: (_peer, error) => core.refused(error),
  })
  const ringFiles = readable(openRingFiles(run))
  const core = new ClientCore({ runtime, ringFiles, writer, via, timeoutMs, log: silent })
  runtime.attach(core)
  runtime.ref()
  try {
    await register(core, timeoutMs, signal)
  } catch (error) {
    await close(runtime)
    const isUnreached = error instanceof GTStoreError && error.code === 'CANNOT_CONNECT'
    throw isUnreached ? cannotConnect(run, error) : error
  }
  runtime.unref()
  return new SwarmClient(core, connectionsOf(runtime), encoding)
}

/** A ring file that cannot be read is as good as none: it must not end the user's process. */
function readable(ringFiles: RingFiles): Pick<RingFiles, 'newest'> {
  return {
    newest() {
      try {
        return ringFiles.newest()
      } catch {
        return undefined
      }
    },
  }
}

/** The swarm's limit may be above the default, and is known only once connected. */
const valueBytesCap = 512 * 1024 * 1024
/** A library writes nothing: what matters comes as errors. */
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

function connectionsOf(runtime: SocketRuntime): Connections {
  return {
    ref: () => runtime.ref(),
    unref: () => runtime.unref(),
    close: () => close(runtime),
  }
}

function register(
  core: ClientCore,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw aborted('init', signal)
    const release = signal && cancelOn(signal, () => reject(aborted('init', signal)))
    core.register(timeoutMs, (error) => {
      release?.()
      if (error === undefined) resolve()
      else reject(error)
    })
  })
}

/** The sockets alone would not keep the process alive until they are closed. */
async function close(runtime: SocketRuntime): Promise<void> {
  const keepAlive = setInterval(() => {}, 60_000)
  await runtime.close()
  clearInterval(keepAlive)
}
