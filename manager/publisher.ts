/**
 * Makes a journaled ring known: first its file, which is the fence, then a message to everybody in it
 * and to those that the ring before named and this one does not.
 *
 * Processes watch for the file after their own, so epochs follow one another without gaps. Where one
 * must be skipped (a run directory or a node knew of rings that our journal lost) the older files go
 * at once: whoever held their epoch then sees that it has passed. Such a ring never changes an owner.
 */
import type { Member, RingDescription } from '../shared/ring/description.js'
import { addressOf } from '../shared/ring/description.js'
import { compareNodes } from '../shared/ring/ring.js'
import { ringFilesKept } from '../shared/runtime/limits.js'
import type { RingFiles } from '../shared/runtime/ports.js'
import type { Runtime } from '../shared/runtime/runtime.js'
import type { Peers } from './peers.js'

export class Publisher {
  readonly #runtime: Runtime
  readonly #files: RingFiles
  readonly #peers: Peers
  #current: RingDescription | undefined

  constructor(runtime: Runtime, files: RingFiles, peers: Peers) {
    this.#runtime = runtime
    this.#files = files
    this.#peers = peers
  }

  /** The ring as the world knows it; undefined before the first. */
  get current(): RingDescription | undefined {
    return this.#current
  }

  announce(ring: RingDescription, previous: RingDescription | undefined): void {
    this.#files.publish(ring)
    const follows = this.#current?.epoch === ring.epoch - 1
    this.#files.prune(follows ? ringFilesKept : 1)
    this.#current = ring
    // Latest lives: a member that came back meanwhile must hear it too.
    const named = [...(previous?.members ?? []), ...ring.members]
    const latest = new Map(named.map((it) => [it.id, this.#peers.life(it.id)?.member ?? it]))
    const nodes = [...latest.keys()].sort(compareNodes)
    for (const node of nodes) this.tell(latest.get(node) as Member)
  }

  tell(member: Member): void {
    if (this.#current === undefined || !this.#peers.isAlive(member)) return
    this.#runtime.send(addressOf(member), { kind: 'ring.publish', ring: this.#current })
  }
}
