/**
 * `gtstore node kill|pause|resume|restart`: to try what happens when a process fails, and to mend one
 * that hangs. They go by the process files (pid and start time) of the run directory, so they need
 * neither manager nor supervisor, and never meet a later process with an old pid.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openAdmin } from '../client/admin.js'
import { isProcessAlive, isProcessPaused, signalProcess } from '../shared/os/linux.js'
import { listProcesses, type ProcessEntry } from '../shared/os/process-files.js'
import { checkDataDirectory, checkRunDirectory } from '../shared/os/reach.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { readSwarmFile } from '../shared/os/swarm-file.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { NodeId } from '../shared/ring/description.js'
import { CommandError, exitCodes } from './errors.js'
import { restartMs, saidEnoughMs, signalMs, watchProcessesMs } from './limits.js'
import type { Context } from './options.js'
import { Utterances } from './processes.js'
import { formatDuration } from './quantities.js'

/** `n3`, or `manager`. */
type Name = NodeId | 'manager'

export async function kill(context: Context, _flags: object, name: Name): Promise<number> {
  const found = find(context, name)
  await end(found)
  const { outcome, text } = afterDeath(context, name)
  context.output.result({ id: name, pid: found.pid, action: 'kill', outcome }, () => {
    return `${name} (pid ${found.pid}) is killed: ${text}`
  })
  return exitCodes.ok
}

export async function pause(context: Context, _flags: object, name: Name): Promise<number> {
  const found = find(context, name)
  const already = isProcessPaused(found)
  if (!already) await signal(found, 'SIGSTOP', isProcessPaused, 'paused')
  context.output.result({ id: name, pid: found.pid, action: 'pause', already }, () => {
    const paused = already ? 'was paused already' : 'is paused'
    return `${name} (pid ${found.pid}) ${paused}: ${whilePaused(context, name)}`
  })
  return exitCodes.ok
}

export async function resume(context: Context, _flags: object, name: Name): Promise<number> {
  const found = find(context, name)
  const already = !isProcessPaused(found)
  if (!already) await signal(found, 'SIGCONT', (process) => !isProcessPaused(process), 'resumed')
  context.output.result({ id: name, pid: found.pid, action: 'resume', already }, () => {
    return `${name} (pid ${found.pid}) ${already ? 'was not paused' : 'goes on'}`
  })
  return exitCodes.ok
}

/** Only a supervisor starts processes; without one nothing is killed either. */
export async function restart(context: Context, _flags: object, node: NodeId): Promise<number> {
  const { run, output } = context
  checkRunDirectory(run)
  const running = processOf(run, node)
  if (running === undefined && !isKnown(context, node)) throw noSuchNode(context, node)
  if (!hasSupervisor(run)) throw nobodyStarts(context, node, running !== undefined)
  if (running !== undefined) await end(running)
  await using admin = await openAdmin({ run })
  const said = new Utterances(context.data, node)
  const before = new Set(listProcesses(run).map(({ pid }) => pid))
  await admin.spawn(node)
  const patience = new LastWords(said)
  const fresh = await until(restartMs, () => {
    return processOf(run, node) ?? stranger(run, node, before) ?? patience.words
  })
  if (fresh === undefined || typeof fresh === 'string') throw notStarted(context, node, fresh)
  const killed = running === undefined ? null : running.pid
  const id = fresh.address.replace(/\.\d+$/, '')
  output.result({ id, pid: fresh.pid, killed, action: 'restart' }, () => {
    if (id !== node) {
      return `${node} has lost its place for good: its process (pid ${fresh.pid}) joins as ${id}`
    }
    const was = killed === null ? 'was not running' : `(pid ${killed}) was killed`
    return `${node} ${was}; the supervisor started it again: pid ${fresh.pid}`
  })
  return exitCodes.ok
}

/** What a process said before it ended, once it did not come back: the supervisor tries again. */
class LastWords {
  readonly #said: Utterances
  #since: number | undefined

  constructor(said: Utterances) {
    this.#said = said
  }

  get words(): string | undefined {
    const words = this.#said.lastWords()
    if (words === '') return undefined
    this.#since ??= performance.now()
    return performance.now() - this.#since < saidEnoughMs ? undefined : words
  }
}

function find(context: Context, name: Name): ProcessEntry {
  checkRunDirectory(context.run)
  const found = processOf(context.run, name)
  if (found !== undefined) return found
  if (name !== 'manager' && !isKnown(context, name)) throw noSuchNode(context, name)
  throw notRunning(context, name)
}

/** The last of its lives, where one has not ended while the next one begins. */
function processOf(run: string, name: Name): ProcessEntry | undefined {
  const form = new RegExp(name === 'manager' ? '^manager$' : `^${name}\\.\\d+$`)
  const lives = listProcesses(run).filter(({ address }) => form.test(address))
  return lives.sort((a, b) => lifeOf(a) - lifeOf(b)).at(-1)
}

/** An evicted node, started again, is a new one: the first that appears. */
function stranger(
  run: string,
  node: NodeId,
  before: ReadonlySet<number>,
): ProcessEntry | undefined {
  const members = openRingFiles(run).newest()?.members ?? []
  if (members.length === 0 || members.some(({ id }) => id === node)) return undefined
  return listProcesses(run).find(
    ({ pid, address }) => !before.has(pid) && /^n\d+\.\d+$/.test(address),
  )
}

