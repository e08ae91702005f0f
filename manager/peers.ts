/**
 * The node processes that the manager has met: who is connected, and who lives. A connection that
 * ends says little by itself; pid and start time say whether the process is gone. Where it still
 * lives (it may be on its way out, or about to reconnect) it is looked at again after a while.
 */
import { addressOf, type Member, type NodeId } from '../shared/ring/description.js'
import { livenessCheckMs } from '../shared/runtime/limits.js'
import type { Address, Runtime } from '../shared/runtime/runtime.js'

/** One life of a node, as it introduced itself. */
export interface Life {
  readonly member: Member
  readonly store: string
}

export class Peers {
  readonly #runtime: Runtime
  readonly #onDied: () => void
  readonly #connected = new Set<Address>()
  readonly #lives = new Map<NodeId, Life>()
  /** Alive when last seen, without a connection. */
  readonly #suspects = new Map<Address, Member>()
  #checking = false

  /** `onDied`: some process that was expected to live is gone. */
  constructor(runtime: Runtime, onDied: () => void) {
    this.#runtime = runtime
    this.#onDied = onDied
  }

  opened(peer: Address): void {
    this.#connected.add(peer)
    this.#suspects.delete(peer)
  }

  closed(peer: Address): void {
    this.#connected.delete(peer)
    for (const { member } of this.#lives.values()) {
      if (addressOf(member) === peer) this.expect(member)
    }
  }

  /** A process that should be connected, or be found dead. */
  expect(member: Member): void {
    if (this.#connected.has(addressOf(member))) return
    this.#suspects.set(addressOf(member), member)
    this.#check()
  }

  learn(life: Life): void {
    this.#lives.set(life.member.id, life)
  }

  life(node: NodeId): Life | undefined {
    return this.#lives.get(node)
  }

  forget(node: NodeId): void {
    this.#lives.delete(node)
  }

  isConnected(member: Member): boolean {
    return this.#connected.has(addressOf(member))
  }

  isAlive(member: Member): boolean {
    return this.#runtime.isAlive({ pid: member.pid, startTime: member.startTime })
  }

  #check(): void {
    let died = false
    for (const [peer, member] of this.#suspects) {
      if (this.isAlive(member)) continue
      this.#suspects.delete(peer)
      died = true
    }
    if (this.#suspects.size > 0 && !this.#checking) {
      this.#checking = true
      this.#runtime.after(livenessCheckMs, 'manager liveness', () => {
        this.#checking = false
        this.#check()
      })
    }
    if (died) this.#onDied()
  }
}
