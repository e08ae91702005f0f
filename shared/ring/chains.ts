/**
 * How chains follow one another: founded, copied to, switched, settled, and what the dead leave.
 *
 * Whatever reaches the end of a chain passed all before it, so a member may hold more than those behind
 * it and never less of what was acknowledged. From that everything here follows: a member may go at any
 * moment as long as a full one stays, and nobody passes another one in order; a joiner stands last, and
 * is full once it has what the last full member held, and what came since. (van Renesse and Schneider,
 * "Chain Replication for Supporting High Throughput and Availability", OSDI 2004, section 3; there the
 * copy ends before the joiner is linked, here it runs beside the writes.)
 *
 * Who reads must never read less than who read before. The last full member reads while data is copied,
 * the last joiner after that; where nobody joins, the last member stays the reader until it leaves, as
 * it would if it died: those before it hold what it had shown, those behind it may not.
 *
 * Of a chain without a living full member nobody is taken out, neither as dead nor by a change of the
 * placement: whichever comes back first holds all that was acknowledged.
 */
import { type SharedArc, sharedArcs } from './arcs.js'
import type { Chain, NodeId, Placement, Token, Transfer } from './description.js'
import { preferenceLists } from './preference.js'
import { compareNodes } from './ring.js'

type Ask = (node: NodeId) => boolean

const everybody: Ask = () => true
const nobody: Ask = () => false

export interface Copying {
  readonly chains: readonly Chain[]
  readonly transfers: readonly Transfer[]
  /** Why these chains must not be settled. */
  readonly obstacle?: ChainObstacle
}

export interface ChainObstacle {
  /** `unread`: a range would be left to nobody who has it; `absent`: to fewer, while owners are down. */
  readonly kind: 'unread' | 'absent'
  /** Those that must come back: of a range its full members, one of them is enough; or the owners. */
  readonly nodes: readonly NodeId[]
}

/** The chains of a first ring, in the order of the preference lists. */
export function found(placement: Placement): readonly Chain[] {
  const lists = preferenceLists(placement)
  const arcs = sharedArcs(placement, placement)
  return joined(arcs.map(({ from, to, index }) => allFull({ from, to }, lists[index] ?? [])))
}

/**
 * The chains while what `next` needs is copied, one arc wherever the owners or the chain differ, and a
 * transfer for each joiner of each arc. Begins with chains that nobody is being copied to, as `drop`
 * leaves them. `helps`: it can be copied from and to; owners that do not are left out, they come back
 * later. `isGivenUp`: what only it may hold is given up; where all full members are and go, the next
 * owners begin with nothing.
 */
export function copying(
  chains: readonly Chain[],
  next: Placement,
  helps: Ask = everybody,
  isGivenUp: Ask = nobody,
): Copying {
  const grown: Chain[] = []
  const transfers: Transfer[] = []
  let obstacle: ChainObstacle | undefined
  for (const { chain, owners, from, to } of overlaid(chains, next)) {
    const { joiners, sources, lack } = joining(chain, owners, helps, isGivenUp)
    const { full, reader } = chain
    grown.push({ from, to, members: [...chain.members, ...joiners], full, reader })
    for (const gainer of joiners) {
      transfers.push({ from, to, gainer, sources, needed: sources.length, wipe: true })
    }
    if (lack !== undefined && obstacle?.kind !== 'unread') obstacle = obstacle ?? lack
    if (lack?.kind === 'unread') obstacle = lack
  }
  return { chains: grown, transfers, ...(obstacle !== undefined && { obstacle }) }
}

/** Everything is copied: the last joiners read. Not of an arc that begins anew, which has no head yet. */
export function switching(
  chains: readonly Chain[],
  transfers: readonly Transfer[],
): readonly Chain[] {
  const begun = new Set(transfers.filter(({ sources }) => sources.length > 0).map(({ to }) => to))
  return chains.map((chain) => {
    const joiner = chain.members.slice(chain.full).at(-1)
    return joiner === undefined || !begun.has(chain.to) ? chain : { ...chain, reader: joiner }
  })
}

/** Who must have the marks of its arcs before chains that switched may settle, in order. */
export function newReaders(chains: readonly Chain[]): NodeId[] {
  const readers = chains.filter(isSwitched).map(({ reader }) => reader)
  return [...new Set(readers)].sort(compareNodes)
}

/** The change is done: of each arc those stay that `next` names, and all are full. */
export function settled(chains: readonly Chain[], next: Placement): readonly Chain[] {
  return joined(
    overlaid(chains, next).map(({ chain, owners, from, to }) => {
      const staying = chain.members.filter((node) => owners.includes(node))
      if (staying.length === 0) throw new Error(`nobody would hold the range (${from}, ${to}]`)
      return allFull({ from, to }, staying)
    }),
  )
}

/** The change is given up: joiners go, whoever read. */
export function aborted(chains: readonly Chain[]): readonly Chain[] {
  return joined(chains.map((chain) => allFull(chain, chain.members.slice(0, chain.full))))
}

/**
 * Takes those out that are not up. The same array where all stay. A full member stays in spite of it
 * where none is up, and nobody leaves a chain that `isReturning`.
 */
export function drop(
  chains: readonly Chain[],
  isUp: Ask,
  isReturning: (chain: Chain) => boolean = () => false,
): readonly Chain[] {
  const left = chains.map((chain) => {
    const without = withoutDead(chain, isUp)
    return without === chain || isReturning(chain) ? chain : without
  })
  return left.every((chain, i) => chain === chains[i]) ? chains : left
}

