/**
 * The simulator's question put to real processes: under kill -9, SIGSTOP, lost managers and
 * supervisors, joins, leaves and starved processors, is every answer right and is nothing lost?
 *
 * Clients in processes of their own record what they asked and what they were told; in the end the
 * swarm is left in peace, must verify clean, every key is read once more, and the checker judges the
 * whole history. What strikes when comes from the seed; the processes answer in their own time, so a
 * seed repeats the schedule and not the run.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Mode } from '../shared/data/mode.js'
import { Random } from '../sim/random.js'
import { drawFault, type Fault } from './faults.js'
import { type Call, judgeAnswers, tellingCalls } from './history.js'
import { Victim } from './victim.js'
import type { WorkerCommand, WorkerOptions, WorkerReport } from './worker.js'

export interface NemesisOptions {
  readonly mode: Mode
  readonly seed: number
  readonly seconds: number
  readonly nodes: number
  readonly clients: number
  note(line: string): void
}

export interface Verdict {
  readonly mode: Mode
  readonly seed: number
  readonly operations: number
  readonly answered: number
  /** Of mode `siblings` gets of several, of `chain` writes whose condition failed. */
  readonly telling?: number | undefined
  readonly registrations: number
  /** How often each fault took effect. */
  readonly faults: Readonly<Record<string, number>>
  readonly slowestMs: number
  /** Empty: passed. */
  readonly failures: readonly string[]
}

/** A run that does less proves nothing. */
const answeredPerSecondMin = 40
const tellingPerSecondMin = 1
const faultsPerMinuteMin = 12
const kindsMin = 4

const windowMs = 2_000
const keysPerWindow = 6
const inFlight = 4
const evictAfter = '8s'
const flagsOf: Readonly<Record<Mode, readonly string[]>> = {
  latest: [],
  siblings: ['--conflicts', 'siblings'],
  chain: ['--replication', 'chain'],
}
const settleSeconds = 120

export async function runNemesis(options: NemesisOptions): Promise<Verdict> {
  const { mode, seed, seconds, nodes, clients, note } = options
  const random = new Random(seed, 'nemesis')
  const victim = new Victim(nodes, ['--evict-after', evictAfter, ...flagsOf[mode]])
  const workers: WorkerProcess[] = []
  try {
    await victim.up()
    for (let index = 1; index <= clients; index++) {
      const name = `c${index}`
      const shared = { dir: victim.run, mode, seed, inFlight, windowMs, keysPerWindow }
      workers.push(new WorkerProcess({ name, ...shared }))
    }
    const struck = await strike(victim, random, seconds, note)
    note('the faults stop')
    const failures = await settle(victim)
    const keys = [...new Set(workers.flatMap(({ calls }) => calls.map(({ key }) => key)))]
    await Promise.all(workers.map((worker) => worker.stop()))
    const [reader] = workers
    await reader?.readAll(keys)
    await Promise.all(workers.map((worker) => worker.end()))
    return judge({ mode, seed, seconds, workers, struck, failures })
  } finally {
    for (const worker of workers) worker.kill()
    await victim.end()
  }
}

/** Strikes until the time is over; long faults go on beside the next ones. */
async function strike(
  swarm: Victim,
  random: Random,
  seconds: number,
  note: (line: string) => void,
): Promise<Record<string, number>> {
  const struck: Record<string, number> = {}
  const open = new Set<Promise<void>>()
  const end = performance.now() + seconds * 1000
  const one = async (fault: Fault) => {
    const since = Math.round(seconds - (end - performance.now()) / 1000)
    const did = await fault.strike({ swarm, random })
    if (did === undefined) return
    struck[fault.name] = (struck[fault.name] ?? 0) + 1
    note(`${since} s: ${fault.name}: ${did}`)
  }
  const failed: unknown[] = []
  while (performance.now() < end && failed.length === 0) {
    await pause(random.between(300, 3_000))
    const striking = one(drawFault(random)).catch((error: unknown) => void failed.push(error))
    open.add(striking)
    void striking.finally(() => open.delete(striking))
  }
  await Promise.all(open)
  if (failed.length > 0) throw failed[0]
  return struck
}

