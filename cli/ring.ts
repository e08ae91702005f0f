/** `gtstore ring`: who owns what, from the ring file, which is there also without the manager. */
import { openRingFiles } from '../shared/os/ring-files.js'
import type { RingDescription } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import { rangeWidth, tokenOf } from '../shared/ring/token.js'
import { CommandError, exitCodes } from './errors.js'
import { type Context, keyNamed } from './options.js'
import { formatQuorums, formatTable } from './output.js'
import { inLine } from './quoting.js'

export async function ring(context: Context, flags: { key?: string }): Promise<number> {
  const description = openRingFiles(context.run).newest()
  if (description === undefined) throw noRing(context)
  if (flags.key === undefined) return printRing(context, description)
  return printOwners(context, description, flags.key)
}

/** Nothing to look at: no swarm runs here. */
export function noRing({ run, command }: Context): CommandError {
  return new CommandError(
    exitCodes.cannotConnect,
    `there is no ring in ${run}: no swarm runs there, or no node has joined yet`,
    `start it with \`${command} up\`, or name the right one with --swarm or --dir`,
  )
}

function printOwners({ output }: Context, description: RingDescription, key: string): number {
  const token = tokenOf(keyNamed(key))
  const { owners, chain } = new Ring(description).arcOf(token)
  const { epoch } = description
  const reader = chain && { reader: chain.reader }
  output.result({ key, token, owners, ...reader, epoch }, () =>
    [
      `key     ${inLine(key)}`,
      `token   ${token}`,
      `owners  ${owners.join(chain === undefined ? ' ' : ' -> ')}`,
      ...(chain === undefined ? [] : [`reader  ${chain.reader}`]),
      `epoch   ${epoch}`,
    ].join('\n'),
  )
  return exitCodes.ok
}

async function printRing({ output }: Context, description: RingDescription): Promise<number> {
  const { epoch, members, placement, change } = description
  const { tokens, nodes, replicas, readQuorum, writeQuorum } = placement
  const vnodes = tokens.map((token, index) => {
    const from = tokens.at(index - 1) ?? token
    return { token, node: nodes[index] ?? '', share: rangeWidth({ from, to: token }) / 2 ** 32 }
  })
  const rows = vnodes.map(({ token, node, share }) => [
    String(token),
    node,
    `${(share * 100).toFixed(1)} %`,
  ])
  const table = output.json ? '' : await formatTable(['token', 'node', 'share'], rows)
  const step = change === undefined ? 'settled' : change.switching ? 'switching' : 'copying'
  const quorums = { replicas, readQuorum, writeQuorum }
  output.result({ epoch, step, ...quorums, members, vnodes }, () => {
    const members_ = `${members.length} members`
    const mode = description.chains === undefined ? 'latest' : 'chain'
    const head = `epoch ${epoch} (${step}), ${formatQuorums({ mode, ...quorums })}`
    return `${head}, ${members_}\n${table}`
  })
  return exitCodes.ok
}
