/**
 * Stops a swarm whatever state it is in: asks the manager, which tells its nodes; then each node that
 * is left; then kills. Works from the process files (pid and start time), so it needs no supervisor,
 * and a process that was paused or hangs ends too. Nobody leaves: the data stays where it is.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { openAdmin } from '../client/admin.js'
import { isProcessAlive } from '../shared/os/linux.js'
import { listProcesses } from '../shared/os/process-files.js'
import type { ProcessId } from '../shared/runtime/runtime.js'
import { askManagerMs, killMs, stopGraceMs, stopNodesMs, watchProcessesMs } from './limits.js'

export interface Stopped {
  /** How many processes ran. */
  readonly stopped: number
  /** Those that had to be killed. */
  readonly killed: readonly string[]
}

interface Running extends ProcessId {
  readonly role: string
  readonly address: string
}

/** `children`: processes of ours that may not have written their process file yet. */
export async function stopSwarm(
  run: string,
  children: readonly ProcessId[] = [],
  hurry?: AbortSignal,
): Promise<Stopped> {
  const running = () => withChildren(members(run), children)
  const before = running()
  if (before.length === 0) return { stopped: 0, killed: [] }
  await askManager(run, before)
  if (!(await allGone(running, stopGraceMs, hurry))) {
    await askNodes(run, members(run))
    await allGone(running, stopNodesMs, hurry)
  }
  const killed = running()
  for (const process of killed) kill(process)
  await allGone(running, killMs)
  return { stopped: before.length, killed: killed.map(({ address }) => address) }
}

/** The manager and nodes that run; a supervisor ends by itself when they are gone. */
function members(run: string): Running[] {
  return [...listProcesses(run)].filter(({ role }) => role !== 'supervisor')
}

function withChildren(known: readonly Running[], children: readonly ProcessId[]): Running[] {
  const pids = new Set(known.map(({ pid }) => pid))
  const unknown = children.filter((child) => !pids.has(child.pid) && isProcessAlive(child))
  return [
    ...known,
    ...unknown.map((child) => ({ ...child, role: 'node', address: `process ${child.pid}` })),
  ]
}

async function askManager(run: string, running: readonly Running[]): Promise<void> {
  if (!running.some(({ role }) => role === 'manager')) return
  await withAdmin(run, (admin) => admin.stop())
}

async function askNodes(run: string, running: readonly Running[]): Promise<void> {
  const nodes = running.filter(({ role }) => role === 'node')
  await withAdmin(run, async (admin) => {
    await Promise.all(nodes.map(({ address }) => admin.stopNode(address)))
  })
}

/** A process that does not listen is stopped by the next means: its silence is no error here. */
async function withAdmin(
  run: string,
  ask: (admin: Awaited<ReturnType<typeof openAdmin>>) => Promise<unknown>,
): Promise<void> {
  const admin = await openAdmin({ run })
  try {
    await Promise.race([ask(admin).catch(() => {}), delay(askManagerMs, undefined, { ref: false })])
  } finally {
    await admin.close()
  }
}

/** They are no children of ours, so their end can only be looked for. */
async function allGone(
  running: () => readonly Running[],
  withinMs: number,
  hurry?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (running().length > 0) {
    if (performance.now() > deadline || hurry?.aborted) return false
    await delay(watchProcessesMs)
  }
  return true
}

function kill(process_: ProcessId): void {
  if (!isProcessAlive(process_)) return
  try {
    process.kill(process_.pid, 'SIGKILL')
  } catch {
    // It ended between the look and the kill.
  }
}
