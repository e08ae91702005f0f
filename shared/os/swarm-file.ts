/**
 * The options a swarm was founded with, beside its data: `up` after `down` finds them there, and
 * options that contradict them are refused instead of being lost.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { GTStoreError } from '../protocol/errors.js'
import { evictAfterMsDefault } from '../runtime/limits.js'
import { freeBytes, isNoSpace } from './disk-space.js'

const swarmFileFormat = 1
const fileName = 'swarm.json'

const positive = v.pipe(v.number(), v.integer(), v.minValue(1))
const optionsSchema = v.object({
  swarm: v.string(),
  nodes: positive,
  replicas: positive,
  readQuorum: positive,
  writeQuorum: positive,
  virtualNodes: positive,
  durability: v.picklist(['sync', 'write', 'memory']),
  restart: v.picklist(['on-failure', 'never']),
  valueBytesMax: positive,
  evictAfterMs: v.optional(positive, evictAfterMsDefault),
  sloppy: v.optional(v.boolean(), false),
  /** 0: as fast as it can. */
  handoffBytesPerSecond: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
  mode: v.optional(v.picklist(['latest', 'siblings', 'chain']), 'latest'),
  logOperations: v.optional(v.boolean(), false),
})

export type SwarmOptions = Readonly<v.InferOutput<typeof optionsSchema>>

export function swarmFilePath(data: string): string {
  return join(data, fileName)
}

/** Undefined for a swarm that was never up. */
export function readSwarmFile(data: string): SwarmOptions | undefined {
  const path = swarmFilePath(data)
  let stored: { format?: unknown }
  try {
    stored = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw damaged(path, cause)
  }
  if (stored?.format !== swarmFileFormat) {
    throw new GTStoreError(
      'VERSION_MISMATCH',
      `${path} has format ${JSON.stringify(stored?.format) ?? 'unknown'}, this program reads ` +
        `format ${swarmFileFormat}: use the version of gtstore that wrote it`,
    )
  }
  const parsed = v.safeParse(optionsSchema, stored)
  if (!parsed.success) throw damaged(path, new Error(v.summarize(parsed.issues)))
  return parsed.output
}

/** Replaces the file as a whole, durably. */
export function writeSwarmFile(data: string, options: SwarmOptions): void {
  const path = swarmFilePath(data)
  const draft = `${path}.draft`
  const text = `${JSON.stringify({ format: swarmFileFormat, ...options }, undefined, 2)}\n`
  try {
    synced(draft, 'w', (descriptor) => writeFileSync(descriptor, text))
    renameSync(draft, path)
    synced(data, 'r', () => {})
  } catch (cause) {
    const code = isNoSpace(cause) ? 'DISK_FULL' : 'STORAGE_FAILED'
    const free = freeBytes(data) ?? 'unknown'
    const message = `cannot write ${path}: ${(cause as Error).message} (${free} bytes are free)`
    throw new GTStoreError(code, message, { cause })
  }
}

function synced(path: string, flags: string, use: (descriptor: number) => void): void {
  const descriptor = openSync(path, flags, 0o600)
  try {
    use(descriptor)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function damaged(path: string, cause: unknown): GTStoreError {
  return new GTStoreError(
    'STORAGE_FAILED',
    `${path} cannot be read: ${(cause as Error).message}; correct or delete it`,
    { cause },
  )
}
