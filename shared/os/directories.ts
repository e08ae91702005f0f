/**
 * Where a swarm lives: a run directory for what dies with the host's session (sockets, ring files,
 * process files) and a data directory for what must outlive it (journal, stores, logs).
 *
 * Both are private: whoever can open the sockets owns the data, so a directory that someone else
 * prepared, or a symlink to one, is refused.
 */
import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { GTStoreError } from '../protocol/errors.js'
import type { Address } from '../runtime/runtime.js'

/** Node 20 silently cuts socket paths at 107 bytes, and two cut paths may be one. */
const socketPathBytesMax = 100
const swarmDefault = 'default'

export interface SwarmDirectories {
  readonly swarm: string
  readonly run: string
  readonly data: string
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Options win over GTSTORE_SWARM, GTSTORE_DIR and GTSTORE_DATA, and these over the defaults. A swarm
 * that is named by an option is never looked for where the environment says that another one is.
 */
export function swarmDirectories(
  options: {
    readonly swarm?: string | undefined
    readonly dir?: string | undefined
    readonly data?: string | undefined
  },
  environment: Environment = process.env,
): SwarmDirectories {
  const swarm = options.swarm ?? given(environment.GTSTORE_SWARM) ?? swarmDefault
  if (!/^[\w][\w.-]{0,63}$/.test(swarm)) {
    throw new GTStoreError(
      'INVALID_ARGUMENT',
      `swarm name ${JSON.stringify(swarm)}: use up to 64 letters, digits, '.', '_' and '-'`,
    )
  }
  const { GTSTORE_DIR, GTSTORE_DATA } = options.swarm === undefined ? environment : {}
  const run = named('dir', options.dir) ?? given(GTSTORE_DIR) ?? join(runRoot(environment), swarm)
  const data =
    named('data', options.data) ?? given(GTSTORE_DATA) ?? join(dataRoot(environment), swarm)
  return { swarm, run: resolve(run), data: resolve(data) }
}

/** An empty path would be the working directory, which nobody means by it. */
function named(option: 'dir' | 'data', path: string | undefined): string | undefined {
  if (path === undefined || (typeof path === 'string' && path !== '')) return path
  const message = `${option} is ${path === '' ? 'empty' : 'not a string'}: name a directory`
  throw new GTStoreError('INVALID_ARGUMENT', message)
}

/** An empty variable counts as not set, as the XDG specification has it. */
function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

function runRoot(environment: Environment): string {
  const runtime = given(environment.XDG_RUNTIME_DIR)
  return runtime === undefined ? sharedRunRoot() : join(runtime, 'gtstore')
}

function sharedRunRoot(): string {
  return join(tmpdir(), `gtstore-${process.getuid?.() ?? 0}`)
}

function dataRoot(environment: Environment): string {
  return join(given(environment.XDG_STATE_HOME) ?? join(homedir(), '.local', 'state'), 'gtstore')
}

/** Creates the run directory, or checks the one that is there. */
export function prepareRunDirectory(run: string): void {
  // The longest address decides, so that `up` fails at once and not when the first node starts.
  socketPath(run, 'n000000.000000')
  preparePrivate(run, '--dir or GTSTORE_DIR')
}

/** Creates the data directory, or checks the one that is there. */
export function prepareDataDirectory(data: string): void {
  preparePrivate(data, '--data or GTSTORE_DATA')
}

/** The socket of the process with this address. */
export function socketPath(run: string, address: Address): string {
  const path = join(run, `${address}.sock`)
  const length = Buffer.byteLength(path)
  if (length <= socketPathBytesMax) return path
  throw new GTStoreError(
    'INVALID_ARGUMENT',
    `socket path ${path} is ${length} bytes long, the system allows ${socketPathBytesMax}: ` +
      'name a shorter run directory with --dir or GTSTORE_DIR',
  )
}

function preparePrivate(path: string, option: string): void {
  const parent = dirname(path)
  // Where everyone may write, the parent must be ours as well, or it could be moved away.
  if (parent === sharedRunRoot()) createPrivate(parent, option)
  createPrivate(path, option)
}

function createPrivate(path: string, option: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
    makeUnlessThere(path)
  } catch (error) {
    throw new GTStoreError(
      'INVALID_ARGUMENT',
      `cannot create directory ${path}: ${(error as Error).message}; name another with ${option}`,
      { cause: error },
    )
  }
  const reason = refusalOf(path)
  if (reason !== undefined) {
    throw new GTStoreError(
      'INVALID_ARGUMENT',
      `directory ${path} is refused: ${reason}; name another with ${option}`,
    )
  }
}

/** Two processes of a swarm may start at once: what the other one made is checked like the rest. */
function makeUnlessThere(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function refusalOf(path: string): string | undefined {
  const stat = lstatSync(path)
  if (stat.isSymbolicLink()) return 'it is a symlink'
  if (!stat.isDirectory()) return 'it is not a directory'
  if (stat.uid !== process.getuid?.()) return `it belongs to user ${stat.uid}`
  if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700)
  return undefined
}
