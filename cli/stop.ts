/**
 * Stops a swarm whatever state it is in: asks the manager, which tells its nodes; then each node that
 * is left (there may be some that the manager does not know yet); then kills. It works from the
 * process files (pid and start time), so it needs no supervisor, and a process that was paused or
 * hangs ends too. Nobody leaves: the data stays where it is.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { openAdmin } from '../client/admin.js'
import { isProcessAlive, killProcess } from '../shared/os/linux.js'
import { listProcesses, type ProcessEntry } from '../shared/os/process-files.js'
import type { ProcessId } from '../shared/runtime/runtime.js'
import {
  askManagerMs,
  askNodesMs,
  endMs,
  killMs,
  knownNodesMs,
  stopGraceMs,
  watchProcessesMs,
} from './limits.js'

/**
 * Returns the addresses of those that had to be killed. `known`: processes that must be
 * gone, too. Some may not have begun: before it has an id a node holds nothing and hears nobody, and
 * is just ended.
 */
export async function stopSwarm(
  run: string,
  known: readonly ProcessId[] = [],
  hurry?: AbortSignal,
): Promise<string[]> {
  // A standby would take over from the manager that we stop.
  const isFirst = (process: ProcessEntry) => isNameless(process) || process.role === 'standby'
  for (const process of listProcesses(run)) if (isFirst(process)) killProcess(process)
  if (await askManager(run)) await allGone(() => members(run), knownNodesMs, hurry)
  if (members(run).length > 0 && hurry?.aborted !== true) await askNodes(run)
  await allGone(() => members(run), stopGraceMs, hurry)
  const killed = members(run)
  for (const process of killed) killProcess(process)
  // Those that said goodbye are on their way out, too.
  const rest = () => [...members(run), ...known.filter(isProcessAlive)]
  await allGone(rest, endMs, hurry)
  for (const process of rest()) killProcess(process)
  await allGone(rest, killMs)
  return killed.map(({ address }) => address)
}

function isNameless({ address }: ProcessEntry): boolean {
  return address.startsWith('enroll-')
}

/** The manager and nodes that run; a supervisor ends by itself when they are gone. */
function members(run: string): ProcessEntry[] {
  const isMember = /^(manager|n\d+\.\d+)$/
  return listProcesses(run).filter(({ address }) => isMember.test(address))
}

/** The manager tells its nodes. False: there is none, or it does not answer. */
async function askManager(run: string): Promise<boolean> {
  if (!members(run).some(({ role }) => role === 'manager')) return false
  await using admin = await openAdmin({ run, timeoutMs: askManagerMs })
  return await admin.stop().then(
    () => true,
    () => false,
  )
}

/** One that does not listen is killed later: its silence is no error. */
async function askNodes(run: string): Promise<void> {
  const nodes = members(run).filter(({ role }) => role === 'node')
  await using admin = await openAdmin({ run, timeoutMs: askNodesMs })
  await Promise.allSettled(nodes.map(({ address }) => admin.stopNode(address)))
}

/** They are no children of ours, so their end can only be looked for. */
async function allGone(
  running: () => readonly ProcessId[],
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
