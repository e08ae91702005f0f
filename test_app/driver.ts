/**
 * The original driver, on real processes: every node of a swarm is replaced by a new one while its
 * clients stay, and nothing that they wrote is lost.
 *
 *   start a manager and 2N nodes; K clients, each a process, put, get and overwrite a key of their own
 *   replace all 2N nodes one by one: SIGTERM one, start another
 *   every client gets its key and must see its last write
 *   let all nodes leave, end clients and manager
 */
import { type Client, init } from '../client/index.js'
import type { NodeId } from '../shared/ring/description.js'
import { ClientProcess } from './client-process.js'
import { Swarm } from './swarm.js'
import { VerifiedLoad } from './verified-load.js'

export interface DriverOptions {
  readonly replicas: number
  readonly readQuorum: number
  readonly writeQuorum: number
  readonly clients: number
  /** Calls in flight of the verified background traffic; 0: none. */
  readonly load: number
  readonly say: (line: string) => void
}

/** What each node stores, by node and key. */
type Contents = ReadonlyMap<NodeId, ReadonlyMap<string, string>>

const loadKeys = 2_000

/** Runs the scenario; resolves to what went wrong, nothing if all is well. */
export async function runDriver(options: DriverOptions): Promise<string[]> {
  const driver = new Driver(options)
  try {
    await driver.run()
  } finally {
    await driver.end()
  }
  return driver.faults
}

class Driver {
  readonly faults: string[] = []
  readonly #options: DriverOptions
  #swarm: Swarm | undefined
  #clients: ClientProcess[] = []
  #traffic: Client[] = []

  constructor(options: DriverOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { replicas, readQuorum, writeQuorum, say } = this.#options
    const nodes = 2 * replicas
    say(`start a manager and ${nodes} nodes, N=${replicas} R=${readQuorum} W=${writeQuorum}`)
    const swarm = await Swarm.start({ nodes, replicas, readQuorum, writeQuorum })
    this.#swarm = swarm
    await this.#startClients(swarm)
    await this.#write()
    await this.#show(swarm, 'what each node stores before the replacements')
    const load = await this.#startLoad(swarm)
    await this.#replaceAll(swarm)
    await this.#stopLoad(load)
    await this.#show(swarm, 'what each node stores after them')
    await this.#read('after the replacements', 2)
    await this.#leaveAll(swarm)
  }

