/** The claim: which node owns which tokens after nodes joined, left or were replaced. */
import type { NodeId, Placement, Token } from './description.js'
import { compareNodes } from './ring.js'
import { rangeWidth, tokenSpace } from './token.js'

export interface ClaimSettings {
  /** V: vnodes a node should own. */
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

interface Vnode {
  token: Token
  node: NodeId
}

/** The placement after the change: pure, the same for the same input. */
export function planPlacement(
  current: Placement | undefined,
  delta: MembershipDelta,
  settings: ClaimSettings,
): Placement {
  const vnodes: Vnode[] = (current?.tokens ?? []).map((token, i) => ({
    token,
    node: current?.nodes[i] as NodeId,
  }))
  for (const vnode of vnodes) {
    const pair = delta.replace.find(([old]) => old === vnode.node)
    if (pair !== undefined) vnode.node = pair[1]
  }
  const staying = new Set(vnodes.map((vnode) => vnode.node))
  for (const node of delta.leave) staying.delete(node)
  const planned =
    staying.size === 0
      ? found(delta.join, settings.virtualNodes)
      : joined(left(vnodes, staying), delta.join, settings.virtualNodes)
  planned.sort((a, b) => a.token - b.token)
  const { replicas, readQuorum, writeQuorum } = settings
  return {
    replicas,
    readQuorum,
    writeQuorum,
    tokens: planned.map((vnode) => vnode.token),
    nodes: planned.map((vnode) => vnode.node),
  }
}

/** A new ring: equal arcs, dealt out in turn. */
function found(nodes: readonly NodeId[], virtualNodes: number): Vnode[] {
  const sorted = [...nodes].sort(compareNodes)
  const count = sorted.length * virtualNodes
  return Array.from({ length: count }, (_, i) => ({
    token: Math.round(((i + 1) * tokenSpace) / count) - 1,
    node: sorted[i % sorted.length] as NodeId,
  }))
}

function left(vnodes: Vnode[], staying: Set<NodeId>): Vnode[] {
  for (const vnode of vnodes) {
    if (staying.has(vnode.node)) continue
    const shares = sharesOf(vnodes)
    vnode.node = [...staying].sort(
      (a, b) => (shares.get(a) ?? 0) - (shares.get(b) ?? 0) || compareNodes(a, b),
    )[0] as NodeId
  }
  return vnodes
}

function joined(vnodes: Vnode[], joiners: readonly NodeId[], virtualNodes: number): Vnode[] {
  for (const node of joiners) {
    for (let i = 0; i < virtualNodes; i++) {
      vnodes.sort((a, b) => a.token - b.token)
      let widest = -1
      let width = 0
      vnodes.forEach((vnode, at) => {
        const w = rangeWidth({ from: (vnodes.at(at - 1) as Vnode).token, to: vnode.token })
        if (vnode.node !== node && w > width) {
          widest = at
          width = w
        }
      })
      const to = (vnodes[widest] as Vnode).token
      vnodes.push({ token: (to - Math.floor(width / 2) + tokenSpace) % tokenSpace, node })
    }
  }
  return vnodes
}

function sharesOf(vnodes: readonly Vnode[]): Map<NodeId, number> {
  const shares = new Map<NodeId, number>()
  vnodes.forEach((vnode, i) => {
    const width = rangeWidth({ from: (vnodes.at(i - 1) as Vnode).token, to: vnode.token })
    shares.set(vnode.node, (shares.get(vnode.node) ?? 0) + width)
  })
  return shares
}
