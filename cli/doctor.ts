/**
 * `gtstore doctor`: looks at everything a swarm needs, one line each, and says what to do about what
 * is wrong. It changes nothing. A swarm that is not running is not a fault; one that runs only in
 * part is.
 */
import { accessSync, constants, readdirSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openAdmin } from '../client/admin.js'
import { assertSupportedPlatform, hostBootId, hostMicros } from '../shared/os/linux.js'
import { listProcesses } from '../shared/os/process-files.js'
import { checkRunDirectory } from '../shared/os/reach.js'
import { readSwarmFile } from '../shared/os/swarm-file.js'
import type { StatusReport } from '../shared/protocol/messages.js'
import { exitCodes } from './errors.js'
import { askManagerMs, freeBytesLeast } from './limits.js'
import type { Context } from './options.js'
import { formatBytes, formatQuorums, paint } from './output.js'

type Verdict = 'ok' | 'warning' | 'wrong'

interface Finding {
  readonly check: string
  readonly verdict: Verdict
  readonly detail: string
  /** What to do; empty where nothing is. */
  readonly next: string
}

type Look = readonly [verdict: Verdict, detail: string, next?: string]

export async function doctor(context: Context): Promise<number> {
  const findings = [
    await examine('node.js', () => ['ok', process.version]),
    await examine('platform', platform),
    await examine('storage engine', engine),
    await examine('clock', clock),
    await examine('run directory', () => runDirectory(context)),
    await examine('data directory', () => dataDirectory(context)),
    await examine('free space', () => freeSpace(context)),
    await examine('options', () => options(context)),
    await examine('processes', () => processes(context)),
    await examine('sockets', () => sockets(context)),
    await examine('manager', () => manager(context)),
  ]
  const wrong = findings.filter(({ verdict }) => verdict === 'wrong').length
  const { run, data } = context
  context.output.result({ ok: wrong === 0, run, data, findings }, () => describe(findings, wrong))
  return wrong === 0 ? exitCodes.ok : exitCodes.failure
}

/** A look that fails is a finding too. */
async function examine(check: string, look: () => Look | Promise<Look>): Promise<Finding> {
  try {
    const [verdict, detail, next = ''] = await look()
    return { check, verdict, detail, next }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return { check, verdict: 'wrong', detail, next: 'mend what the message names' }
  }
}

const marks = { ok: ['green', 'ok'], warning: ['yellow', 'note'], wrong: ['red', 'WRONG'] } as const

function describe(findings: readonly Finding[], wrong: number): string {
  const lines = findings.flatMap(({ check, verdict, detail, next }) => {
    const [colour, word] = marks[verdict]
    const line = `${paint(process.stdout, colour, word.padEnd(6))}${check.padEnd(16)}${detail}`
    return next === '' ? [line] : [line, `      next: ${next}`]
  })
  return [...lines, wrong === 0 ? 'nothing is wrong' : `${wrong} wrong`].join('\n')
}

function platform(): Look {
  assertSupportedPlatform()
  return ['ok', `${process.platform} ${process.arch}, boot ${hostBootId()}`]
}

async function engine(): Promise<Look> {
  await import('classic-level')
  return ['ok', 'LevelDB loads']
}

async function clock(): Promise<Look> {
  const before = hostMicros()
  await delay(2)
  const passed = hostMicros() - before
  if (passed < 1_000)
    return ['wrong', `2 ms took ${passed} us`, 'restart the host: its clock stands']
  return ['ok', 'monotonic']
}

function runDirectory({ run }: Context): Look {
  checkRunDirectory(run)
  return entries(run) === undefined ? ['ok', `${run} (not there yet)`] : ['ok', run]
}

function dataDirectory({ data, command }: Context): Look {
  if (entries(data) === undefined) return ['ok', `${data} (not there yet)`]
  try {
    accessSync(data, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    return ['wrong', `${data} cannot be written`, `chmod u+rwx it, or use ${command} --data`]
  }
  return ['ok', data]
}

function entries(directory: string): string[] | undefined {
  try {
    return readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function freeSpace({ data }: Context): Look {
  let existing = data
  while (entries(existing) === undefined) existing = dirname(existing)
  const { bavail, bsize } = statfsSync(existing)
  const free = bavail * bsize
  const text = `${formatBytes(free)} in ${existing}`
  if (free >= freeBytesLeast) return ['ok', text]
  return ['wrong', `only ${text}`, 'make room, or move the data directory (--data)']
}

function options({ data, swarm, command }: Context): Look {
  const stored = readSwarmFile(data)
  if (stored === undefined) return ['ok', 'none stored: the next `up` makes a new swarm']
  if (stored.swarm !== swarm) {
    return ['wrong', `the data is that of swarm "${stored.swarm}"`, `${command} --swarm NAME`]
  }
  const { durability, mode } = stored
  return ['ok', `${formatQuorums(stored)}, durability ${durability}, mode ${mode}`]
}

function processes({ run, command }: Context): Look {
  const roles = listProcesses(run).map(({ role }) => role)
  if (roles.length === 0) return ['ok', 'none: the swarm is not running']
  const nodes = roles.filter((role) => role === 'node').length
  if (!roles.includes('manager')) {
    return ['wrong', `${nodes} nodes, but no manager`, `${command} up (it adopts what runs)`]
  }
  if (!roles.includes('supervisor')) {
    const detail = `manager and ${nodes} nodes, no supervisor: what crashes stays down`
    return ['warning', detail, `${command} up (it adopts what runs)`]
  }
  return ['ok', `supervisor, manager and ${nodes} nodes`]
}

/** Left by processes that were killed: in nobody's way, but each tells of a death. */
function sockets({ run }: Context): Look {
  const found = (entries(run) ?? []).filter((name) => name.endsWith('.sock'))
  const alive = new Set(listProcesses(run).map(({ address }) => `${address}.sock`))
  const stale = found.filter((name) => !alive.has(name))
  if (stale.length === 0) return ['ok', `${found.length} in use`]
  return ['warning', `of processes that were killed: ${stale.join(', ')}`]
}

async function manager({ run, command }: Context): Promise<Look> {
  if (!listProcesses(run).some(({ role }) => role === 'manager')) return ['ok', 'not running']
  const report = await Promise.race([askStatus(run), delay(askManagerMs, undefined)])
  // A node answers in place of a manager that does not.
  if (report === undefined || report.manager === null) {
    const detail = `does not answer within ${askManagerMs / 1000} s`
    return ['wrong', detail, `see \`${command} logs manager\`; \`${command} down\` and \`up\``]
  }
  const away = report.nodes.filter(({ state }) => state === 'down').map(({ id }) => id)
  const text = `answers; ${report.state}, epoch ${report.epoch}`
  if (away.length > 0) return ['wrong', `${text}; down: ${away.join(' ')}`, `${command} logs`]
  if (report.state === 'forming') return ['wrong', text, `${command} node add`]
  const full = report.nodes.filter(({ readOnly }) => readOnly).map(({ id }) => id)
  if (full.length > 0) return ['wrong', `${text}; disk full: ${full.join(' ')}`, 'make room']
  if (report.notices.length > 0) return ['warning', `${text}; ${report.notices.join('; ')}`]
  return ['ok', text]
}

async function askStatus(run: string): Promise<StatusReport> {
  await using admin = await openAdmin({ run })
  return await admin.status()
}