  /** Ends whatever still runs. */
  async end(): Promise<void> {
    for (const client of this.#clients) client.kill()
    await this.#swarm?.destroy()
  }

  async #startClients(swarm: Swarm): Promise<void> {
    const { clients, say } = this.#options
    this.#clients = await Promise.all(
      Array.from({ length: clients }, () => ClientProcess.start(swarm.run)),
    )
    const ids = this.#clients.map((client) => client.id)
    say(`start ${clients} clients, each a process; the manager calls them ${ids.join(', ')}`)
    if (new Set(ids).size !== clients) this.faults.push(`client ids are not unique: ${ids}`)
  }

  async #write(): Promise<void> {
    const { say } = this.#options
    say('each client: put version 0, get, put versions 1 and 2 back to back, get')
    await this.#putAll(0)
    await this.#read('after the first put', 0)
    await this.#putAll(1, 2)
    await this.#read('after two puts back to back', 2)
  }

  async #putAll(...versions: readonly number[]): Promise<void> {
    await Promise.all(
      this.#clients.map(async (client, index) => {
        for (const version of versions) await client.put(keyOf(index), writtenValue(index, version))
      }),
    )
  }

  /** Every client gets its own key, and the key of its neighbour. */
  async #read(when: string, version: number): Promise<void> {
    const count = this.#clients.length
    await Promise.all(
      this.#clients.map(async (client, own) => {
        for (const index of new Set([own, (own + 1) % count])) {
          const value = await client.get(keyOf(index))
          const expected = writtenValue(index, version)
          if (value === expected) continue
          this.faults.push(`${when}, client ${client.id} got ${value} instead of ${expected}`)
        }
      }),
    )
    this.#options.say(`  ${count} clients read version ${version} ${when}`)
  }

  async #startLoad(swarm: Swarm): Promise<VerifiedLoad | undefined> {
    const { load: inFlight, say } = this.#options
    if (inFlight === 0) return undefined
    say(`verified traffic, ${inFlight} calls in flight over ${loadKeys} keys`)
    const [writer, reader] = await Promise.all([init({ dir: swarm.run }), init({ dir: swarm.run })])
    this.#traffic = [writer, reader]
    const load = new VerifiedLoad({ writer, reader, keys: loadKeys, inFlight })
    await load.preload()
    load.start()
    return load
  }

  async #stopLoad(load: VerifiedLoad | undefined): Promise<void> {
    if (load === undefined) return
    await load.stop()
    await load.verify()
    const { operations, failed, wrong, missing, examples } = load.verdict
    const result = `${failed} failed, ${wrong} wrong, ${missing} missing`
    this.#options.say(`  ${operations} operations of verified traffic: ${result}`)
    if (failed + wrong + missing > 0) this.faults.push(`traffic: ${result}`, ...examples)
    await Promise.all(this.#traffic.map((client) => client.finalize()))
  }

  async #replaceAll(swarm: Swarm): Promise<void> {
    const { say } = this.#options
    const old = (await swarm.status()).nodes.map((node) => node.id)
    say(`replace all ${old.length} nodes, one by one`)
    for (const leaver of old) {
      await swarm.leave(leaver)
      const joiner = await swarm.addNode()
      say(`  ${leaver} left, ${joiner} joined, epoch ${(await swarm.status()).epoch}`)
      if (old.includes(joiner)) this.faults.push(`the id ${joiner} was used twice`)
    }
  }

  /** Prints a table, and checks that each client's key has N copies. */
  async #show(swarm: Swarm, title: string): Promise<void> {
    const { clients, replicas, say } = this.#options
    const contents = await contentsOf(swarm)
    say(`${title}:`)
    for (const line of tableOf(contents, clients)) say(`  ${line}`)
    for (let index = 0; index < clients; index++) {
      const copies = [...contents.values()].filter((stored) => stored.has(keyOf(index))).length
      if (copies === replicas) continue
      this.faults.push(`${title}: ${copies} copies of ${keyOf(index)} instead of ${replicas}`)
    }
  }

  /** The last one keeps its data and stops; nobody is left to take it. */
  async #leaveAll(swarm: Swarm): Promise<void> {
    const { say } = this.#options
    const nodes = (await swarm.status()).nodes.map((node) => node.id)
    for (const node of nodes) await swarm.leave(node)
    say(`all ${nodes.length} nodes left`)
    await Promise.all(this.#clients.map((client) => client.end()))
    this.#clients = []
    await swarm.down()
    say('clients and manager ended')
    if (swarm.pids.length > 0) this.faults.push(`processes left: ${swarm.pids}`)
  }
}

async function contentsOf(swarm: Swarm): Promise<Contents> {
  const { nodes } = await swarm.status()
  const rows = nodes.map(async ({ id }) => [id, await swarm.contents(id)] as const)
  return new Map(await Promise.all(rows))
}

/** A row a node: how many keys it stores, and which version of each client's key. */
function tableOf(contents: Contents, clients: number): string[] {
  const keys = Array.from({ length: clients }, (_, index) => keyOf(index))
  const head = ['node', 'keys', ...keys]
  const rows = [...contents].map(([node, stored]) => [
    node,
    String(stored.size),
    ...keys.map((key) => stored.get(key)?.replace(/^.*_(?=version=)/, '') ?? '-'),
  ])
  const widthOf = (column: number) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0))
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widthOf(column)))
      .join('  ')
      .trimEnd(),
  )
}

function keyOf(client: number): string {
  return `test_key_${client}`
}

function writtenValue(client: number, version: number): string {
  return `test_val_${client}_version=${version}`
}
