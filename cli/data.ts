/**
 * `gtstore put|get|delete|create|read|update`: one call of the library each. Values are bytes here: what
 * came from a file or a pipe goes back out byte for byte, and a newline is added on a terminal only.
 */
import { readFileSync, statSync } from 'node:fs'
import { type Client, type Found, init } from '../client/index.js'
import { requireRunDirectory } from '../shared/os/reach.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import { CommandError, exitCodes } from './errors.js'
import { explain } from './explain.js'
import { type Context, keyNamed } from './options.js'
import { asJson } from './output.js'
import { quoted } from './quoting.js'
import { catchSignals } from './signals.js'
import { valueBytesLimit } from './swarm-options.js'

export interface CallFlags {
  readonly via?: string
  readonly timeout?: number
}

interface WriteFlags extends CallFlags {
  readonly writeQuorum?: number
}

interface PutFlags extends WriteFlags {
  readonly ifAbsent?: boolean
  readonly ifPresent?: boolean
  readonly ifVersion?: string
  readonly context?: string
}

interface GetFlags extends CallFlags {
  readonly readQuorum?: number
  readonly meta?: boolean
  readonly explain?: boolean
}

export type Bytes = Client<Uint8Array, Buffer>

export function put(
  context: Context,
  flags: PutFlags,
  key: string,
  value: string,
): Promise<number> {
  return write(context, flags, key, value, (client, name, bytes, signal) =>
    client.put(name, bytes, { ...wishesOf(flags), signal }),
  )
}

export function create(
  context: Context,
  flags: WriteFlags,
  key: string,
  value: string,
): Promise<number> {
  return write(context, flags, key, value, (client, name, bytes, signal) =>
    client.create(name, bytes, { w: flags.writeQuorum, signal }),
  )
}

export function update(
  context: Context,
  flags: PutFlags,
  key: string,
  value: string,
): Promise<number> {
  const { writeQuorum: w, ifVersion, context: seen } = flags
  return write(context, flags, key, value, (client, name, bytes, signal) =>
    client.update(name, bytes, { w, ifVersion, context: seen, signal }),
  )
}

export function wishesOf({ writeQuorum, ifAbsent, ifPresent, ifVersion, context }: PutFlags) {
  return { w: writeQuorum, ifAbsent, ifPresent, ifVersion, context }
}

async function write(
  context: Context,
  flags: WriteFlags,
  key: string,
  value: string,
  work: (
    client: Bytes,
    name: Buffer,
    bytes: Uint8Array,
    signal: AbortSignal,
  ) => Promise<{ readonly version: string }>,
): Promise<number> {
  const name = keyNamed(key)
  const bytes = await valueNamed(value)
  return withClient(context, flags, async (client, signal) => {
    const { version } = await work(client, name, bytes, signal)
    if (context.output.json) context.output.result({ key, version }, () => '')
    return exitCodes.ok
  })
}

export async function get(context: Context, flags: GetFlags, key: string): Promise<number> {
  const name = keyNamed(key)
  return withClient(context, flags, async (client, signal) => {
    const options = { r: flags.readQuorum, signal }
    if (flags.explain === true) {
      return explain(context, key, await client.explain(name, options))
    }
    const found = await client.get(name, options)
    if (found === undefined) {
      const next = `\`${context.command} put\` stores one; keys are compared byte for byte`
      throw new CommandError(exitCodes.keyNotFound, `there is no key ${quoted(key)}`, next)
    }
    await show(context, key, found, flags.meta === true)
    return exitCodes.ok
  })
}

/** Siblings are told apart by lines: each ends with a newline where there are several. */
async function show(
  { output, command }: Context,
  key: string,
  { value, version, node, values, context }: Found<Buffer>,
  meta: boolean,
): Promise<void> {
  if (output.json) {
    const siblings = values && { values: values.map(asJson), context }
    output.result({ key, value: asJson(value), version, node, ...siblings }, () => '')
    return
  }
  const several = values !== undefined && values.length > 1
  for (const each of several ? values : [value]) {
    await output.bytes(each)
    if (several || process.stdout.isTTY) await output.bytes(Buffer.from('\n'))
  }
  if (meta) output.note(`version ${version}\nnode ${node}`)
  if (several) {
    const how = `\`${command} put --context\` puts one in their place`
    output.note(`${values.length} values were written at the same time, oldest first: ${how}`)
  }
  if (context !== undefined) output.note(`context ${context}`)
}

export async function withClient(
  { swarm, run }: Context,
  { via, timeout }: CallFlags,
  work: (client: Bytes, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  requireRunDirectory(run)
  const signals = catchSignals()
  const signal = signals.first
  const options = { swarm, dir: run, via, timeoutMs: timeout, signal }
  const client = await init({ ...options, valueEncoding: 'buffer' })
  try {
    return await work(client, signal)
  } finally {
    await finish(client, signal)
  }
}

/** Interrupted, nobody waits for what is still in flight. */
async function finish(client: Bytes, interrupted: AbortSignal): Promise<void> {
  if (!interrupted.aborted) await client.finalize()
}

/** `-` is stdin, `@file` a file, anything else the value itself. */
function valueNamed(argument: string): Uint8Array | Promise<Uint8Array> {
  if (argument === '-') return standardInput()
  return argument.startsWith('@') ? fileBytes(argument.slice(1)) : Buffer.from(argument)
}

function fileBytes(path: string): Uint8Array {
  try {
    refuseTooLarge(statSync(path).size, `file ${path}`)
    return readFileSync(path)
  } catch (error) {
    if (error instanceof GTStoreError) throw error
    throw new CommandError(
      exitCodes.failure,
      `cannot read the value: ${error instanceof Error ? error.message : String(error)}`,
      'name a file that can be read: @PATH; a value that begins with @ goes in by stdin: -',
    )
  }
}

async function standardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    length += chunk.length
    refuseTooLarge(length, 'what stdin holds')
  }
  return Buffer.concat(chunks, length)
}

/** No swarm takes more; its own limit is the client's to check. */
function refuseTooLarge(length: number, what: string): void {
  if (length <= valueBytesLimit) return
  const message = `${what} is over ${valueBytesLimit} bytes, more than any swarm stores as a value`
  throw new GTStoreError('TOO_LARGE', message)
}
