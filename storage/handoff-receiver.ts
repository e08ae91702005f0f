/**
 * The gaining side of a handoff: pulls every range that the plan gives this node, from as many
 * sources as the plan asks for, and merges by version.
 *
 * A task is one range from one source. Its progress (the cursor) is written in the same durable batch
 * as the entries before it, so a gainer that crashed goes on where it was. A few pulls are under way
 * at a time, each on a range of its own: that is the window, and it bounds the memory on both sides.
 * A source that is lost is replaced by a spare one, from the start of the range, since cursors are
 * only valid at the store that they came from.
 *
 * Pulls keep to the swarm's rate of handoffs, so that they leave room for requests, and pause while the
 * disk here is nearly full.
 */
import type { HandoffProgress, Message } from '../shared/protocol/messages.js'
import type { NodeId, Transfer } from '../shared/ring/description.js'
import type { Ring } from '../shared/ring/ring.js'
import {
  diskCheckMs,
  handoffBatchBytes,
  handoffRetryMaxMs,
  handoffRetryMs,
  handoffWindowBatches,
  staleRetryMs,
} from '../shared/runtime/limits.js'
import type { Cursor, Entry } from '../shared/runtime/ports.js'
import type { Address, Millis } from '../shared/runtime/runtime.js'
import type { Desk, Exchange } from './desk.js'
import { formatProgress, parseProgress, type TaskProgress } from './handoff-progress.js'

interface Task {
  /** Meta name under which its progress is kept. */
  readonly name: string
  readonly transfer: Transfer
  source: NodeId
  cursor: Cursor | undefined
  state: 'waiting' | 'pulling' | 'done'
  /** How long a batch may take; doubled, to a limit, each time it takes longer: a slow source suffices. */
  patienceMs: Millis
}

interface Plan {
  readonly number: number
  readonly tasks: readonly Task[]
  /** Sources that no task uses now. */
  readonly spares: Map<Transfer, NodeId[]>
  keys: number
  bytes: number
}

export class HandoffReceiver {
  private readonly desk: Desk
  private readonly completed: (plan: number) => void
  private readonly isAdopting: () => boolean
  private plan: Plan | undefined

  /**
   * `completed` is told once per plan that everything of it is durable here; `isAdopting`: a newer
   * ring waits for its wipe.
   */
  constructor(desk: Desk, completed: (plan: number) => void, isAdopting: () => boolean) {
    this.desk = desk
    this.completed = completed
    this.isAdopting = isAdopting
  }

  get isReceiving(): boolean {
    return this.plan?.tasks.some((task) => task.state !== 'done') ?? false
  }

  /** Acts by a ring that was just adopted: begins, goes on with, or forgets a plan. */
  follow(ring: Ring): void {
    const change = ring.description.change
    // What another life of this node gains is not for the store here, and not for us to confirm.
    if (change === undefined || !this.desk.isNamed) {
      this.plan = undefined
      return
    }
    if (this.plan?.number === change.plan) return
    const mine = change.transfers.filter((transfer) => transfer.gainer === this.desk.self)
    this.plan = this.planOf(change.plan, mine)
    if (mine.length > 0 && !this.isReceiving) this.completed(change.plan)
    this.pullNext()
  }

  get progress(): HandoffProgress {
    const tasks = this.plan?.tasks ?? []
    return {
      rangesDone: tasks.filter((task) => task.state === 'done').length,
      rangesTotal: tasks.length,
      keys: this.plan?.keys ?? 0,
      bytes: this.plan?.bytes ?? 0,
    }
  }

  private planOf(number: number, transfers: readonly Transfer[]): Plan {
    const tasks: Task[] = []
    const spares = new Map<Transfer, NodeId[]>()
    for (const [i, transfer] of transfers.entries()) {
      const names = Array.from({ length: transfer.needed }, (_, j) => `handoff/${i}/${j}`)
      const resumed = distinctSources(names.map((name) => this.progressOf(number, transfer, name)))
      const taken = resumed.map((progress) => progress?.source)
      const free = transfer.sources.filter((source) => !taken.includes(source))
      for (const [j, name] of names.entries()) {
        const source = resumed[j]?.source ?? free.shift()
        if (source === undefined) throw new Error(`${transfer.needed} sources needed, fewer named`)
        const state = resumed[j]?.done === true ? 'done' : 'waiting'
        const cursor = resumed[j]?.cursor
        tasks.push({ name, transfer, source, cursor, state, patienceMs: handoffRetryMs })
      }
      spares.set(transfer, free)
    }
    return { number, tasks, spares, keys: 0, bytes: 0 }
  }

  /** What an earlier life of this node received of the same plan. */
  private progressOf(plan: number, { sources }: Transfer, name: string): TaskProgress | undefined {
    const progress = parseProgress(this.desk.engine.meta(name))
    return progress?.plan === plan && sources.includes(progress.source) ? progress : undefined
  }

  private pullNext(): void {
    const tasks = this.plan?.tasks ?? []
    let free = handoffWindowBatches - tasks.filter((task) => task.state === 'pulling').length
    for (const task of tasks) {
      if (free <= 0) return
      if (task.state !== 'waiting') continue
      this.pull(task)
      free--
    }
  }

  /** Asks for the next batch of the task when there is room for it and the rate permits. */
  private pull(task: Task): void {
    const { plan } = this
    if (plan === undefined) return
    task.state = 'pulling'
    if (this.desk.disk.isLow()) return this.later(plan, diskCheckMs, () => this.pull(task))
    const waitMs = this.desk.handoffRate.book(handoffBatchBytes)
    if (waitMs === 0) this.ask(plan, task)
    else this.later(plan, waitMs, () => this.ask(plan, task))
  }

