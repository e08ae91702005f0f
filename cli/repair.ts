/**
 * `gtstore repair`: has the nodes compare what they own with its other owners and mend both, and waits
 * until they have. It asks the nodes themselves: the manager is not needed.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Admin, openAdmin } from '../client/admin.js'
import { requireRunDirectory } from '../shared/os/reach.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { RepairReport } from '../shared/protocol/messages.js'
import { addressOf, type Member, type NodeId } from '../shared/ring/description.js'
import { exitCodes } from './errors.js'
import { repairPollMs, repairRetryMs, repairTriesMax } from './limits.js'
import type { Context } from './options.js'
import { formatTable } from './output.js'
import { openProgress } from './progress.js'
import { noRing } from './ring.js'
import { catchSignals, signalExitCode } from './signals.js'

/** One node's pass; `failure` says why there is none, or none that ended. */
interface Pass {
  readonly node: NodeId
  readonly report: RepairReport | undefined
  readonly failure: string
}

export async function repair(context: Context, flags: { node?: NodeId }): Promise<number> {
  const { run, output, command } = context
  requireRunDirectory(run)
  await using admin = await openAdmin({ run })
  refuseChains(admin)
  const members = membersToAsk(context, admin, flags.node)
  const signals = catchSignals()
  const passes = await repairAll(admin, members, signals.first)
  if (signals.received !== undefined) {
    output.note(`gtstore: the repair goes on: \`${command} transfers\` shows it`)
    return signalExitCode(signals.received)
  }
  const total = (count: 'received' | 'given' | 'skipped') =>
    passes.reduce((sum, { report }) => sum + (report?.[count] ?? 0), 0)
  const totals = { received: total('received'), given: total('given'), skipped: total('skipped') }
  const failed = passes.filter(({ failure }) => failure !== '')
  const complete = totals.skipped === 0 && failed.length === 0
  const text = output.json ? '' : await describe(passes, totals)
  output.result({ complete, ...totals, nodes: passes.map(asJson) }, () => text)
  if (complete) return exitCodes.ok
  if (!output.json) output.note(whyIncomplete(totals.skipped, failed, command))
  return exitCodes.failure
}

/** Newest-wins between members would bypass the order of the chain. */
function refuseChains(admin: Admin): void {
  if (admin.ring()?.chains === undefined) return
  const message =
    'a chain has nothing to repair: a member whose copy is damaged leaves it, and is copied to anew'
  throw new GTStoreError('UNSUPPORTED', message)
}

function membersToAsk(context: Context, admin: Admin, node: NodeId | undefined): Member[] {
  const members = admin.ring()?.members ?? []
  if (!members.some((member) => admin.isAlive(member))) throw noRing(context)
  const chosen = members.filter(({ id }) => node === undefined || id === node)
  if (chosen.length === 0) {
    throw new GTStoreError('NOT_FOUND', `node ${node} is not a member of the ring`)
  }
  return chosen
}

/**
 * A node that has only just come back is skipped by those that have not heard of it: they try again,
 * as long as everybody lives.
 */
async function repairAll(
  admin: Admin,
  members: readonly Member[],
  interrupted: AbortSignal,
): Promise<Pass[]> {
  let passes = await runPasses(admin, members, interrupted)
  for (let tries = 1; tries < repairTriesMax; tries++) {
    const again = members.filter((_, index) => (passes[index]?.report?.skipped ?? 0) > 0)
    const allLive = admin.ring()?.members.every((member) => admin.isAlive(member))
    if (again.length === 0 || allLive !== true || interrupted.aborted) break
    await delay(repairRetryMs, undefined, { signal: interrupted }).catch(() => {})
    const more = await runPasses(admin, again, interrupted)
    passes = passes.map((pass) =>
      added(
        pass,
        more.find(({ node }) => node === pass.node),
      ),
    )
  }
  return passes
}

/** What was moved adds up; what was skipped is what the last pass skipped. */
function added(pass: Pass, more: Pass | undefined): Pass {
  if (more?.report === undefined || pass.report === undefined) return more ?? pass
  const received = pass.report.received + more.report.received
  const given = pass.report.given + more.report.given
  return { ...more, report: { ...more.report, received, given } }
}

async function runPasses(
  admin: Admin,
  members: readonly Member[],
  interrupted: AbortSignal,
): Promise<Pass[]> {
  const bar = await openProgress()
  const running = new Map<NodeId, RepairReport>()
  const show = (node: NodeId, report: RepairReport) => {
    running.set(node, report)
    const sum = (count: 'rangesDone' | 'rangesTotal' | 'received' | 'given') =>
      [...running.values()].reduce((total, each) => total + each[count], 0)
    const moved = `${sum('received')} received, ${sum('given')} given`
    bar.update(sum('rangesDone'), sum('rangesTotal'), moved)
  }
  try {
    return await Promise.all(
      members.map((member) => runPass(admin, member, interrupted, (at) => show(member.id, at))),
    )
  } finally {
    bar.stop()
  }
}

async function runPass(
  admin: Admin,
  member: Member,
  interrupted: AbortSignal,
  onProgress: (report: RepairReport) => void,
): Promise<Pass> {
  const node = member.id
  if (!admin.isAlive(member)) return { node, report: undefined, failure: 'it is down' }
  let report: RepairReport | undefined
  try {
    const address = addressOf(member)
    const pass = await admin.repair(address)
    while (!interrupted.aborted) {
      const stats = await admin.stats(address)
      report = stats.repair
      onProgress(report)
      if (report.pass >= pass && !report.running) return { node, report, failure: '' }
      await delay(repairPollMs, undefined, { signal: interrupted }).catch(() => {})
    }
    return { node, report, failure: 'interrupted' }
  } catch (error) {
    if (!(error instanceof GTStoreError)) throw error
    return { node, report, failure: error.message }
  }
}

function asJson({ node, report, failure }: Pass) {
  const { pass = null, rangesDone = 0, received = 0, given = 0, skipped = 0 } = report ?? {}
  return { id: node, pass, ranges: rangesDone, received, given, skipped, failure }
}

async function describe(
  passes: readonly Pass[],
  { received, given }: { received: number; given: number },
): Promise<string> {
  const rows = passes.map((pass) => {
    const { id, ranges, failure, ...counts } = asJson(pass)
    const { received, given, skipped } = counts
    return [id, ...[ranges, received, given, skipped].map(String), failure]
  })
  const columns = ['node', 'ranges', 'received', 'given', 'skipped', '']
  const moved = received + given === 0 ? 'nothing had to be mended' : 'mended'
  const table = await formatTable(columns, rows)
  return `${table}\n${moved}: ${received} records received, ${given} given`
}

function whyIncomplete(skipped: number, failed: readonly Pass[], command: string): string {
  const away = failed.map(({ node, failure }) => `${node}: ${failure}`)
  const ranges = `${skipped} comparison${skipped === 1 ? '' : 's'} skipped (an owner was not reachable, or the ring changed)`
  const reasons = [...(skipped === 0 ? [] : [ranges]), ...away].join('; ')
  return `gtstore: not all copies were compared: ${reasons}\n  next: see \`${command} status\`, then repair again`
}
