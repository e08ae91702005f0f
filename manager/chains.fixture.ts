/**
 * What must hold between two rings of a swarm in chain mode that follow one another, whatever
 * happened between them.
 */
import { newReaders } from '../shared/ring/chains.js'
import type { Chain, NodeId, RingDescription } from '../shared/ring/description.js'
import { inRange } from '../shared/ring/token.js'
import type { Manager } from './manager.js'

interface Known {
  /** `plan/node` of every copy that was finished. */
  readonly copied: ReadonlySet<string>
  /** `epoch/node` of every reader that had its marks. */
  readonly ready: ReadonlySet<string>
  readonly manager: Manager | undefined
}

export function checkChains(before: RingDescription, ring: RingDescription, known: Known): void {
  const fail = (text: string) => {
    throw new Error(`ring ${ring.epoch}: ${text}`)
  }
  const { chains } = ring
  if (chains === undefined || before.chains === undefined) return fail('has no chains')
  if (chains.some(({ from }, i) => from !== chains.at(i - 1)?.to)) fail('its chains leave gaps')
  for (const chain of chains) {
    const old = before.chains.find((it) => inRange(chain.to, it)) as Chain
    const held = old.members.slice(0, old.full)
    const fresh = fullOf(chain).filter((node) => !held.includes(node))
    if (fresh.length > 0) checkPromotion(before, ring, fresh, known, fail)
    const isKept = fullOf(chain).some((node) => held.includes(node))
    const isGivenUp = (node: NodeId) => wasGivenUp(node, known)
    const begun = ring.change === undefined && held.every(isGivenUp)
    if (!isKept && fresh.length === 0 && !begun) fail(`nobody of ${held} is left`)
    // Joiners of a plan that is begun again hold nothing, in whatever order they now stand.
    const isAgain = (ring.change?.plan ?? 0) > (before.change?.plan ?? Infinity)
    const stayed = (isAgain ? held : old.members).filter((node) => chain.members.includes(node))
    if (stayed.some((node, i) => chain.members[i] !== node)) fail('a chain is out of order')
    const behind = chain.members.slice(chain.full)
    const isTail = chain.reader === fullOf(chain).at(-1)
    if (!isTail && (ring.change?.switching !== true || chain.reader !== behind.at(-1))) {
      fail(`${chain.reader} reads ${chain.members}`)
    }
  }
  const named = new Set(ring.members.map(({ id }) => id))
  const isStranger = (node: NodeId) => !named.has(node)
  if (chains.some(({ members }) => members.some(isStranger))) fail('a chain names a stranger')
}

/** Who has become full had copied everything, and whoever reads from now on had its marks. */
function checkPromotion(
  { epoch, change, chains = [] }: RingDescription,
  ring: RingDescription,
  fresh: readonly NodeId[],
  { copied, ready }: Known,
  fail: (text: string) => void,
): void {
  if (change === undefined || ring.change !== undefined) return fail(`${fresh} did not copy`)
  const missing = fresh.filter((node) => !copied.has(`${change.plan}/${node}`))
  if (missing.length > 0) fail(`${missing} did not copy everything`)
  const unmarked = newReaders(chains).filter((node) => !ready.has(`${epoch}/${node}`))
  const isBegun = change.transfers.every(({ sources }) => sources.length === 0)
  if (change.switching !== true && !isBegun) fail(`${fresh} became full before they read`)
  if (unmarked.length > 0) fail(`${unmarked} had no marks`)
}

function fullOf({ members, full }: Chain): readonly NodeId[] {
  return members.slice(0, full)
}

function wasGivenUp(node: NodeId, { manager }: Known): boolean {
  return manager?.state.tickets.some((it) => it.node === node && it.acceptLoss) === true
}