function lifeOf({ address }: ProcessEntry): number {
  return Number(/\d+$/.exec(address)?.[0] ?? 0)
}

/** A member of the ring, or one whose data is there. */
function isKnown({ run, data }: Context, node: NodeId): boolean {
  const members = openRingFiles(run).newest()?.members ?? []
  return members.some(({ id }) => id === node) || existsSync(join(data, 'nodes', node))
}

function hasSupervisor(run: string): boolean {
  return listProcesses(run).some(({ role }) => role === 'supervisor')
}

async function end(found: ProcessEntry): Promise<void> {
  await signal(found, 'SIGKILL', (process) => !isProcessAlive(process), 'gone')
}

async function signal(
  found: ProcessEntry,
  name: NodeJS.Signals,
  took: (process: ProcessEntry) => boolean,
  state: string,
): Promise<void> {
  // False: it ended by itself meanwhile, and `took` sees what became of it.
  signalProcess(found, name)
  if ((await until(signalMs, () => took(found) || undefined)) === true) return
  const what = `${found.address} (pid ${found.pid})`
  if (!isProcessAlive(found)) {
    throw new GTStoreError('NOT_FOUND', `${what} ended before ${name} reached it`)
  }
  throw new CommandError(
    exitCodes.failure,
    `${what} is not ${state} ${signalMs / 1000} s after ${name}`,
    'the kernel holds it, most likely for a disk: see `ps -o stat,wchan -p PID` and `dmesg`',
  )
}

/** Undefined: the time is over. */
async function until<T>(withinMs: number, look: () => T | undefined): Promise<T | undefined> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const seen = look()
    if (seen !== undefined || performance.now() > deadline) return seen
    await delay(watchProcessesMs)
  }
}

function afterDeath(context: Context, name: Name): { outcome: string; text: string } {
  const { run, command } = context
  if (!hasSupervisor(run)) {
    const text = `no supervisor starts it again; ${byHand(context, name)} does`
    return { outcome: 'stays down', text }
  }
  if (restartOption(context) === 'on-failure') {
    return { outcome: 'restarts', text: 'the supervisor starts it again' }
  }
  const how = name === 'manager' ? byHand(context, name) : `\`${command} node restart ${name}\``
  return { outcome: 'stays down', text: `it stays down (--restart never); ${how} starts it` }
}

/** A file that cannot be read keeps nobody from killing a process; `doctor` tells of it. */
function restartOption({ data }: Context): 'on-failure' | 'never' {
  checkDataDirectory(data)
  return readSwarmFile(data)?.restart ?? 'on-failure'
}

function byHand({ command }: Context, name: Name): string {
  return name === 'manager'
    ? `\`${command} run manager\``
    : `\`${command} run node --node ${name}\``
}

function whilePaused({ command, data }: Context, name: Name): string {
  const resumes = `\`${command} node resume ${name}\` lets it go on`
  const stored = readSwarmFile(data)
  if (name === 'manager' || stored === undefined) return resumes
  return `${resumes}; after ${formatDuration(stored.evictAfterMs)} it may lose its place (--evict-after)`
}

/** Ids are given out in order: one below that of a member was somebody's. */
function noSuchNode({ run, command }: Context, node: NodeId): GTStoreError {
  const members = openRingFiles(run).newest()?.members ?? []
  if (members.some(({ id }) => numberOf(id) > numberOf(node))) {
    const text =
      `${node} has left the swarm or was taken out of it, and its id is not used again: ` +
      `\`${command} node add\` starts a new node`
    return new GTStoreError('NOT_FOUND', text)
  }
  return new GTStoreError('NOT_FOUND', `there is no node ${node} in ${run}`)
}

function numberOf(node: NodeId): number {
  return Number(node.slice(1))
}

function notStarted({ command }: Context, node: NodeId, said: string | undefined): CommandError {
  const logs = `\`${command} logs supervisor ${node}\``
  if (said !== undefined) {
    const next = `see ${logs}; \`${command} node add\` starts a new node`
    return new CommandError(exitCodes.failure, `${node} was started and ended: ${said}`, next)
  }
  return new CommandError(
    exitCodes.failure,
    `the supervisor was told to start ${node}, but it does not run after ${restartMs / 1000} s`,
    `see ${logs}; a node waits for the manager: \`${command} status\``,
  )
}

function notRunning(context: Context, name: Name): CommandError {
  const { run, command } = context
  const restarts = name !== 'manager' && hasSupervisor(run)
  const start = restarts ? `\`${command} node restart ${name}\`` : byHand(context, name)
  return new CommandError(
    exitCodes.failure,
    `${name === 'manager' ? 'the manager' : name} is not running in ${run}`,
    `${start} starts it; \`${command} status\` shows what runs`,
  )
}

function nobodyStarts(context: Context, node: NodeId, runs: boolean): CommandError {
  const { run, command } = context
  const kill = runs ? `\`${command} node kill ${node}\`, then ` : ''
  return new CommandError(
    exitCodes.failure,
    `no supervisor runs in ${run} that could start ${node} again; nothing was done`,
    `by hand: ${kill}${byHand(context, node)}; or start a supervisor with \`${command} up\``,
  )
}
