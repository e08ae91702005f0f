/**
 * The changes of membership of a run: nodes join by themselves, leave on a signal, and are added,
 * removed and replaced by command; with pauses between, or all at once so that they queue.
 *
 * It leaves the swarm N members, so that requests are always accepted; or, in some seeds, fewer for a
 * while, and N again at the end. Where faults happen a change may be refused (it is tried again),
 * given up, or lose its answer.
 */
import type { NodeId } from '../shared/ring/description.js'
import type { NodeProcess } from './node-process.js'
import type { Random } from './random.js'
import type { Change, ChangeEnd } from './supervisor.js'
import type { KeptNode, Swarm } from './swarm.js'

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
  #isStopped = false
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

  /** No further change is asked for. */
  stop(): void {
    this.#isStopped = true
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
    const haveEnded = this.#begun >= changes && this.#ended === this.#begun
    return haveEnded && this.#remaining >= replicas
  }

  #next(): void {
    const { world, settings } = this.#options.swarm.host
    const { mayForm, changePauseMs } = settings
    world.at(this.#random.between(1, changePauseMs) * 1000, () => {
      if (this.#isStopped) return
      const changes: Change[] = ['add', 'replace', 'remove', ...(mayForm ? removals : [])]
      const isLate = this.#begun >= settings.changes
      const kind = this.#random.pick(changes)
      const bySignal = this.#random.chance(0.5)
      if (!isLate) this.#begin(kind, bySignal)
      else if (this.#remaining + this.#joining < settings.replicas) this.#begin('add', true)
      this.#next()
    })
  }

  /** `bySignal`: the process itself comes or goes; otherwise a command asks for it. */
  #begin(change: Change, bySignal: boolean): void {
    const { swarm } = this.#options
    const { settings, world } = swarm.host
    const staying = this.#staying()
    const members = this.#remaining + this.#joining
    const least = settings.mayForm ? 1 : settings.replicas
    const isTooFew = this.#remaining <= least
    // Enough will come back, or are on their way: until then nobody can be spared.
    if (!isTooFew && staying.length <= least) return
    const chosen = change === 'remove' && isTooFew ? 'add' : change
    const kind = chosen === 'add' && members >= nodesMax && !isTooFew ? 'remove' : chosen
    if (this.#begun > this.#ended) this.#overlapped++
    this.#begun++
    const isNone = kind === 'add' || staying.length === 0
    const node = isNone ? undefined : this.#random.pick(staying)
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

  /** How many there will be; those that are down come back. */
  get #remaining(): number {
    const { swarm } = this.#options
    if (swarm.host.settings.faults === undefined) return this.#staying().length
    return swarm.kept.filter(({ id, process, keeper }) => {
      const isGoing = this.#leaving.has(process?.id ?? id) || process?.isLeaving === true
      return !isGoing && !keeper.isAbandoned
    }).length
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
    this.#when(() => hasJoined(node) || node.keeper.isReleased, joined)
  }

  #leave(node: NodeProcess): void {
    this.#leaving.add(node.id)
    node.leave()
    this.#when(
      () => node.hasEnded,
      () => {
        this.#ended++
        const isBack = this.#options.swarm.kept.some(({ id }) => id === node.id)
        if (isBack) this.#leaving.delete(node.id)
      },
    )
  }

  #submit(change: 'remove' | 'replace', node: NodeProcess): void {
    this.#leaving.add(node.id)
    if (change === 'replace') this.#joining++
    this.#command(change, node.id, (outcome) => {
      if (change === 'replace') this.#joining--
      if (outcome === 'aborted' || outcome === 'refused') this.#leaving.delete(node.id)
      this.#ended++
    })
  }

  #command(change: Change, node: NodeId | '', over: (outcome: Outcome) => void): void {
    const { swarm, onFailed } = this.#options
    swarm.supervisor.submit(change, node, (outcome, reason) => {
      over(outcome)
      if (outcome === 'done') return
      if (swarm.host.settings.faults === undefined) {
        onFailed(`${change} ${node} was ${outcome}: ${reason}`)
      } else if (outcome === 'refused') {
        this.#begun--
        this.#ended--
      }
    })
  }

  #when(isSo: () => boolean, then: () => void): void {
    this.#options.swarm.host.world.at(5_000, () => {
      if (isSo()) then()
      else this.#when(isSo, then)
    })
  }
}

type Outcome = Parameters<ChangeEnd>[0]

/** It may have been asked to leave again already. */
function hasJoined({ process }: KeptNode): boolean {
  const state = process?.node?.state
  return state === 'active' || state === 'leaving' || state === 'left'
}