/** In peace, the swarm must come to rest: every copy where it belongs, and none besides. */
async function settle(victim: Victim): Promise<string[]> {
  await victim.up()
  const verified = await victim.gtstore('verify', '--wait', String(settleSeconds))
  if (verified.exitCode === 0) return []
  const status = await victim.gtstore('status')
  return [`verify is not clean: ${verified.output}\n${status.output}`]
}

interface Evidence {
  readonly mode: Mode
  readonly seed: number
  readonly seconds: number
  readonly workers: readonly WorkerProcess[]
  readonly struck: Readonly<Record<string, number>>
  readonly failures: readonly string[]
}

function judge({ mode, seed, seconds, workers, struck, failures }: Evidence): Verdict {
  const calls = workers.flatMap((worker) => worker.calls)
  const answered = calls.filter(({ returned }) => returned !== null)
  const found = [...failures, ...judgeAnswers(mode, workers)]
  const total = Object.values(struck).reduce((sum, count) => sum + count, 0)
  const needed = Math.floor((faultsPerMinuteMin * seconds) / 60)
  if (total < needed) found.push(`only ${total} faults struck: ${needed} are needed to prove much`)
  const kinds = Object.keys(struck).length
  if (kinds < kindsMin) found.push(`only ${kinds} kinds of faults struck`)
  if (answered.length < answeredPerSecondMin * seconds) {
    found.push(`only ${answered.length} calls were answered in ${seconds} s`)
  }
  const telling = tellingCalls(mode, workers)
  if (telling !== undefined && telling < tellingPerSecondMin * seconds) {
    found.push(`only ${telling} calls showed what mode ${mode} is about`)
  }
  const times = answered.map(({ called, returned }) => ((returned ?? 0) - called) / 1000)
  return {
    mode,
    seed,
    operations: calls.length,
    answered: answered.length,
    telling,
    registrations: workers.reduce((sum, worker) => sum + worker.registrations, 0),
    faults: struck,
    slowestMs: times.reduce((slowest, ms) => Math.max(slowest, ms), 0),
    failures: found,
  }
}

/** The nemesis' end of a client process. */
class WorkerProcess {
  readonly name: string
  readonly calls: Call[] = []
  registrations = 0
  readonly #child: ChildProcess
  #exited = false
  #onReadAll: () => void = () => {}
  #failed: Error | undefined
  #onFailed: (error: Error) => void = () => {}

  constructor(options: WorkerOptions) {
    this.name = options.name
    const script = fileURLToPath(new URL('worker.js', import.meta.url))
    this.#child = fork(script, [JSON.stringify(options)])
    this.#child.on('message', (report: WorkerReport) => this.#heard(report))
    this.#child.once('exit', (code, signal) => {
      this.#exited = true
      if (code !== 0) this.#fail(new Error(`client ${this.name} ended: ${signal ?? code}`))
    })
  }

  /** Its load ends; what is in flight is still answered. */
  async stop(): Promise<void> {
    await this.readAll([])
  }

  async readAll(keys: readonly string[]): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed
    await new Promise<void>((resolve, reject) => {
      this.#onReadAll = resolve
      this.#onFailed = reject
      this.#tell({ do: 'read', keys })
    })
  }

  async end(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#tell('end')
    await gone
    if (this.#failed !== undefined) throw this.#failed
  }

  kill(): void {
    if (!this.#exited) this.#child.kill('SIGKILL')
  }

  #tell(command: WorkerCommand): void {
    this.#child.send(command)
  }

  #heard(report: WorkerReport): void {
    if ('failed' in report) return this.#fail(new Error(`client ${this.name}: ${report.failed}`))
    for (const call of report.calls) this.calls.push(call)
    this.registrations += report.registrations
    if (report.ended) this.#onReadAll()
  }

  #fail(error: Error): void {
    this.#failed ??= error
    this.#onFailed(this.#failed)
  }
}
