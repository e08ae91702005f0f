/**
 * What the nemesis does to a swarm of real processes: each fault takes a moment, undoes itself, and
 * says in one line what it did. Which comes when is drawn from the seed; what it meets is not.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { isProcessAlive } from '../shared/os/linux.js'
import type { ProcessEntry } from '../shared/os/process-files.js'
import type { Random } from '../sim/random.js'
import type { Victim } from './victim.js'

export interface FaultContext {
  readonly swarm: Victim
  readonly random: Random
}

export interface Fault {
  readonly name: string
  /** Drawn as often as this, against the others. */
  readonly weight: number
  /** What it did; undefined if there was nothing to do it to. */
  strike(context: FaultContext): Promise<string | undefined>
}

const nodesMax = 8

const faults: readonly Fault[] = [
  {
    name: 'kill node',
    weight: 6,
    strike: async ({ swarm, random }) => kill(some(swarm.nodes(), 1, random)),
  },
  {
    name: 'kill two nodes',
    weight: 2,
    strike: async ({ swarm, random }) => kill(some(swarm.nodes(), 2, random)),
  },
  {
    name: 'pause node',
    weight: 5,
    strike: ({ swarm, random }) =>
      suspend(some(swarm.nodes(), 1, random), random.between(100, 4_000)),
  },
  {
    name: 'pause node until it is evicted',
    weight: 1,
    strike: ({ swarm, random }) =>
      suspend(some(swarm.nodes(), 1, random), random.between(12_000, 18_000)),
  },
  {
    name: 'kill manager',
    weight: 3,
    strike: async ({ swarm }) => kill(swarm.managers()),
  },
  {
    name: 'pause manager',
    weight: 2,
    strike: ({ swarm, random }) => suspend(swarm.managers(), random.between(300, 5_000)),
  },
  {
    name: 'kill supervisor',
    weight: 1,
    strike: async ({ swarm, random }) => {
      const killed = kill(swarm.supervisors())
      await pause(random.below(2_000))
      await swarm.up()
      return killed
    },
  },
  {
    name: 'kill manager and node',
    weight: 1,
    strike: async ({ swarm, random }) =>
      kill([...swarm.managers(), ...some(swarm.nodes(), 1, random)]),
  },
  {
    name: 'kill everything',
    weight: 0.3,
    strike: async ({ swarm }) => {
      const killed = kill([...swarm.supervisors(), ...swarm.managers(), ...swarm.nodes()])
      await swarm.up()
      return killed
    },
  },
  {
    name: 'change the membership',
    weight: 4,
    strike: async ({ swarm, random }) => {
      const nodes = swarm.nodes()
      const [node] = some(nodes, 1, random)
      if (node === undefined) return undefined
      const id = node.address.split('.')[0] as string
      const changes = [['replace', id]]
      if (nodes.length < nodesMax) changes.push(['add'])
      if (nodes.length > swarm.nodesAtStart) changes.push(['remove', id])
      return swarm.command('node', ...random.pick(changes))
    },
  },
  {
    name: 'hog the processors',
    weight: 2,
    strike: ({ random }) => hog(random.between(2, 6), random.between(1_000, 4_000)),
  },
]

function some(
  processes: readonly ProcessEntry[],
  count: number,
  random: Random,
): readonly ProcessEntry[] {
  const left = [...processes]
  const chosen: ProcessEntry[] = []
  while (chosen.length < count && left.length > 0) {
    chosen.push(...left.splice(random.below(left.length), 1))
  }
  return chosen
}

function kill(processes: readonly ProcessEntry[]): string | undefined {
  const killed = processes.filter((each) => signal(each, 'SIGKILL'))
  return named(killed)
}

async function suspend(
  processes: readonly ProcessEntry[],
  ms: number,
): Promise<string | undefined> {
  const stopped = processes.filter((each) => signal(each, 'SIGSTOP'))
  if (stopped.length === 0) return undefined
  await pause(ms)
  for (const each of stopped) signal(each, 'SIGCONT')
  return `${named(stopped)} for ${ms} ms`
}

/** False: it is gone. */
function signal(entry: ProcessEntry, name: NodeJS.Signals): boolean {
  if (!isProcessAlive(entry)) return false
  process.kill(entry.pid, name)
  return true
}

async function hog(count: number, ms: number): Promise<string> {
  const spin = `const end = Date.now() + ${ms}; while (Date.now() < end);`
  const hogs = Array.from({ length: count }, () =>
    spawn(process.execPath, ['-e', spin], { stdio: 'ignore' }),
  )
  await Promise.all(hogs.map(ended))
  return `${count} processes for ${ms} ms`
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()))
}

function named(processes: readonly ProcessEntry[]): string | undefined {
  if (processes.length === 0) return undefined
  return processes.map(({ address }) => address).join(', ')
}

/** The next fault, by weight. */
export function drawFault(random: Random): Fault {
  const total = faults.reduce((sum, { weight }) => sum + weight, 0)
  let left = random.next() * total
  for (const fault of faults) {
    left -= fault.weight
    if (left < 0) return fault
  }
  return faults[0] as Fault
}
