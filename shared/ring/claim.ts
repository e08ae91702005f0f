/**
 * The claim: who owns which tokens after nodes joined, left or were replaced.
 *
 * It goes from large to small. What a leaver owned migrates whole, vnode by vnode, each to the node
 * that it fits best. A joiner takes vnodes of nodes that hold more than V of them, then pieces of wide
 * ones. What is still uneven after that is evened out at the boundaries between vnodes (relax.ts), and
 * where these cannot do it, by exchanging vnodes (reorder.ts).
 *
 * A change moves at least the own share of the joiner or leaver. It may move nearly twice that: every
 * ring starts where the last one ended, and what is moved beyond the least keeps it from decaying.
 *
 * Everything is pure and the same for the same input, so a manager that starts again after planning,
 * but before it published, plans the same.
 */

import { rehome, takePieces, takeWhole, unite } from './allot.js'
import type { NodeId, Placement } from './description.js'
import { Layout } from './layout.js'
import { type Budget, relax } from './relax.js'
import { reorder } from './reorder.js'
import { compareNodes } from './ring.js'
import { copyShares, movedShares, primaryShares } from './shares.js'
import { tokenSpace } from './token.js'

export interface ClaimSettings {
  /** V: vnodes that a node gets when it joins. */
  readonly virtualNodes: number
  readonly replicas: number
  readonly readQuorum: number
  readonly writeQuorum: number
}

export interface MembershipDelta {
  readonly join: readonly NodeId[]
  readonly leave: readonly NodeId[]
  /** The fresh node takes exactly the tokens of the old one. */
  readonly replace: readonly (readonly [old: NodeId, fresh: NodeId])[]
}

/**
 * What a change may move, in own shares of those that join and leave: somewhat less than twice, so that
 * a count of keys, which scatters around the shares, stays below twice too.
 */
const movedMax = 1.8
/** Where the fullest node has no more than this, relative to the mean, the order of vnodes is left. */
const comfort = 1.15

/**
 * The placement after the change. With nobody left it is empty; without a current one, or with nobody
 * staying, it is founded anew with equal arcs.
 */
export function planPlacement(
  current: Placement | undefined,
  delta: MembershipDelta,
  settings: ClaimSettings,
): Placement {
  const base = replaced(current, delta, settings)
  const leaving = new Set(delta.leave)
  const present = [...new Set(base.nodes)].sort(compareNodes)
  const staying = present.filter((node) => !leaving.has(node))
  const leavers = present.filter((node) => leaving.has(node))
  const joiners = [...new Set(delta.join)]
    .filter((node) => !present.includes(node))
    .sort(compareNodes)
  if (staying.length === 0) return founded(joiners, settings)
  if (joiners.length === 0 && leavers.length === 0) return base
  return reshaped(base, { staying, joiners, leavers }, settings)
}

function placementOf(
  vnodes: readonly (readonly [token: number, node: NodeId])[],
  { replicas, readQuorum, writeQuorum }: ClaimSettings,
): Placement {
  const sorted = [...vnodes].sort(([a], [b]) => a - b)
  const tokens = sorted.map(([token]) => token)
  const nodes = sorted.map(([, node]) => node)
  return { replicas, readQuorum, writeQuorum, tokens, nodes }
}

/** The current ring with the fresh nodes in the places of the old, under the settings as they are now. */
function replaced(
  current: Placement | undefined,
  delta: MembershipDelta,
  settings: ClaimSettings,
): Placement {
  const fresh = new Map(delta.replace)
  const nodes = (current?.nodes ?? []).map((node) => fresh.get(node) ?? node)
  return placementOf(
    nodes.map((node, i) => [current?.tokens[i] as number, node]),
    settings,
  )
}

/** A new ring: equal arcs, dealt out in turn, so that all shares are equal. */
function founded(nodes: readonly NodeId[], settings: ClaimSettings): Placement {
  const count = nodes.length * settings.virtualNodes
  return placementOf(
    Array.from({ length: count }, (_, i) => [
      Math.round(((i + 1) * tokenSpace) / count) - 1,
      nodes[i % nodes.length] as NodeId,
    ]),
    settings,
  )
}

interface Parties {
  readonly staying: readonly NodeId[]
  readonly joiners: readonly NodeId[]
  readonly leavers: readonly NodeId[]
}

function reshaped(base: Placement, parties: Parties, settings: ClaimSettings): Placement {
  const { staying, joiners, leavers } = parties
  const names = [...staying, ...joiners, ...leavers]
  const remaining = staying.length + joiners.length
  const numbers = new Map(names.map((node, number) => [node, number]))
  const owners = base.nodes.map((node) => numbers.get(node) as number)
  const layout = new Layout([...base.tokens], owners, remaining, settings.replicas)
  rehome(layout, settings.virtualNodes)
  for (let joiner = staying.length; joiner < remaining; joiner++) {
    takeWhole(layout, joiner, settings.virtualNodes)
    takePieces(layout, joiner, settings.virtualNodes)
  }
  unite(layout, settings.virtualNodes)

  const named = ({ tokens, owners }: Layout) =>
    placementOf(
      tokens.map((token, i) => [token, names[owners[i] as number] as NodeId]),
      settings,
    )
  const budget = (planned: Layout) => budgetOf(base, named(planned), [...leavers, ...joiners])
  return named(evened(layout, budget, (node) => node >= staying.length))
}

/** The more even of two: only boundaries shifted, or vnodes exchanged before. */
function evened(
  layout: Layout,
  budget: (planned: Layout) => Budget,
  isJoiner: (node: number) => boolean,
): Layout {
  const allowance = { isJoiner, factor: movedMax }
  const shifted = layout.copy()
  relax(shifted, budget(shifted), allowance)
  const penalty = shifted.penalty()
  if (shifted.fullest() <= comfort) return shifted
  const reordered = layout.copy()
  reorder(reordered, budget)
  relax(reordered, budget(reordered), allowance)
  return reordered.penalty() < penalty ? reordered : shifted
}

/** What the change may still move, in points of the hash space. */
function budgetOf(base: Placement, planned: Placement, changed: readonly NodeId[]): Budget {
  const moved = movedShares(base, planned)
  const left = (shares: (placement: Placement) => Map<NodeId, number>, spent: number) => {
    const before = shares(base)
    const after = shares(planned)
    const own = changed.reduce((sum, node) => sum + (before.get(node) ?? after.get(node) ?? 0), 0)
    return (movedMax * own - spent) * tokenSpace
  }
  return { primary: left(primaryShares, moved.primary), copies: left(copyShares, moved.copies) }
}
