/**
 * Dealing out vnodes, whole or in pieces, each to the node with which the ring becomes most even. Every
 * choice is tried and measured: with some hundred vnodes that is cheap, and it sees what a rule of
 * thumb would not, for instance that a node beside itself keeps fewer copies.
 */
import type { Layout } from './layout.js'
import { tokenSpace } from './token.js'

/** A leaver's vnode that is wider than this many average ones is cut, or it would overfill any node. */
const wholeMax = 1.25
/** How often the leavers' vnodes are dealt out: once more, now that the others have found a home. */
const rehomeRounds = 2
/** A joiner is content within this part of an equal share: the rest is left to the boundaries. */
const contentment = 0.05
/** A vnode gives at most this part of itself to a joiner. */
const pieceMax = 0.6
/** A joiner asks for equal pieces; one below this part of what it asked for is a splinter. */
const splinter = 0.25

/** Gives each leaver's vnodes, the widest first, to the nodes that they fit best. */
export function rehome(layout: Layout, virtualNodes: number): void {
  const homeless = evict(layout, (layout.meanPrimary / virtualNodes) * wholeMax)
  for (let round = 0; round < rehomeRounds; round++) {
    for (const token of homeless) {
      if (round > 0) layout.remove(layout.tokens.indexOf(token))
      const index = layout.insert(token, 0)
      layout.owners[index] = bestOwner(layout, index)
    }
  }
}

/** Takes the leavers' vnodes out of the ring; returns their tokens and cuts, the widest first. */
function evict(layout: Layout, widthMax: number): number[] {
  const remaining = layout.primary.length
  const pieces: { token: number; width: number }[] = []
  layout.tokens.forEach((token, index) => {
    if ((layout.owners[index] as number) < remaining) return
    const count = Math.ceil(layout.width(index) / widthMax)
    const width = Math.floor(layout.width(index) / count)
    for (let piece = 0; piece < count; piece++) {
      pieces.push({ token: (token - piece * width + tokenSpace) % tokenSpace, width })
    }
  })
  for (let index = layout.tokens.length - 1; index >= 0; index--) {
    if ((layout.owners[index] as number) >= remaining) layout.remove(index)
  }
  return pieces.sort((a, b) => b.width - a.width || a.token - b.token).map(({ token }) => token)
}

function bestOwner(layout: Layout, index: number): number {
  let best = 0
  let bestPenalty = Infinity
  for (let node = 0; node < layout.primary.length; node++) {
    layout.owners[index] = node
    const penalty = layout.penalty()
    if (penalty < bestPenalty) {
      best = node
      bestPenalty = penalty
    }
  }
  return best
}

/** The joiner takes vnodes whole, as long as they fit and their nodes hold more than V. */
export function takeWhole(layout: Layout, joiner: number, virtualNodes: number): void {
  const most = layout.meanPrimary * (1 + contentment)
  for (;;) {
    let bestPenalty = layout.penalty()
    let best: number | undefined
    const room = most - (layout.primary[joiner] as number)
    for (let index = 0; index < layout.tokens.length; index++) {
      const owner = layout.owners[index] as number
      if (owner === joiner || layout.width(index) > room) continue
      if (layout.vnodesOf(owner) <= virtualNodes) continue
      layout.owners[index] = joiner
      const penalty = layout.penalty()
      layout.owners[index] = owner
      if (penalty < bestPenalty) {
        best = index
        bestPenalty = penalty
      }
    }
    if (best === undefined) return
    layout.owners[best] = joiner
  }
}

interface Piece {
  readonly index: number
  readonly token: number
  /** The joiner gets the lower part of the range, up to the token; otherwise the upper. */
  readonly lower: boolean
}

/** The joiner splits vnodes until it has V of them and an equal share. */
export function takePieces(layout: Layout, joiner: number, virtualNodes: number): void {
  let missing = Math.max(1, virtualNodes - layout.vnodesOf(joiner))
  for (; missing > 0; missing--) {
    layout.measure()
    const lacking = layout.meanPrimary - (layout.primary[joiner] as number)
    if (lacking < layout.meanPrimary * contentment) return
    const piece = bestPiece(layout, joiner, Math.floor(lacking / missing))
    if (piece !== undefined) split(layout, joiner, piece)
  }
}

function bestPiece(layout: Layout, joiner: number, wanted: number): Piece | undefined {
  let best: Piece | undefined
  let bestPenalty = Infinity
  const count = layout.tokens.length
  for (let index = 0; index < count; index++) {
    if (layout.owners[index] === joiner) continue
    const width = layout.width(index)
    const taken = Math.min(wanted, Math.floor(width * pieceMax))
    if (taken < wanted * splinter && best !== undefined) continue
    for (const lower of [true, false]) {
      const end = layout.tokens[index] as number
      const token = (end - (lower ? width - taken : taken) + tokenSpace) % tokenSpace
      const piece = { index, token, lower }
      const undo = split(layout, joiner, piece)
      const penalty = layout.penalty()
      undo()
      if (penalty < bestPenalty) {
        best = piece
        bestPenalty = penalty
      }
    }
  }
  return best
}

function split(layout: Layout, joiner: number, { index, token, lower }: Piece): () => void {
  const owner = layout.owners[index] as number
  if (!lower) layout.owners[index] = joiner
  const at = layout.insert(token, lower ? joiner : owner)
  return () => {
    layout.remove(at)
    layout.owners[index] = owner
  }
}

/** Neighbouring vnodes of one node become one where it holds more than V: this moves nothing. */
export function unite(layout: Layout, virtualNodes: number): void {
  for (let index = layout.tokens.length - 1; index >= 0; index--) {
    const owner = layout.owners[index] as number
    const following = layout.owners[(index + 1) % layout.owners.length]
    if (owner === following && layout.vnodesOf(owner) > virtualNodes) layout.remove(index)
  }
}
