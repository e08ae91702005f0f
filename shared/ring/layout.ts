/**
 * A placement being planned: vnodes that are inserted, given away and widened, with every node's
 * share as primary and of all copies measured again after each trial.
 *
 * Nodes are small integers here, and widths count points of the hash space. A plan tries thousands of
 * layouts, so measuring allocates nothing.
 */
import { tokenSpace } from './token.js'

export class Layout {
  /** Clockwise, unique. */
  readonly tokens: number[]
  /** `owners[i]` is the node of the vnode at `tokens[i]`. */
  readonly owners: number[]
  /** Points that each node owns as primary, as of the last `measure`. */
  readonly primary: Float64Array
  /** Points that each node keeps a copy of, as of the last `measure`. */
  readonly copies: Float64Array
  /** The shares of each node if all were equal. */
  readonly meanPrimary: number
  readonly meanCopies: number
  readonly #replicas: number
  /** The walk in which a node was last met: tells distinct nodes without a set. */
  readonly #met: Int32Array
  #walk = 0

  constructor(tokens: number[], owners: number[], nodes: number, replicas: number) {
    this.tokens = tokens
    this.owners = owners
    this.primary = new Float64Array(nodes)
    this.copies = new Float64Array(nodes)
    this.#met = new Int32Array(nodes)
    this.#replicas = Math.min(replicas, nodes)
    this.meanPrimary = tokenSpace / nodes
    this.meanCopies = this.meanPrimary * this.#replicas
  }

  width(index: number): number {
    const from = this.tokens[index === 0 ? this.tokens.length - 1 : index - 1] as number
    const width = (this.tokens[index] as number) - from
    return width > 0 ? width : width + tokenSpace
  }

  vnodesOf(node: number): number {
    return this.owners.reduce((count, owner) => (owner === node ? count + 1 : count), 0)
  }

  /** Puts a vnode at the token, which must be free; returns its index. */
  insert(token: number, node: number): number {
    let at = 0
    while (at < this.tokens.length && (this.tokens[at] as number) < token) at++
    this.tokens.splice(at, 0, token)
    this.owners.splice(at, 0, node)
    return at
  }

  /** Its range falls to the vnode that follows. */
  remove(index: number): void {
    this.tokens.splice(index, 1)
    this.owners.splice(index, 1)
  }

  /** The owners of the range of a vnode, the primary first. */
  ownersOf(index: number): number[] {
    const list: number[] = []
    const count = this.tokens.length
    for (let step = 0; step < count && list.length < this.#replicas; step++) {
      const owner = this.owners[(index + step) % count] as number
      if (!list.includes(owner)) list.push(owner)
    }
    return list
  }

  /** Fills `primary` and `copies`. */
  measure(): void {
    const { owners, primary, copies } = this
    const met = this.#met
    const count = owners.length
    primary.fill(0)
    copies.fill(0)
    for (let index = 0; index < count; index++) {
      const width = this.width(index)
      const walk = ++this.#walk
      let missing = this.#replicas
      primary[owners[index] as number] = (primary[owners[index] as number] as number) + width
      for (let step = 0, at = index; step < count && missing > 0; step++) {
        const owner = owners[at] as number
        if (met[owner] !== walk) {
          met[owner] = walk
          copies[owner] = (copies[owner] as number) + width
          missing--
        }
        at = at + 1 === count ? 0 : at + 1
      }
    }
  }

  /** How uneven the layout is, measured anew. Lower is better. */
  penalty(): number {
    this.measure()
    return this.measuredPenalty()
  }

  /**
   * The sum of the eighth powers of all relative shares: near to what the fullest node suffers, which
   * is what balance is about, and yet every node's share counts, so that each step of a search sees
   * whether it helps. As of the last `measure`.
   */
  measuredPenalty(): number {
    let penalty = 0
    for (let node = 0; node < this.primary.length; node++) penalty += this.load(node)
    return penalty
  }

  /** A node's part of the penalty, as of the last `measure`. */
  load(node: number): number {
    const primary = (this.primary[node] as number) / this.meanPrimary
    const copies = (this.copies[node] as number) / this.meanCopies
    return eighthPower(primary) + eighthPower(copies)
  }

  /** The largest share of a node, as primary or of the copies, relative to the mean. */
  fullest(): number {
    const primary = Math.max(...this.primary) / this.meanPrimary
    return Math.max(primary, Math.max(...this.copies) / this.meanCopies)
  }

  copy(): Layout {
    return new Layout([...this.tokens], [...this.owners], this.primary.length, this.#replicas)
  }

  /** What one point more of primary share costs the node, in penalty. */
  primarySlope(node: number): number {
    return slope((this.primary[node] as number) / this.meanPrimary) / this.meanPrimary
  }

  /** What one point more to keep a copy of costs the node, in penalty. */
  copiesSlope(node: number): number {
    const relative = (this.copies[node] as number) / this.meanCopies
    return slope(relative) / this.meanCopies
  }
}

function eighthPower(x: number): number {
  const square = x * x
  const fourth = square * square
  return fourth * fourth
}

function slope(x: number): number {
  return x === 0 ? 0 : (8 * eighthPower(x)) / x
}
