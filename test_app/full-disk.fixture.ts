/**
 * A swarm of real processes on a disk of its own that fills up. A program by itself: it is run inside a
 * namespace, where it may mount such a disk. Prints what it found as one line of JSON.
 *
 * Arguments: the directory where the disk is mounted, and what is to happen:
 * `reserve`: the disk is filled to a little below the reserve, and emptied again;
 * `brim`: nothing is left on it in the middle of writing, whatever that does to the processes.
 */
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Client, init } from '../client/index.js'
import type { NodeId } from '../shared/ring/description.js'
import { each } from './swarm.fixture.js'
import { Swarm } from './swarm.js'
import { until } from './until.js'

export interface FullDiskFindings {
  /** Codes of the puts that failed. */
  readonly codes: readonly string[]
  /** Keys whose value is not what was acknowledged (or tried since) ... */
  readonly wrongWhileFull: readonly string[]
  readonly wrongAfter: readonly string[]
  /** Puts that were acknowledged before, and once there was room again. */
  readonly before: number
  readonly after: number
  /** Nodes that said of themselves, while there was no room, that they take no writes. */
  readonly readOnly: number
  /** Processes that ended while there was no room. */
  readonly ended: number
}

const nodes = 4
const keys = 300
const valueBytes = 2_000
const waitMs = 60_000
const failuresEnough = 100

/** What each key was given: the last acknowledged value, and what was tried after it. */
class Ledger {
  readonly #client: Client
  readonly #values = new Map<string, { acknowledged: string; tried: string[] }>()
  readonly codes = new Set<string>()
  acknowledged = 0
  failed = 0
  #count = 0

  constructor(client: Client) {
    this.#client = client
  }

  async put(index: number): Promise<void> {
    const key = `key${index}`
    const value = `${++this.#count}`.padEnd(valueBytes, '.')
    const kept = this.#values.get(key) ?? { acknowledged: '', tried: [] }
    this.#values.set(key, kept)
    kept.tried.push(value)
    try {
      await this.#client.put(key, value)
      kept.acknowledged = value
      kept.tried = []
      this.acknowledged += 1
    } catch (error) {
      this.failed += 1
      this.codes.add((error as { code?: string }).code ?? String(error))
    }
  }

  async wrong(): Promise<string[]> {
    const wrong: string[] = []
    const all = [...this.#values]
    await each(all.length, async (index) => {
      const [key, { acknowledged, tried }] = all[index] as (typeof all)[number]
      const found = (await this.#client.get(key))?.value ?? ''
      if (found !== acknowledged && !tried.includes(found)) wrong.push(key)
    })
    return wrong
  }
}

/** A file that leaves so much of the disk free. */
class Ballast {
  readonly #disk: string
  readonly #file: string

  constructor(disk: string) {
    this.#disk = disk
    this.#file = join(disk, 'ballast')
  }

  leave(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.#disk)
    writeFileSync(this.#file, Buffer.alloc(Math.max(0, bavail * bsize - bytes)))
  }

  drop(): void {
    rmSync(this.#file)
  }
}

async function run(disk: string, story: string): Promise<FullDiskFindings> {
  const swarm = await Swarm.start({ nodes, durability: 'sync', data: join(disk, 'data') })
  try {
    const client = await init({ dir: swarm.run, timeoutMs: 2_000 })
    const findings = await tell(swarm, client, new Ballast(disk), story)
    await client.finalize()
    return findings
  } finally {
    await swarm.destroy()
  }
}

async function tell(
  swarm: Swarm,
  client: Client,
  ballast: Ballast,
  story: string,
): Promise<FullDiskFindings> {
  const ledger = new Ledger(client)
  await each(keys, (index) => ledger.put(index))
  const before = ledger.acknowledged
  const ids = (await swarm.status()).nodes.map(({ id, pid }) => ({ id, pid }))
  const { readOnly, wrongWhileFull } =
    story === 'reserve' ? await low(swarm, ledger, ballast) : await brim(ledger, ballast)
  const running = new Set(swarm.pids)
  const ended: NodeId[] = ids.filter(({ pid }) => !running.has(pid)).map(({ id }) => id)
  ballast.drop()
  if (ended.length > 0) {
    if (!running.has(swarm.managerPid)) await swarm.startManager()
    for (const id of ended) swarm.spawnNode(id)
    await swarm.settled(nodes)
  }
  await until('nodes that take writes', waitMs, async () => {
    const report = await swarm.status()
    return report.nodes.every((node) => !node.readOnly && node.state === 'active')
  })
  const acknowledged = ledger.acknowledged
  const codes = [...ledger.codes]
  await each(keys, (index) => ledger.put(index))
  return {
    codes,
    wrongWhileFull,
    wrongAfter: await ledger.wrong(),
    before,
    after: ledger.acknowledged - acknowledged,
    readOnly,
    ended: ended.length,
  }
}

/** Reads while the disk is below its reserve. */
async function low(swarm: Swarm, ledger: Ledger, ballast: Ballast) {
  ballast.leave(2 * 1024 * 1024)
  const readOnly = await until('nodes that take no writes', waitMs, async () => {
    const report = await swarm.status()
    const count = report.nodes.filter((node) => node.readOnly).length
    return count === nodes && count
  })
  await each(10, (index) => ledger.put(index))
  return { readOnly, wrongWhileFull: await ledger.wrong() }
}

/** Writes on while nothing is left, until so much of it has failed. */
async function brim(ledger: Ledger, ballast: Ballast) {
  const load = each(keys * 100, async (index) => {
    if (ledger.failed < failuresEnough) await ledger.put(index % keys)
  })
  ballast.leave(0)
  await load
  return { readOnly: 0, wrongWhileFull: [] }
}

const [disk, story] = process.argv.slice(2)
if (disk === undefined || story === undefined) throw new Error('needs a disk and a story')
process.stdout.write(`${JSON.stringify(await run(disk, story))}\n`)
