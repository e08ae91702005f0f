/**
 * Both state machines as a document, drawn from the machines that run: the diagrams in docs/ cannot
 * say anything else than the code. `npm run docs:machines` writes it, a test compares.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate'
import { managerMachine } from '../manager/machine.js'
import { nodeMachine } from '../storage/machine.js'

export const machinesDocument = 'docs/machines.md'

export function describeMachines(): string {
  return [
    '# The two state machines',
    'Drawn from `manager/machine.ts` and `storage/machine.ts` by `npm run docs:machines`; do not edit.',
    'Arrows are events. What else is legal in a state, and leaves it as it is, stands below.',
    '## Manager',
    fenced(mermaidOf(managerMachine)),
    acceptedIn(managerMachine),
    '## Storage node',
    fenced(mermaidOf(nodeMachine)),
    acceptedIn(nodeMachine),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n')
}

function fenced(diagram: string): string {
  return `\`\`\`mermaid\n${diagram}\n\`\`\``
}

/** A machine as a Mermaid state diagram. */
export function mermaidOf(machine: AnyStateMachine): string {
  const { root } = machine
  const body = root.type === 'parallel' ? composite(root, 1) : inside(root, 1)
  return ['stateDiagram-v2', ...body].join('\n')
}

/** Mermaid's names are global, a machine's are not: `idle` of two regions are two states. */
function nameOf(node: AnyStateNode): string {
  return node.path.length === 0 ? node.key : node.path.join('_')
}

function childrenOf(node: AnyStateNode): AnyStateNode[] {
  return Object.values(node.states)
}

function composite(node: AnyStateNode, depth: number): string[] {
  const pad = '  '.repeat(depth)
  const label = nameOf(node) === node.key ? node.key : `"${node.key}" as ${nameOf(node)}`
  if (childrenOf(node).length === 0) {
    return nameOf(node) === node.key ? [] : [`${pad}state ${label}`]
  }
  return [`${pad}state ${label} {`, ...inside(node, depth + 1), `${pad}}`]
}

function inside(node: AnyStateNode, depth: number): string[] {
  const pad = '  '.repeat(depth)
  if (node.type === 'parallel') {
    return childrenOf(node).flatMap((region, index) => [
      ...(index === 0 ? [] : [`${pad}--`]),
      ...composite(region, depth),
    ])
  }
  const initial = node.initial.target.map((target) => `${pad}[*] --> ${nameOf(target)}`)
  const states = childrenOf(node).flatMap((child) => composite(child, depth))
  const arrows = childrenOf(node).flatMap((child) => arrowsFrom(child, pad))
  return [...initial, ...states, ...arrows]
}

/** One arrow a target, labelled with all the events that lead there. */
function arrowsFrom(node: AnyStateNode, pad: string): string[] {
  const labels = new Map<string, string[]>()
  for (const transition of transitionsOf(node)) {
    for (const target of transition.target ?? []) {
      const arrow = `${pad}${nameOf(node)} --> ${nameOf(target)}`
      labels.set(arrow, [...(labels.get(arrow) ?? []), labelOf(transition)])
    }
  }
  return [...labels].map(([arrow, events]) => `${arrow}: ${events.join(', ')}`)
}

function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...node.transitions.values()].flat()
}

function labelOf(transition: AnyTransitionDefinition): string {
  const { guard, eventType } = transition
  return typeof guard === 'string' ? `${eventType} [${guard}]` : eventType
}

/** The events that a state takes without leaving it, and the tags it carries. */
function acceptedIn(machine: AnyStateMachine): string {
  const lines: string[] = []
  const visit = (node: AnyStateNode): void => {
    const stays = transitionsOf(node).filter((transition) => transition.target === undefined)
    const events = stays.map((transition) => `\`${transition.eventType}\``)
    const tags = node.tags.map((tag) => `\`${tag}\``)
    const parts = [
      ...(events.length === 0 ? [] : [`takes ${events.join(', ')}`]),
      ...(tags.length === 0 ? [] : [`may ${tags.join(', ')}`]),
    ]
    if (parts.length > 0) lines.push(`- **${node.path.join('.')}** ${parts.join('; ')}`)
    for (const child of childrenOf(node)) visit(child)
  }
  visit(machine.root)
  return lines.join('\n')
}
