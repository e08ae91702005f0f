/**
 * `gtstore delete`: one key, or with --node and --all many: what a scan meets is deleted, key by key,
 * each from all its owners as a single delete would. A write that comes meanwhile may be met or not.
 */
import { openAdmin } from '../client/admin.js'
import { scan } from '../client/scan.js'
import { requireRunDirectory } from '../shared/os/reach.js'
import type { NodeId } from '../shared/ring/description.js'
import { type Bytes, type CallFlags, wishesOf, withClient } from './data.js'
import { CommandError, exitCodes, ofRead } from './errors.js'
import { deletesInFlight } from './limits.js'
import { type Context, keyNamed } from './options.js'

export interface DeleteFlags extends CallFlags {
  readonly writeQuorum?: number
  readonly ifPresent?: boolean
  readonly ifVersion?: string
  readonly context?: string
  readonly node?: NodeId
  readonly all?: boolean
  readonly yes?: boolean
}

export async function remove(
  context: Context,
  flags: DeleteFlags,
  key: string | undefined,
): Promise<number> {
  const many = flags.node !== undefined || flags.all === true
  if (many === (key !== undefined) || (flags.node !== undefined && flags.all === true)) {
    const next = 'name one key, or all that a node stores (--node ID), or all there are (--all)'
    throw new CommandError(exitCodes.usage, 'what is to be deleted is not clear', next)
  }
  if (key === undefined) return removeMany(context, flags)
  const name = keyNamed(key)
  return withClient(context, flags, async (client, signal) => {
    const { existed } = await client.delete(name, { ...wishesOf(flags), signal })
    context.output.result({ key, existed }, () => `existed: ${existed}`)
    return exitCodes.ok
  })
}

async function removeMany(context: Context, flags: DeleteFlags): Promise<number> {
  const { node, yes, ifPresent, ifVersion } = flags
  refuseConditions(ifPresent === true || ifVersion !== undefined || flags.context !== undefined)
  const { run, output, command } = context
  requireRunDirectory(run)
  await using admin = await openAdmin({ run })
  return await withClient(context, flags, async (client, signal) => {
    const pairs = readings(scan({ source: admin, mode: client.mode, node }))
    if (yes !== true) {
      const count = await countOf(pairs)
      const what = node === undefined ? 'in the swarm' : `on ${node}, from every owner`
      const which = node === undefined ? '--all' : `--node ${node}`
      throw new CommandError(
        exitCodes.usage,
        `this deletes every key ${what}: ${count} now`,
        `say so with --yes; \`${command} scan ${which}\` shows them`,
      )
    }
    const { deleted, isWhole } = await removeAll(client, pairs, flags.writeQuorum, signal)
    output.result({ deleted }, () => `deleted: ${deleted}`)
    if (isWhole) return exitCodes.ok
    output.note(
      'gtstore: interrupted: deletes that were under way may still happen; the same command ' +
        'deletes the rest',
    )
    return exitCodes.interrupted
  })
}

function refuseConditions(asked: boolean): void {
  if (!asked) return
  const next = 'leave out --if-present, --if-version and --context, or name one key'
  throw new CommandError(exitCodes.usage, 'a condition is for one key', next)
}

/** Where the scan fails, no write of ours has. */
async function* readings<T>(pairs: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* pairs
  } catch (error) {
    throw ofRead(error)
  }
}

async function countOf(pairs: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of pairs) count++
  return count
}

/**
 * So many at once. `deleted`: how many had a value. Ends with the first failure: the command can be
 * repeated. Interrupted it is not whole.
 */
async function removeAll(
  client: Bytes,
  pairs: AsyncIterable<{ readonly key: Uint8Array }>,
  w: number | undefined,
  signal: AbortSignal,
): Promise<{ readonly deleted: number; readonly isWhole: boolean }> {
  let deleted = 0
  let failed = false
  const next = pairs[Symbol.asyncIterator]()
  const work = async () => {
    while (!failed) {
      const { done, value } = await next.next()
      if (done === true) return
      const { existed } = await client.delete(value.key, { w, signal }).catch((error) => {
        failed = true
        throw error
      })
      if (existed) deleted++
    }
  }
  try {
    await Promise.all(Array.from({ length: deletesInFlight }, work))
    return { deleted, isWhole: true }
  } catch (error) {
    if (!signal.aborted) throw error
    return { deleted, isWhole: false }
  }
}
