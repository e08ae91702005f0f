/**
 * `gtstore node add|remove|replace`: asks for the change and shows how far it is. The change is the
 * manager's: who stops watching (Ctrl-C) does not stop it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { openAdmin } from '../client/admin.js'
import type { ChangeReport } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import { CommandError, exitCodes } from './errors.js'
import { changePollMs, tellReasonMs } from './limits.js'
import type { Context } from './options.js'
import { openProgress } from './progress.js'
import { catchSignals, signalExitCode } from './signals.js'

type Admin = Awaited<ReturnType<typeof openAdmin>>
type Kind = ChangeReport['change']
type Command = Exclude<Kind, 'evict'>

interface ForceFlags {
  readonly force?: boolean
  readonly acceptLoss?: boolean
}

const past: { readonly [K in Kind]: string } = {
  add: 'was added',
  remove: 'has left',
  replace: 'stands in for it',
  evict: 'was evicted',
}

export function add(context: Context): Promise<number> {
  return change(context, 'add', '')
}

export function remove(context: Context, flags: ForceFlags, node: NodeId): Promise<number> {
  return change(context, 'remove', node, flags)
}

export function replace(context: Context, flags: ForceFlags, node: NodeId): Promise<number> {
  return change(context, 'replace', node, flags)
}

async function change(
  context: Context,
  kind: Command,
  target: NodeId | '',
  { force = false, acceptLoss = false }: ForceFlags = {},
): Promise<number> {
  const { run, output, command } = context
  if (acceptLoss && !force) {
    throw new CommandError(
      exitCodes.usage,
      '--accept-loss is for a node that goes without its help',
      `\`${command} node ${kind} ${target} --force --accept-loss\``,
    )
  }
  await using admin = await openAdmin({ run })
  const { ticket, node } = await admin.submit(kind, target, { force, acceptLoss })
  const signals = catchSignals()
  const report = await watch(context, admin, ticket, signals.first)
  if (report === undefined) {
    output.note(`gtstore: the change goes on: \`${command} status\` shows change ${ticket}`)
    return signalExitCode(signals.received ?? 'SIGINT')
  }
  if (report.state === 'aborted') throw aborted(report, command)
  output.result({ id: node }, () => describeDone(report, target))
  return exitCodes.ok
}

/** A change that ended otherwise than usual (the node was gone already) has a reason that says how. */
export function describeDone(
  { change: kind, node, reason }: Pick<ChangeReport, 'change' | 'node' | 'reason'>,
  target: NodeId | '',
): string {
  if (reason !== '') return `${kind} ${target || node}: ${reason}`
  return `${kind === 'replace' ? `${target} is replaced: ` : ''}${node} ${past[kind]}`
}

function aborted({ change: kind, node, reason }: ChangeReport, command: string): CommandError {
  return new CommandError(
    exitCodes.failure,
    `${kind} ${node} was aborted: ${reason === '' ? 'the manager gave no reason' : reason}`,
    `see \`${command} status\` and \`${command} logs manager\`, then try again`,
  )
}

/** A reason to wait is worth a line once it has held for a while. */
class Patience {
  #reason = ''
  #since = 0
  #told = false

  ends(reason: string): boolean {
    if (reason !== this.#reason) {
      this.#reason = reason
      this.#since = performance.now()
      this.#told = false
    }
    if (this.#told || reason === '' || performance.now() - this.#since < tellReasonMs) return false
    this.#told = true
    return true
  }
}

/** The change's end; undefined when interrupted first. A manager that restarts is asked again. */
async function watch(
  { output }: Context,
  admin: Admin,
  ticket: number,
  interrupted: AbortSignal,
): Promise<ChangeReport | undefined> {
  const bar = await openProgress()
  const patience = new Patience()
  try {
    while (!interrupted.aborted) {
      const report = await admin.query(ticket)
      if (report.state === 'done' || report.state === 'aborted') return report
      const { rangesDone, rangesTotal, keys } = report.progress
      bar.update(rangesDone, rangesTotal, `${report.node} ${report.state}, ${keys} keys copied`)
      if (patience.ends(report.reason)) output.note(`gtstore: ${report.state}: ${report.reason}`)
      await delay(changePollMs, undefined, { signal: interrupted }).catch(() => {})
    }
    return undefined
  } finally {
    bar.stop()
  }
}
