/**
 * A swarm of real processes in a directory of its own, for the driver and the tests: one manager,
 * any number of nodes, each started, told to leave or killed one by one.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, openAdmin } from '../client/admin.js'
import { listProcesses } from '../shared/os/process-files.js'
import { programOf } from '../shared/os/programs.js'
import type { SwarmOptions } from '../shared/os/swarm-file.js'
import type { NodeReport, StatusReport } from '../shared/protocol/messages.js'
import { addressOf, type NodeId } from '../shared/ring/description.js'
import { Hopeless, until } from './until.js'

export type SwarmSetup = Partial<Omit<SwarmOptions, 'swarm' | 'restart'>> & {
  readonly nodes: number
  readonly logLevel?: string
  /** Where the data lies, if not beside the run directory; left there at the end. */
  readonly data?: string
}

/** Long enough for a starved host: passing tests never wait for it. */
const settleTimeoutMs = 60_000
/** How much of what a process printed is kept to explain its end. */
const printedCharactersMax = 4_000

export class Swarm {
  readonly run: string
  readonly data: string
  readonly #root: string
  readonly #options: SwarmOptions
  readonly #logLevel: string
  readonly #children = new Map<number, ChildProcess>()
  #printed = ''
  #admin: Admin | undefined
  #managerPid = 0

