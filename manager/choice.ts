/** Which of the changes that wait starts: the first, in order of arrival, that can be done now. */
import type { MembershipDelta } from '../shared/ring/claim.js'
import type { NodeId, Placement } from '../shared/ring/description.js'
import type { Candidate, ChangeQueue, Intent } from './changes.js'
import { distinctNodes, isEverybody, type Plan, type PlannedChange } from './plan.js'

export interface Choice {
  readonly intents: readonly Intent[]
  readonly delta: MembershipDelta
  readonly plan: PlannedChange
}

export interface Choices {
  readonly choice: Choice | undefined
  /** Members that cannot be taken out, since too few owners of their ranges are up. */
  readonly starved: readonly NodeId[]
}

export interface ChoiceOptions {
  /** What cannot be done is told why. */
  readonly queue: ChangeQueue
  readonly placement: Placement
  /** In order of arrival. */
  readonly candidates: readonly Candidate[]
  readonly plan: (delta: MembershipDelta) => Plan
  /** Better a little later. */
  readonly waits: (intents: readonly Intent[]) => boolean
  /** The only member is to leave: nobody takes its data. */
  readonly onLast: (node: NodeId) => void
}

export function chooseChange(options: ChoiceOptions): Choices {
  const { queue, placement, candidates, plan, waits, onLast } = options
  const starved: NodeId[] = []
  for (const { intents, delta } of candidates) {
    const [intent] = intents as readonly [Intent]
    if (waits(intents)) continue
    if (intent.kind === 'leave' && isEverybody(delta, placement)) {
      if (intents.length === 1) onLast(intent.node)
      continue
    }
    const planned = plan(delta)
    if ('blocked' in planned) {
      queue.block(intents, planned.blocked)
      if (planned.starved) starved.push(...delta.leave, ...delta.replace.map(([old]) => old))
      continue
    }
    queue.block(intents, '')
    return { choice: { intents, delta, plan: planned }, starved: [] }
  }
  return { choice: undefined, starved: distinctNodes(starved) }
}