  private ask(plan: Plan, task: Task): void {
    new Pull(this.desk, plan.number, task, (outcome) => {
      const cameBytes = typeof outcome === 'object' ? bytesOf(outcome.entries) : 0
      this.desk.handoffRate.giveBack(handoffBatchBytes - cameBytes)
      // The wipe for another plan has begun: what came of this one now would outlive it.
      if (this.plan !== plan || this.isAdopting()) return
      if (typeof outcome === 'object') return this.merge(plan, task, outcome)
      if (outcome === 'late') task.patienceMs = Math.min(2 * task.patienceMs, handoffRetryMaxMs)
      const atOnce =
        outcome === 'stale' ||
        outcome === 'late' ||
        (outcome === 'lost' && replaceSource(plan, task))
      this.later(plan, atOnce ? staleRetryMs : handoffRetryMs, () => this.pull(task))
    }).begin()
  }

  /** Unless another plan has come by then. */
  private later(plan: Plan, ms: Millis, go: () => void): void {
    this.desk.runtime.after(ms, 'pull', () => {
      if (this.plan === plan) go()
    })
  }

  private merge(plan: Plan, task: Task, batch: Batch): void {
    const done = batch.next === null
    const progress = {
      plan: plan.number,
      source: task.source,
      done,
      cursor: batch.next ?? undefined,
    }
    const meta = { [task.name]: formatProgress(progress) }
    const areDurable = this.desk.chain?.copied(batch.entries)
    this.desk.engine.applyBatch(batch.entries, meta, (error) => {
      if (error !== undefined) return this.desk.storageFailed(error)
      areDurable?.()
      if (this.plan !== plan) return
      plan.keys += batch.entries.length
      plan.bytes += bytesOf(batch.entries)
      task.cursor = progress.cursor
      if (!done) return this.pull(task)
      task.state = 'done'
      if (this.isReceiving) this.pullNext()
      else this.completed(plan.number)
    })
  }
}

/**
 * Two tasks may have turned to one source, one after the other, before this life began: only one of
 * them goes on with it, the one that has all of it if there is one.
 */
function distinctSources(
  progress: readonly (TaskProgress | undefined)[],
): (TaskProgress | undefined)[] {
  const taken = new Set<NodeId>()
  const kept = new Set<TaskProgress>()
  for (const isDone of [true, false]) {
    for (const each of progress) {
      if (each === undefined || each.done !== isDone || taken.has(each.source)) continue
      taken.add(each.source)
      kept.add(each)
    }
  }
  return progress.map((each) => (each !== undefined && kept.has(each) ? each : undefined))
}

/** False: there is no other source to turn to. */
function replaceSource(plan: Plan, task: Task): boolean {
  const spares = plan.spares.get(task.transfer)
  const spare = spares?.shift()
  if (spares === undefined || spare === undefined) return false
  spares.push(task.source)
  task.source = spare
  task.cursor = undefined
  return true
}

interface Batch {
  readonly entries: readonly Entry[]
  readonly next: Cursor | null
}

/** What became of a pull. */
type Outcome = Batch | 'lost' | 'late' | 'stale' | 'refused'

/** One pull, until its batch, its loss, or its retry. */
class Pull implements Exchange {
  private readonly desk: Desk
  private readonly plan: number
  private readonly task: Task
  private readonly settled: (outcome: Outcome) => void
  private id = 0
  private source: Address | undefined
  private sentAt: Millis = 0

  constructor(desk: Desk, plan: number, task: Task, settled: (outcome: Outcome) => void) {
    this.desk = desk
    this.plan = plan
    this.task = task
    this.settled = settled
  }

  begin(): void {
    const { ring, runtime, inFlight } = this.desk
    this.id = inFlight.add(this)
    this.sentAt = runtime.now()
    this.source = ring.address(this.task.source)
    const { from, to } = this.task.transfer
    const sent =
      this.source !== undefined &&
      runtime.send(this.source, {
        kind: 'handoff.pull',
        id: this.id,
        epoch: ring.epoch,
        plan: this.plan,
        reason: 'ownership',
        from,
        to,
        cursor: this.task.cursor ?? null,
        limitBytes: handoffBatchBytes,
      })
    if (!sent) this.settle('lost')
  }

  received(from: Address, reply: Message): void {
    if (from !== this.source) return
    if (reply.kind === 'handoff.batch') this.settle({ entries: reply.entries, next: reply.next })
    else if (reply.kind === 'error') this.settle('refused')
    else if (reply.kind === 'stale') {
      if (reply.epoch > this.desk.ring.epoch) this.desk.catchUp()
      this.settle('stale')
    }
  }

  closed(peer: Address): void {
    if (peer === this.source) this.settle('lost')
  }

  /** The data is good under any ring of the same plan; another plan forgets this one. */
  ringChanged(): void {
    if (this.desk.ring.description.change?.plan !== this.plan) this.desk.inFlight.delete(this.id)
  }

  sweep(now: Millis): void {
    if (now - this.sentAt > this.task.patienceMs) this.settle('late')
  }

  private settle(outcome: Outcome): void {
    if (this.desk.inFlight.delete(this.id)) this.settled(outcome)
  }
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0
  for (const { key, record } of entries) bytes += key.length + (record.value?.length ?? 0)
  return bytes
}
