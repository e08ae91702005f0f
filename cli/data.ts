/**
 * `gtstore put|get|delete`: one call of the library each. Values are bytes here: what came from a
 * file or a pipe goes back out byte for byte, and a newline is added on a terminal only.
 */
import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { type Client, init } from '../client/index.js'
import { requireRunDirectory } from '../shared/os/reach.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import { CommandError, exitCodes } from './errors.js'
import { type Context, keyNamed } from './options.js'
import { catchSignals } from './signals.js'
import { valueBytesLimit } from './swarm-options.js'

interface CallFlags {
  readonly via?: string
  readonly timeout?: number
}

interface WriteFlags extends CallFlags {
  readonly writeQuorum?: number
}

interface GetFlags extends CallFlags {
  readonly readQuorum?: number
  readonly meta?: boolean
}

type Bytes = Client<Uint8Array, Buffer>

export async function put(
  context: Context,
  flags: WriteFlags,
  key: string,
  value: string,
): Promise<number> {
  const name = keyNamed(key)
  const bytes = await valueNamed(value)
  return withClient(context, flags, async (client, signal) => {
    const { version } = await client.put(name, bytes, { w: flags.writeQuorum, signal })
    if (context.output.json) context.output.result({ key, version }, () => '')
    return exitCodes.ok
  })
}

export async function get(context: Context, flags: GetFlags, key: string): Promise<number> {
  const name = keyNamed(key)
  return withClient(context, flags, async (client, signal) => {
    const found = await client.get(name, { r: flags.readQuorum, signal })
    if (found === undefined) {
      const next = `\`${context.command} put\` stores one; keys are compared byte for byte`
      throw new CommandError(exitCodes.keyNotFound, `there is no key ${JSON.stringify(key)}`, next)
    }
    const { value, version, node } = found
    if (context.output.json) {
      context.output.result({ key, value: asJson(value), version, node }, () => '')
      return exitCodes.ok
    }
    await context.output.bytes(value)
    if (process.stdout.isTTY) await context.output.bytes(Buffer.from('\n'))
    if (flags.meta === true) context.output.note(`version ${version}\nnode ${node}`)
    return exitCodes.ok
  })
}

export async function remove(context: Context, flags: WriteFlags, key: string): Promise<number> {
  const name = keyNamed(key)
  return withClient(context, flags, async (client, signal) => {
    const { existed } = await client.delete(name, { w: flags.writeQuorum, signal })
    context.output.result({ key, existed }, () => `existed: ${existed}`)
    return exitCodes.ok
  })
}

async function withClient(
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

/** Text as it is; bytes that are no text as base64, in an object, so that nothing else looks alike. */
function asJson(value: Uint8Array): string | { base64: string } {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') }
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
