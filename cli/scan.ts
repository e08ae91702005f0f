/** `gtstore scan`: what one node stores, or each key of the swarm once. It asks the nodes themselves. */
import { openAdmin } from '../client/admin.js'
import { type Pair, scan as scanPairs } from '../client/scan.js'
import { requireRunDirectory } from '../shared/os/reach.js'
import type { NodeId } from '../shared/ring/description.js'
import { CommandError, exitCodes } from './errors.js'
import type { Context } from './options.js'
import { asJson } from './output.js'
import { inLine } from './quoting.js'
import { noRing } from './ring.js'
import { catchSignals, signalExitCode } from './signals.js'

export async function scan(
  context: Context,
  flags: { node?: NodeId; all?: boolean },
): Promise<number> {
  const { run, output } = context
  const { node, all } = flags
  if ((node === undefined) === (all !== true)) {
    const next = 'ask for what one node stores (--node ID), or for all keys there are (--all)'
    throw new CommandError(exitCodes.usage, 'whose pairs are asked for is not clear', next)
  }
  requireRunDirectory(run)
  await using admin = await openAdmin({ run })
  if (admin.ring() === undefined) throw noRing(context)
  const { mode } = await admin.status()
  const signals = catchSignals()
  for await (const pair of scanPairs({ source: admin, mode, node })) {
    if (signals.received !== undefined) return signalExitCode(signals.received)
    const line = output.json ? jsonOf(pair) : textOf(pair)
    if (!(await output.bytes(Buffer.from(`${line}\n`)))) break
  }
  return exitCodes.ok
}

function jsonOf({ key, value, version, values }: Pair): string {
  const siblings = values && { values: values.map(asJson) }
  return JSON.stringify({ key: asJson(key), value: asJson(value), version, ...siblings })
}

/** A line a pair, a column a value. */
function textOf({ key, value, values = [value] }: Pair): string {
  return [key, ...values].map(inLine).join('\t')
}
