/** What `status` points out of chains: ranges with too few copies, or with nobody who has them. */
import { aborted, lacking } from '../shared/ring/chains.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import { gainersOf } from './plan.js'

/** `isGivenUp`: what only the node may hold is given up already. Empty in the other modes. */
export function chainNotices(
  { chains, placement, change }: RingDescription,
  isUp: (node: NodeId) => boolean,
  isGivenUp: (node: NodeId) => boolean,
): string[] {
  if (chains === undefined) return []
  const whole = aborted(chains)
  const groups = new Map(
    whole
      .filter(({ members }) => !members.some(isUp))
      .map(({ members }) => [[...members].sort().join(), members]),
  )
  const unread = [...groups.values()].map((members) => unreadOf(members, isGivenUp))
  const wanted = Math.min(placement.replicas, new Set(placement.nodes).size)
  const copies = whole.map(({ full }) => full)
  const short = copies.filter((count) => count < wanted).length
  const least = Math.min(...copies)
  const shortage =
    short === 0
      ? []
      : [`${short} of ${copies.length} ranges have fewer than ${wanted} copies, the least ${least}`]
  const gainers = change === undefined ? [] : gainersOf(change)
  const mended = lacking(whole, placement, isUp).map((node) => {
    const isCopied = gainers.includes(node) ? 'is' : 'waits to be'
    return `${node} missed what was written while it was down: it ${isCopied} copied to again`
  })
  return [...unread, ...shortage, ...mended]
}

function unreadOf(members: readonly NodeId[], isGivenUp: (node: NodeId) => boolean): string {
  const one = members.length === 1 ? `${members[0]}` : `one of ${[...members].sort().join(', ')}`
  const lack = `ranges wait for ${one}: nobody else has all of them`
  const commands = members
    .filter((node) => !isGivenUp(node))
    .map((node) => `\`gtstore node remove ${node} --force --accept-loss\``)
  if (commands.length === 0) return `${lack}, and they are given up`
  return (
    `${lack}. Start it again with \`gtstore node restart ID\`; if the data is gone for good, ` +
    `give it up: ${commands.join(', ')}`
  )
}
