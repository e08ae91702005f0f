/** `gtstore verify`: are all copies where they belong, and equal? Also for scripts: exit code 1 if not. */
import { setTimeout as delay } from 'node:timers/promises'
import { openAdmin } from '../client/admin.js'
import { type FaultyKey, type VerifyReport, verify as verifyCopies } from '../client/verify.js'
import { requireRunDirectory } from '../shared/os/reach.js'
import { exitCodes } from './errors.js'
import { verifyPauseMs } from './limits.js'
import type { Context } from './options.js'
import { asJson } from './output.js'
import { openProgress } from './progress.js'
import { quoted } from './quoting.js'
import { noRing } from './ring.js'

export async function verify(context: Context, flags: { wait: number }): Promise<number> {
  const { run, output } = context
  requireRunDirectory(run)
  await using admin = await openAdmin({ run })
  const deadline = performance.now() + flags.wait * 1_000
  const bar = await openProgress()
  try {
    for (;;) {
      const report = await verifyCopies({
        source: admin,
        pause: delay,
        onProgress: (done, keys) => bar.update(done * 100, 100, `${keys} keys`),
      })
      if (report === undefined || isNobodyThere(report)) throw noRing(context)
      if (report.clean || performance.now() >= deadline) {
        bar.stop()
        output.result(named(report), () => describe(report))
        return report.clean ? exitCodes.ok : exitCodes.failure
      }
      bar.update(0, 100, `${faultsOf(report)}; looking again`)
      await delay(verifyPauseMs)
    }
  } finally {
    bar.stop()
  }
}

function isNobodyThere({ members, unread }: VerifyReport): boolean {
  return unread.length === members && unread.every(({ reason }) => reason === 'down')
}

function named(report: VerifyReport) {
  const examples = report.examples.map((faulty) => ({ ...faulty, key: asJson(faulty.key) }))
  return { ...report, examples }
}

function describe(report: VerifyReport): string {
  const { epoch, members, keys, tombstones, copies, unread, changing, short, examples } = report
  const deleted = tombstones === 0 ? '' : `, ${tombstones} deleted ones`
  const counted = `epoch ${epoch}: ${keys} keys${deleted}, ${copies} copies on ${members} nodes`
  return [
    counted,
    faultsOf(report),
    ...unread.map(({ node, reason }) => `${node} is ${reason}: copies on it are not counted`),
    ...(short > 0 ? [`${short} ranges lack a member of their chain, and with it a copy`] : []),
    ...(changing ? ['a change is under way: what it copies is not judged yet'] : []),
    ...examples.map(describeKey),
    ...(report.clean ? ['every key has its copies, all equal, and no others'] : []),
  ].join('\n')
}

function faultsOf({ missing, misplaced, divergent, beyond }: VerifyReport): string {
  return `missing ${missing}, misplaced ${misplaced}, divergent ${divergent}, beyond N ${beyond}`
}

function describeKey(faulty: FaultyKey): string {
  const list = (what: string, nodes: readonly string[]) =>
    nodes.length === 0 ? [] : [`${what} ${nodes.join(' ')}`]
  const faults = [
    ...list('missing on', faulty.missing),
    ...list('misplaced on', faulty.misplaced),
    ...list('divergent on', faulty.divergent),
  ]
  return `  ${quoted(asJson(faulty.key))}: ${faults.join(', ')}`
}
