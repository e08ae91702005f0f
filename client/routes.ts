/**
 * The nodes that this client may ask, in the order in which it would try them. The first is its
 * forwarder: all calls go there until it leaves, dies or is stuck; then the next one takes its
 * place. A node that was lost is forgotten, since a node that comes back has another address. When
 * none is left, the client registers again.
 */
import type { NodeId } from '../shared/ring/description.js'
import type { Address } from '../shared/runtime/runtime.js'

export class Routes {
  private readonly via: NodeId | undefined
  private known: readonly Address[] = []

  /** `via`: this node is the forwarder whenever it is among those known. */
  constructor(via: NodeId | undefined) {
    this.via = via
  }

  get forwarder(): Address | undefined {
    return this.known[0]
  }

  get count(): number {
    return this.known.length
  }

  /** What a registration said. Whoever has a forwarder that is among them keeps it. */
  adopt(nodes: readonly Address[]): void {
    const kept = this.forwarder === undefined ? -1 : nodes.indexOf(this.forwarder)
    this.take(nodes)
    if (kept > 0 && !(this.via !== undefined && this.knowsVia)) this.startAt(kept)
  }

  /** `from` is leaving and names those who stay; `random` spreads its clients over them. */
  moved(from: Address, nodes: readonly Address[], random: number): void {
    const staying = nodes.filter((node) => node !== from)
    const forwarder = this.forwarder
    const kept = forwarder === undefined || forwarder === from ? -1 : staying.indexOf(forwarder)
    this.take(staying)
    if (this.via !== undefined && this.knowsVia) return
    this.startAt(kept >= 0 ? kept : Math.floor(random * staying.length))
  }

  /** The connection to `node` ended, or it is stopping. */
  forget(node: Address): void {
    if (this.known.includes(node)) this.known = this.known.filter((other) => other !== node)
  }

  /** `node` does not answer: new calls go to the next, and to it last. */
  avoid(node: Address): void {
    if (node === this.forwarder && this.known.length > 1) this.startAt(1)
  }

  /** Whom to ask after `node`: the one behind it, or the forwarder where it is not known. */
  after(node: Address): Address | undefined {
    const next = this.known[(this.known.indexOf(node) + 1) % this.known.length]
    return next === node ? undefined : next
  }

  get knowsVia(): boolean {
    return this.known.some((node) => this.isVia(node))
  }

  /** An address is the node's id and the number of its life: see addressOf. */
  private isVia(node: Address): boolean {
    return node.startsWith(`${this.via}.`)
  }

  private take(nodes: readonly Address[]): void {
    this.known = nodes
    const chosen = this.via === undefined ? -1 : nodes.findIndex((node) => this.isVia(node))
    if (chosen > 0) this.startAt(chosen)
  }

  private startAt(index: number): void {
    this.known = [...this.known.slice(index), ...this.known.slice(0, index)]
  }
}