/** The next owners of a range of which nobody of them is a member; undefined: there is none. */
export function forsaken(chains: readonly Chain[], next: Placement): readonly NodeId[] | undefined {
  const isLeft = ({ chain, owners }: Overlaid) => chain.members.some((it) => owners.includes(it))
  return overlaid(chains, next).find((arc) => !isLeft(arc))?.owners
}

/**
 * The full members of a range of which none is up, though `next` does without some of them that are not
 * given up: these may be the first to come back. undefined: there is no such range.
 */
export function deserted(
  chains: readonly Chain[],
  next: Placement,
  isUp: Ask,
  isGivenUp: Ask,
): readonly NodeId[] | undefined {
  const dead = chains.filter((chain) => !fullOf(chain).some(isUp))
  if (dead.length === 0) return undefined
  const isNeeded = ({ chain, owners }: Overlaid) =>
    dead.includes(chain) && fullOf(chain).some((it) => !owners.includes(it) && !isGivenUp(it))
  const arc = overlaid(chains, next).find(isNeeded)
  return arc && fullOf(arc.chain)
}

/** Owners that are up and miss in chains that they can be copied to. In order. */
export function lacking(chains: readonly Chain[], placement: Placement, isUp: Ask): NodeId[] {
  const missing = overlaid(chains, placement).flatMap(({ chain, owners }) =>
    isUp(chain.reader) ? owners.filter((node) => !chain.members.includes(node) && isUp(node)) : [],
  )
  return [...new Set(missing)].sort(compareNodes)
}

/** Neighbours that do not differ become one, wrap-around included. */
export function joined(chains: readonly Chain[]): readonly Chain[] {
  const result: Chain[] = []
  for (const chain of chains) {
    const last = result.at(-1)
    if (last !== undefined && isAlike(last, chain))
      result[result.length - 1] = { ...last, to: chain.to }
    else result.push(chain)
  }
  const first = result[0]
  const last = result.at(-1)
  if (result.length > 1 && first !== undefined && last !== undefined && isAlike(last, first)) {
    result[0] = { ...first, from: last.from }
    result.pop()
  }
  const [only] = result
  return result.length === 1 && only !== undefined ? [{ ...only, from: only.to }] : result
}

interface Joining {
  readonly joiners: readonly NodeId[]
  /** Of the joiners; none: they begin with nothing. */
  readonly sources: readonly NodeId[]
  readonly lack: ChainObstacle | undefined
}

/** Who joins one chain, and from whom it is copied to. */
function joining(
  { members, reader }: Chain,
  owners: readonly NodeId[],
  helps: Ask,
  isGivenUp: Ask,
): Joining {
  const staying = members.filter((node) => owners.includes(node))
  const fresh = owners.filter((node) => !members.includes(node))
  const joiners = fresh.filter(helps)
  const absent: ChainObstacle = { kind: 'absent', nodes: fresh.filter((node) => !helps(node)) }
  if (helps(reader)) {
    const after = staying.length + joiners.length
    const isFewer = after < members.length && after < owners.length
    return { joiners, sources: [reader], lack: isFewer || after === 0 ? absent : undefined }
  }
  // Whichever of them is back first has all of it: nobody of them goes before that.
  if (!members.every((node) => owners.includes(node) || isGivenUp(node))) {
    return { joiners: [], sources: [], lack: { kind: 'unread', nodes: members } }
  }
  // Who stays is waited for; the others are copied to once it is back.
  if (staying.length > 0) return { joiners: [], sources: [], lack: undefined }
  return { joiners, sources: [], lack: joiners.length === 0 ? absent : undefined }
}

function withoutDead(chain: Chain, isUp: Ask): Chain {
  if (chain.members.every(isUp)) return chain
  const { members, full } = chain
  const holders = members.slice(0, full)
  const living = holders.filter(isUp)
  const kept = living.length > 0 ? living : holders
  const joiners = members.slice(full).filter(isUp)
  if (kept.length + joiners.length === members.length) return chain
  const switched = isSwitched(chain) ? joiners.at(-1) : undefined
  const reader = switched ?? kept.at(-1) ?? ''
  return { ...chain, members: [...kept, ...joiners], full: kept.length, reader }
}

function fullOf({ members, full }: Chain): readonly NodeId[] {
  return members.slice(0, full)
}

/** A joiner reads. */
function isSwitched({ members, full, reader }: Chain): boolean {
  return members.indexOf(reader as NodeId) >= full
}

function allFull({ from, to }: { from: Token; to: Token }, members: readonly NodeId[]): Chain {
  return { from, to, members, full: members.length, reader: members.at(-1) ?? '' }
}

function isAlike(a: Chain, b: Chain): boolean {
  return (
    a.to === b.from &&
    a.full === b.full &&
    a.reader === b.reader &&
    a.members.length === b.members.length &&
    a.members.every((node, i) => node === b.members[i])
  )
}

interface Overlaid {
  readonly from: Token
  readonly to: Token
  readonly chain: Chain
  /** By the placement. */
  readonly owners: readonly NodeId[]
}

/** The chains and the ranges of the placement laid over each other. */
function overlaid(chains: readonly Chain[], placement: Placement): Overlaid[] {
  const lists = preferenceLists(placement)
  const ends = { ...placement, tokens: chains.map(({ to }) => to) }
  return sharedArcs(ends, placement).map(({ from, to, index, nextIndex }: SharedArc) => ({
    from,
    to,
    chain: chains[index] as Chain,
    owners: lists[nextIndex] ?? [],
  }))
}
