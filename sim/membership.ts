/**
 * The changes of membership of a run: nodes join by themselves, leave on a signal, and are added,
 * removed and replaced by command; with pauses between, or all at once so that they queue.
 *
 * It leaves the swarm N members, so that requests are always accepted; or, in some seeds, fewer for a
 * while, and N again at the end.
 */
import type { NodeId } from '../shared/ring/description.js'
import type { NodeProcess } from './node-process.js'
import type { Random } from './random.js'
import type { Change } from './supervisor.js'
import type { Swarm } from './swarm.js'

export interface MembershipOptions {
  readonly swarm: Swarm
  readonly onFailed: (message: string) => void
}

const removals: readonly Change[] = ['remove', 'remove', 'remove']

/** More nodes than this only make a run slower. */
const nodesMax = 9

export class MembershipChanges {
  readonly #options: MembershipOptions
  readonly #random: Random
  /** Members that will be gone, or were asked to go. */
  readonly #leaving = new Set<NodeId>()
  #joining = 0
  #begun = 0
  #ended = 0
  #overlapped = 0

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#random = options.swarm.host.world.random('membership')
  }

  start(): void {
    this.#next()
  }

  get ended(): number {
    return this.#ended
  }

  /** Changes that were asked for while another one was not over. */
  get overlapped(): number {
    return this.#overlapped
  }

  get areOver(): boolean {
    const { changes, replicas } = this.#options.swarm.host.settings
    const areEnough = this.#staying().length >= replicas
    return this.#begun >= changes && this.#ended === this.#begun && areEnough
  }

  #next(): void {
    const { world, settings } = this.#options.swarm.host
    const { mayForm, changePauseMs } = settings
    if (this.areOver) return
    world.at(this.#random.between(1, changePauseMs) * 1000, () => {
      const changes: Change[] = ['add', 'replace', 'remove', ...(mayForm ? removals : [])]
      const isLate = this.#begun >= settings.changes
      const kind = this.#random.pick(changes)
      const bySignal = this.#random.chance(0.5)
      if (!isLate) this.#begin(kind, bySignal)
      else if (this.#staying().length + this.#joining < settings.replicas) this.#begin('add', true)
      this.#next()
    })
  }

  /** `bySignal`: the process itself comes or goes; otherwise a command asks for it. */
  #begin(change: Change, bySignal: boolean): void {
    const { swarm } = this.#options
    const { settings, world } = swarm.host
    const staying = this.#staying()
    const members = staying.length + this.#joining
    const isTooFew = staying.length <= (settings.mayForm ? 1 : settings.replicas)
    const chosen = change === 'remove' && isTooFew ? 'add' : change
    const kind = chosen === 'add' && members >= nodesMax && !isTooFew ? 'remove' : chosen
    if (this.#begun > this.#ended) this.#overlapped++
    this.#begun++
    const node = kind === 'add' || staying.length === 0 ? undefined : this.#random.pick(staying)
    world.trace.event(world.micros, 'change', `${kind} ${bySignal} ${node?.id ?? ''}`, this.#begun)
    if (node === undefined) this.#add(bySignal)
    else if (kind === 'remove' && bySignal) this.#leave(node)
    else this.#submit(kind === 'remove' ? 'remove' : 'replace', node)
  }

  /** The members that nobody asked to go. */
  #staying(): NodeProcess[] {
    return this.#options.swarm.nodes.filter(
      ({ id, node, isLeaving }) =>
        node?.state === 'active' && id !== '' && !this.#leaving.has(id) && !isLeaving,
    )
  }

  #add(bySignal: boolean): void {
    const { swarm } = this.#options
    this.#joining++
    const joined = () => {
      this.#joining--
      this.#ended++
    }
    if (!bySignal) {
      this.#command('add', '', joined)
      return
    }
    const node = swarm.startNode('')
    this.#when(() => hasJoined(node), joined)
  }

  #leave(node: NodeProcess): void {
    this.#leaving.add(node.id)
    node.leave()
    this.#when(
      () => node.hasEnded,
      () => this.#ended++,
    )
  }

  #submit(change: 'remove' | 'replace', node: NodeProcess): void {
    this.#leaving.add(node.id)
    if (change === 'replace') this.#joining++
    this.#command(change, node.id, () => {
      if (change === 'replace') this.#joining--
      this.#ended++
    })
  }

  #command(change: Change, node: NodeId | '', done: () => void): void {
    this.#options.swarm.supervisor.submit(change, node, (outcome, reason) => {
      if (outcome === 'done') done()
      else this.#options.onFailed(`${change} ${node} was ${outcome}: ${reason}`)
    })
  }

  #when(isSo: () => boolean, then: () => void): void {
    this.#options.swarm.host.world.at(5_000, () => {
      if (isSo()) then()
      else this.#when(isSo, then)
    })
  }
}

/** It may have been asked to leave again already. */
function hasJoined({ node }: NodeProcess): boolean {
  const state = node?.state
  return state === 'active' || state === 'leaving' || state === 'left'
}