  private constructor(setup: SwarmSetup) {
    const replicas = setup.replicas ?? 3
    const majority = Math.floor(replicas / 2) + 1
    this.#root = mkdtempSync(join(tmpdir(), 'gtstore-test-'))
    this.run = join(this.#root, 'run')
    this.data = setup.data ?? join(this.#root, 'data')
    mkdirSync(this.run, { mode: 0o700 })
    mkdirSync(this.data, { mode: 0o700, recursive: true })
    this.#logLevel = setup.logLevel ?? 'info'
    this.#options = {
      swarm: 'test',
      nodes: setup.nodes,
      replicas,
      readQuorum: setup.readQuorum ?? majority,
      writeQuorum: setup.writeQuorum ?? majority,
      virtualNodes: setup.virtualNodes ?? 3,
      durability: setup.durability ?? 'memory',
      restart: 'never',
      valueBytesMax: setup.valueBytesMax ?? 8 * 1024 * 1024,
      evictAfterMs: setup.evictAfterMs ?? 30_000,
      sloppy: setup.sloppy ?? false,
      handoffBytesPerSecond: setup.handoffBytesPerSecond ?? 0,
      mode: setup.mode ?? 'latest',
      logOperations: setup.logOperations ?? false,
    }
  }

  /** Starts the manager and the nodes, and waits until the swarm serves. */
  static async start(setup: SwarmSetup): Promise<Swarm> {
    const swarm = new Swarm(setup)
    try {
      await swarm.startManager()
      for (let node = 0; node < setup.nodes; node++) swarm.spawnNode()
      await swarm.settled(setup.nodes)
      return swarm
    } catch (error) {
      await swarm.destroy()
      throw error
    }
  }

  async startManager(): Promise<void> {
    this.#managerPid = this.spawnManager().pid ?? 0
    await until('the manager', settleTimeoutMs, async () => {
      if (!this.#children.has(this.#managerPid)) {
        throw new Hopeless(`the manager ended: ${this.#printed}`)
      }
      return (await this.status()).manager?.pid === this.#managerPid
    })
  }

  spawnManager(...more: readonly string[]): ChildProcess {
    return this.#spawn('manager', ['--options', JSON.stringify(this.#options), ...more])
  }

  /** Starts a manager in waiting; resolves once it waits. */
  async startStandby(): Promise<ChildProcess> {
    const child = this.spawnManager('--standby')
    await until('the standby', settleTimeoutMs, async () =>
      listProcesses(this.run).some(({ role, pid }) => role === 'standby' && pid === child.pid),
    )
    return child
  }

  /** Resolves to the pid of the manager that follows the one known so far. */
  async nextManager(): Promise<number> {
    this.#managerPid = await until('another manager', settleTimeoutMs, async () => {
      const pid = (await this.status()).manager?.pid ?? this.#managerPid
      return pid === this.#managerPid ? undefined : pid
    })
    return this.#managerPid
  }

  get managerPid(): number {
    return this.#managerPid
  }

  /** Starts a node process: with an id the one that owns this id's data, without it a new one. */
  spawnNode(id?: NodeId): ChildProcess {
    return this.#spawn('storage', id === undefined ? [] : ['--node', id])
  }

  /** Starts a new node and waits until the swarm has taken it in. */
  async addNode(): Promise<NodeId> {
    const { nodes } = await this.status()
    const { pid } = this.spawnNode()
    const report = await this.settled(nodes.length + 1)
    const node = report.nodes.find((candidate) => candidate.pid === pid)
    if (node === undefined) throw new Error(`process ${pid} is not in the ring`)
    return node.id
  }

  /** Tells a node to leave, as any user would (SIGTERM), and waits until its process has ended. */
  async leave(id: NodeId): Promise<void> {
    const child = await this.#childOf(id)
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const [code, signal] = (await ended) as [number | null, string | null]
    if (code !== 0) {
      throw new Error(`${id} left with exit code ${code}, signal ${signal}\n${this.#printed}`)
    }
  }

  /** Sends a signal and, where it ends the process, waits for the end. */
  async signal(id: NodeId, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const child = await this.#childOf(id)
    await this.#send(child, signal)
  }

  async killManager(): Promise<void> {
    await this.signalManager('SIGKILL')
    await this.#closeAdmin()
  }

  async signalManager(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const manager = this.#children.get(this.#managerPid)
    if (manager !== undefined) await this.#send(manager, signal)
  }

  /** kill -9 of every process at once. */
  async killAll(): Promise<void> {
    await Promise.all([...this.#children.values()].map((child) => this.#send(child, 'SIGKILL')))
    await this.#closeAdmin()
  }

  /** Ends every process and keeps the data, as `gtstore down` does. */
  async down(): Promise<void> {
    const ended = [...this.#children.values()].map((child) => once(child, 'exit'))
    const admin = await this.admin()
    await admin.stop()
    await Promise.all(ended)
    await this.#closeAdmin()
  }

  /** Starts the manager and the nodes that the ring names, after a `down` or a kill. */
  async up(ids: readonly NodeId[]): Promise<void> {
    await this.startManager()
    for (const id of ids) this.spawnNode(id)
    await this.settled(ids.length)
  }

  async admin(): Promise<Admin> {
    this.#admin ??= await openAdmin({ run: this.run })
    return this.#admin
  }

  async status(): Promise<StatusReport> {
    try {
      return await (await this.admin()).status()
    } catch (error) {
      await this.#closeAdmin()
      throw error
    }
  }

  /** Waits until `count` nodes are active, the swarm serves and no change is queued. */
  settled(count: number): Promise<StatusReport> {
    return until(`${count} settled nodes`, settleTimeoutMs, async () => {
      const report = await this.status()
      const active = report.nodes.filter((node) => node.state === 'active')
      if (active.length === count && report.nodes.length === count && isQuiet(report)) return report
      throw new Error(`${JSON.stringify(report)}\n${this.#printed}`)
    })
  }

  async node(id: NodeId): Promise<NodeReport> {
    const node = (await this.status()).nodes.find((candidate) => candidate.id === id)
    if (node === undefined) throw new Error(`${id} is not in the ring`)
    return node
  }

  /** What a node stores, live keys only. */
  async contents(id: NodeId): Promise<Map<string, string>> {
    const admin = await this.admin()
    const stored = new Map<string, string>()
    for await (const { key, record } of admin.dump(addressOf(await this.node(id)))) {
      if (record.value !== null) stored.set(text(key), text(record.value))
    }
    return stored
  }

  childOf(pid: number): ChildProcess {
    const child = this.#children.get(pid)
    if (child === undefined) throw new Error(`process ${pid} is not one of ours`)
    return child
  }

  /** Pids of all processes that were started and have not ended. */
  get pids(): number[] {
    return [...this.#children.keys()]
  }

  /** What the processes printed last beside their logs: normally nothing. */
  get printed(): string {
    return this.#printed
  }

  /** Ends everything at once and removes the directory. */
  async destroy(): Promise<void> {
    await this.killAll()
    rmSync(this.#root, { recursive: true, force: true })
  }

  async #closeAdmin(): Promise<void> {
    const admin = this.#admin
    this.#admin = undefined
    await admin?.close()
  }

  async #childOf(id: NodeId): Promise<ChildProcess> {
    return this.childOf((await this.node(id)).pid)
  }

  async #send(child: ChildProcess, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const ended = once(child, 'exit')
    child.kill(signal)
    if (signal === 'SIGKILL') await ended
  }

  #spawn(folder: 'manager' | 'storage', more: readonly string[]): ChildProcess {
    const tether = new URL('tether.js', import.meta.url).href
    const program = programOf(folder)
    const place = ['--run', this.run, '--data', this.data, '--log-level', this.#logLevel]
    const child = spawn(process.execPath, ['--import', tether, program, ...place, ...more], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    const pid = child.pid
    if (pid === undefined) throw new Error(`cannot start ${program}`)
    this.#children.set(pid, child)
    child.once('exit', () => this.#children.delete(pid))
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        this.#printed = (this.#printed + String(chunk)).slice(-printedCharactersMax)
      })
    }
    return child
  }
}

/** Only the manager knows what is queued. */
function isQuiet(report: StatusReport): boolean {
  const isOver = ({ state }: { state: string }) => state === 'done' || state === 'aborted'
  return report.manager !== null && report.state === 'serving' && report.changes.every(isOver)
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
